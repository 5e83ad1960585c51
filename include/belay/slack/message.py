"""The request as a Slack message: Block Kit, within Slack's limits, with nothing of the agent's interpreted.

Limits from Slack's Block Kit reference: header 150 characters, section 3,000, button text 75, 50 blocks
a message. The builders of slack_sdk check them again when the message is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ButtonElement,
    ConfirmObject,
    ContextBlock,
    HeaderBlock,
    ImageBlock,
    MarkdownTextObject,
    PlainTextObject,
    RichTextBlock,
    RichTextElementParts,
    RichTextPreformattedElement,
    RichTextQuoteElement,
    RichTextSectionElement,
    SectionBlock,
)
from slack_sdk.models.blocks.basic_components import SlackFile

from belay.approval.card import Card, EffectLine, Words, effect_lines
from belay.domain.oversight import Oversight
from belay.domain.scope import percent
from belay.domain.state import CapabilityState, OptimizationState, RequestStatus
from belay.slack.text import harmless, mrkdwn
from belay.slack.thread import DECIDED, vote_line

APPROVE, REJECT, VETO, OPEN = "belay_approve", "belay_reject", "belay_veto", "belay_open"

_MARKS = {"harmless": "✓", "harmful": "✗", "unknown": "?", "met": "✓", "not_met": "✗"}
_OUTCOMES = {
    RequestStatus.GRANTED: "✅ Granted",
    RequestStatus.REJECTED: "⛔ Rejected",
    RequestStatus.EXPIRED: "⌛ Expired: silence means no",
    RequestStatus.VOID: "🚫 Void",
}


def request_message(
    card: Card, *, review_url: str, picture: str | None = None, left: str = ""
) -> dict[str, Any]:
    """Return text and blocks of the message that shows ``card`` as it stands.

    Parameters
    ----------
    review_url
        Address of the review page.
    picture
        Slack's id of the uploaded picture, if there is one.
    left
        The time that is left, in words.
    """
    is_open = card.status is RequestStatus.OPEN
    title = card.question if is_open else f"{_OUTCOMES[card.status]}: {card.question}"
    blocks: list[Block] = [
        HeaderBlock(text=PlainTextObject(text=harmless(title, 150))),
        *_in_the_agents_words(card.agents_words),
        _what_it_means(card),
    ]
    if card.effects:
        blocks.append(_effects(card.effects))
    if picture:
        blocks.append(
            ImageBlock(slack_file=SlackFile(id=picture), alt_text=harmless(f"Effects: {card.sentence}", 2000))
        )
    blocks.append(_votes(card, left))
    if is_open:
        blocks += [_who_can(card, left), _buttons(card, review_url)]
    else:
        blocks.append(_outcome(card, review_url))
    blocks.append(
        ContextBlock(
            elements=[
                PlainTextObject(
                    text=harmless(
                        f"request {card.request} · digest {card.digest[:12]} · ledger {card.ledger_head}", 300
                    )
                )
            ]
        )
    )
    return {
        "text": harmless(f"{title}. {card.sentence}", 3900),
        "blocks": [block.to_dict() for block in blocks],
    }


def inform_message(
    known: OptimizationState, capability: CapabilityState, review: Mapping[str, Any], *, review_url: str
) -> dict[str, Any]:
    """Return text and blocks of a message that tells and asks nothing: this step needs no answer."""
    grant, proposal = known.grant, known.proposal
    before, after = (percent(grant.from_scope), percent(grant.to_scope)) if grant else ("?", "?")
    title = f"{capability.title}: goes from {before} to {after}"
    words = Words(proposal.title, proposal.hypothesis, str(proposal.proposed_by), proposal.agent_owner)
    sentence = str(review.get("sentence", ""))
    effects = effect_lines(review)
    blocks: list[Block] = [
        HeaderBlock(text=PlainTextObject(text=harmless(title, 150))),
        *_in_the_agents_words(words),
        SectionBlock(
            text=MarkdownTextObject(text=mrkdwn(sentence, 2000)),
            accessory=ButtonElement(action_id=OPEN, text=PlainTextObject(text="Open review"), url=review_url),
        ),
        *([_effects(effects)] if effects else []),
        ContextBlock(
            elements=[
                PlainTextObject(
                    text=harmless(
                        f"At stage {capability.stage} this step needs no answer. Whoever holds a veto may "
                        f"still stop it: /belay veto {known.id} reason",
                        300,
                    )
                )
            ]
        ),
    ]
    return {"text": harmless(f"{title}. {sentence}", 3900), "blocks": [block.to_dict() for block in blocks]}


def _in_the_agents_words(words: Words | None) -> list[Block]:
    """Quote the agent. Rich text parses nothing, so its words stay words."""
    if words is None:
        return []
    says = f"{words.proposed_by} proposes ({words.agent_owner} answers for it):"
    quote = RichTextQuoteElement(
        elements=[
            RichTextElementParts.Text(
                text=harmless(words.title, 150), style=RichTextElementParts.TextStyle(bold=True)
            ),
            RichTextElementParts.Text(text="\n" + harmless(words.hypothesis, 700)),
        ]
    )
    section = RichTextSectionElement(elements=[RichTextElementParts.Text(text=harmless(says, 300))])
    return [RichTextBlock(elements=[section, quote])]


def _what_it_means(card: Card) -> SectionBlock:
    text = f"*{card.before} → {card.after}*, {card.people}\n{mrkdwn(card.sentence, 2000)}"
    return SectionBlock(text=MarkdownTextObject(text=text))


def _effects(effects: Sequence[EffectLine]) -> RichTextBlock:
    rows = [
        (_MARKS.get(line.finding, "?"), harmless(line.title, 30), line.effect, line.margin or line.role)
        for line in effects[:12]
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    table = "\n".join(
        f"{mark:<{widths[0]}} {title:<{widths[1]}}  {effect:<{widths[2]}}  {last}".rstrip()
        for mark, title, effect, last in rows
    )
    return RichTextBlock(
        elements=[
            RichTextPreformattedElement(elements=[RichTextElementParts.Text(text=table[:2900])], border=0)
        ]
    )


def _votes(card: Card, left: str) -> SectionBlock:
    lines = [f"• {vote_line(vote, 300)}" for vote in card.votes[-6:]]
    if len(card.votes) > len(lines):
        lines.insert(0, f"{len(card.votes) - len(lines)} earlier answers are in the thread.")
    if card.status is RequestStatus.OPEN and card.oversight is Oversight.NOTICE:
        soon = f" (in {left})" if left else ""
        lines.append(f"It goes ahead {_moment(card.expires_at)}{soon} unless somebody vetoes it.")
    elif card.status is RequestStatus.OPEN:
        lines.append(f"*Missing:* {mrkdwn(', '.join(card.missing) or 'nothing', 500)}")
    return SectionBlock(text=MarkdownTextObject(text="\n".join(lines) or "Nobody answered."))


def _who_can(card: Card, left: str) -> ContextBlock:
    who = mrkdwn(", ".join(card.deciders) or "nobody", 900)
    what = "The notice ends" if card.oversight is Oversight.NOTICE else "Expires, and silence means no,"
    until = f"{what} {_moment(card.expires_at)}"
    if left:
        until += f" · {left} left"
    return ContextBlock(
        elements=[MarkdownTextObject(text=f"Can decide: {who}"), MarkdownTextObject(text=until)]
    )


def _buttons(card: Card, review_url: str) -> ActionsBlock:
    value = f"{card.request}|{card.digest}"
    veto = ConfirmObject(
        title=PlainTextObject(text="Veto this?"),
        text=PlainTextObject(
            text="It is taken down at once, whatever was approved. You will be asked for a reason."
        ),
        confirm=PlainTextObject(text="Veto"),
        deny=PlainTextObject(text="Not now"),
        style="danger",
    )
    elements = [
        ButtonElement(action_id=REJECT, text=PlainTextObject(text="Reject"), value=value),
        ButtonElement(
            action_id=VETO, text=PlainTextObject(text="Veto"), value=value, style="danger", confirm=veto
        ),
        ButtonElement(action_id=OPEN, text=PlainTextObject(text="Open review"), url=review_url),
    ]
    if card.oversight is Oversight.APPROVE:
        approve = ButtonElement(
            action_id=APPROVE, text=PlainTextObject(text="Approve"), value=value, style="primary"
        )
        elements.insert(0, approve)
    return ActionsBlock(block_id="belay_answer", elements=elements)


def _outcome(card: Card, review_url: str) -> SectionBlock:
    outcome: str = mrkdwn(card.outcome or DECIDED, 1500)
    if card.settled_at is not None:
        outcome += f"\n{_moment(card.settled_at)}"
    return SectionBlock(
        text=MarkdownTextObject(text=f"*{_OUTCOMES[card.status]}*\n{outcome}"),
        accessory=ButtonElement(action_id=OPEN, text=PlainTextObject(text="Open review"), url=review_url),
    )


def _moment(at: datetime) -> str:
    """Return a time that Slack shows in each reader's own zone."""
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{at:%Y-%m-%d %H:%M} UTC>"
