"""The weekly review as a Slack message: what AI would have done, each with two buttons while it waits.

Nothing moves under the hand that clicks: a proposal keeps its place in the list when it was judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ButtonElement,
    ContextBlock,
    DividerBlock,
    HeaderBlock,
    PlainTextObject,
    RichTextBlock,
    RichTextElement,
    RichTextElementParts,
    RichTextQuoteElement,
    RichTextSectionElement,
)

from belay.domain.state import OptimizationState, State
from belay.present.digest import Listed, Said, how_many, waiting_for_judgement, why_closed
from belay.slack.change import change_block
from belay.slack.text import harmless, mrkdwn

WOULD, WOULD_NOT = "belay_would", "belay_would_not"
JUDGING = f"^({WOULD}|{WOULD_NOT}):[0-9]{{1,2}}$"
"""What the buttons' action ids look like: each is numbered, because a message may use one only once."""

MOST_WAITING, MOST_CLOSED = 10, 6
"""How many a message shows that wait, and that it showed before: together they keep to Slack's 50 blocks."""

_HEAD = (
    "The ledger then ended with {0}. To find a past that was rewritten since: belay ledger verify --since {0}"
)


def on_the_list(state: State, before: Sequence[str], *, newest: bool) -> list[OptimizationState]:
    """Return what a list shows, in the order in which it was proposed.

    Parameters
    ----------
    before
        Ids of what it shows already.
    newest
        Whether there is no newer list. An older one takes nothing up any more; the newest shows what waits,
        oldest first, beside what it showed before and is closed by now.
    """
    shown = [state.optimizations[name] for name in before if name in state.optimizations]
    if newest:
        closed = [one for one in shown if why_closed(state, one)]
        shown = [*closed[-MOST_CLOSED:], *waiting_for_judgement(state)[:MOST_WAITING]]
    return sorted(shown, key=lambda one: one.proposed_at)


def weekly_message(
    entries: Sequence[Listed], *, waiting: int, pages: str, newest: bool, head: str = ""
) -> dict[str, Any]:
    """Return text and blocks of the weekly review.

    Parameters
    ----------
    entries
        What `on_the_list` returned.
    waiting
        How many proposals wait in all.
    pages
        Address of Belay's pages.
    newest
        Whether there is no newer list; an older one has no buttons any more.
    head
        Number and hash of the ledger's last entry when the list was posted; empty where that is not known.
    """
    title = "What AI would have done: would you?"
    open_ones = [entry for entry in entries if not entry.closed]
    over = "This list is over: what still waits is in the newest one."
    said = how_many(waiting) if newest or not waiting else over
    blocks: list[Block] = [
        HeaderBlock(text=PlainTextObject(text=title)),
        ContextBlock(elements=[PlainTextObject(text=said)]),
    ]
    for number, entry in enumerate(entries, 1):
        blocks += [DividerBlock(), _proposal(entry, pages)]
        if newest and not entry.closed:
            blocks.append(_buttons(entry, number))
    if newest and open_ones:
        blocks += [DividerBlock(), _how_else(waiting - len(open_ones))]
    if head:
        blocks.append(ContextBlock(elements=[PlainTextObject(text=_HEAD.format(head))]))
    lines = [f"• {entry.optimization}: {entry.title}" for entry in open_ones]
    return {
        "text": mrkdwn("\n".join([title, said, *lines]), 3900),
        "blocks": [block.to_dict() for block in blocks],
    }


def _proposal(entry: Listed, pages: str) -> RichTextBlock:
    """Return one proposal: what customers would see, then why.

    Rich text parses nothing, so the agent's words, and people's, stay words.
    """
    page = f"{pages}/optimization/{quote(entry.optimization)}"
    change = change_block(entry.change, page=page, longest=120)
    link = RichTextElementParts.Link(
        url=page,
        text=harmless(entry.optimization, 80),
        style=RichTextElementParts.TextStyle(bold=True),
    )
    by = entry.proposed_by.removeprefix("agent:")
    who = harmless(f"{entry.capability}, by {by} ({entry.agent_owner} is accountable)", 150)
    words: list[RichTextElement] = [_text(harmless(entry.title, 150), bold=True)]
    after: list[str] = [_said(said) for said in entry.said[-2:]]
    if not entry.closed:
        words.append(_text("\n" + harmless(_one_line(entry.hypothesis), 200)))
        after.insert(0, " ".join(_sentence(told) for told in (entry.expects, entry.shadow) if told))
    elif not any(said.counted for said in entry.said):
        after.append(harmless(f"Nobody is asked any more: it {entry.closed}.", 300))
    return RichTextBlock(
        elements=[
            RichTextSectionElement(elements=[link, _text(f" · {who}")]),
            *(change.elements if change else ()),
            RichTextQuoteElement(elements=words),
            RichTextSectionElement(elements=[_text("\n".join(after))]),
        ]
    )


def _sentence(told: str) -> str:
    return f"{told[:1].upper()}{told[1:]}."


def _said(said: Said) -> str:
    verb = "would" if said.agrees else "would not"
    aside = "" if said.counted else " (does not count: segregation of duties)"
    return harmless(
        f"{'✓' if said.agrees else '✗'} {said.who} {verb} have done it{aside}: {_one_line(said.reason)}", 200
    )


def _buttons(entry: Listed, number: int) -> ActionsBlock:
    """Return the two answers, both plain: neither is the one that is expected."""
    return ActionsBlock(
        block_id=f"belay_judge:{number}",
        elements=[
            ButtonElement(
                action_id=f"{action}:{number}", text=PlainTextObject(text=text), value=entry.optimization
            )
            for action, text in ((WOULD, "I would have"), (WOULD_NOT, "I would not"))
        ],
    )


def _how_else(more: int) -> ContextBlock:
    said = "Or type /belay judge OPTIMIZATION yes|no reason."
    if more:
        said = f"{more} more: belay autonomy digest --json lists all of them. {said}"
    return ContextBlock(elements=[PlainTextObject(text=said)])


def _text(text: str, *, bold: bool = False) -> RichTextElementParts.Text:
    style = RichTextElementParts.TextStyle(bold=True) if bold else None
    return RichTextElementParts.Text(text=text, style=style)


def _one_line(text: str) -> str:
    return " ".join(text.split())
