"""The request as a Slack message: Block Kit, within Slack's limits, with nothing of the agent's interpreted.

It is to be decided on a phone: what customers would see first, then how many people, one line a metric, what
needs thought, and what comes of an answer and of silence. Everything else is in the thread.

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
    RichTextElement,
    RichTextElementParts,
    RichTextListElement,
    RichTextQuoteElement,
    RichTextSectionElement,
    SectionBlock,
)
from slack_sdk.models.blocks.basic_components import SlackFile

from belay.domain.capability_state import CapabilityState
from belay.domain.oversight import Oversight
from belay.domain.request_state import RequestStatus
from belay.domain.scope import percent
from belay.domain.state import OptimizationState
from belay.present.aftermath import Standing
from belay.present.aftermath import words as aftermath_words
from belay.present.card import Card, Words, agent_name
from belay.present.change import change_of
from belay.present.effects import EffectLine, effect_lines, thoughts
from belay.present.layout import outcome_words
from belay.slack.change import change_block
from belay.slack.text import harmless, mrkdwn
from belay.slack.thread import vote_line

APPROVE, REJECT, VETO, OPEN = "belay_approve", "belay_reject", "belay_veto", "belay_open"

_METRICS, _THOUGHTS = 8, 4
"""Lines of metrics, and of what needs thought, in a message; all of them are in the review."""
_ENDED = {
    RequestStatus.GRANTED: "✅ Approved",
    RequestStatus.REJECTED: "⛔ Rejected",
    RequestStatus.EXPIRED: "⌛ Expired, nobody decided",
    RequestStatus.VOID: "🚫 Not asked any more",
}
_NOW = {
    Standing.WAITS: "✅ Approved",
    Standing.LIVE: "✅ Live",
    Standing.NARROWED: "⚠️ Shown less",
    Standing.DOWN: "⛔ Taken down",
}


def request_message(
    card: Card, *, review_url: str, picture: str | None = None, left: str = "", people: int | None = None
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
    people
        How many people the change was watched on since it went live, where that is known.
    """
    is_open = card.status is RequestStatus.OPEN
    title = card.question if is_open else f"{_mark(card)}: {card.move}"
    change = change_block(card.change, page=review_url)
    blocks: list[Block] = [HeaderBlock(text=PlainTextObject(text=_unbroken(harmless(title, 150))))]
    blocks += [change] if change else []
    if is_open:
        blocks += [*_in_the_agents_words(card.agents_words), _reach(card)]
        blocks += _findings(card.effects, card.thoughts)
        if picture:
            alt = harmless(f"Effects: {card.sentence}", 2000)
            blocks.append(ImageBlock(slack_file=SlackFile(id=picture), alt_text=alt))
        blocks += [_consequences(card, left), *_answers(card), _buttons(card, review_url), _who_can(card)]
    else:
        blocks.append(_outcome(card, review_url, people))
    return {
        "text": harmless(_notification(card, title), 3900),
        "blocks": [block.to_dict() for block in blocks],
    }


def inform_message(
    known: OptimizationState, capability: CapabilityState, review: Mapping[str, Any], *, review_url: str
) -> dict[str, Any]:
    """Return text and blocks of a message that tells and asks nothing: this step needs no answer."""
    grant, proposal = known.grant, known.proposal
    before, after = (percent(grant.from_scope), percent(grant.to_scope)) if grant else ("?", "?")
    title = f"{capability.title}: goes from {before} to {after}"
    words = Words(
        proposal.title, proposal.hypothesis, agent_name(str(proposal.proposed_by)), proposal.agent_owner
    )
    sentence = str(review.get("sentence", ""))
    change = change_block(change_of(proposal), page=review_url)
    blocks: list[Block] = [
        HeaderBlock(text=PlainTextObject(text=harmless(title, 150))),
        *([change] if change else []),
        *_in_the_agents_words(words),
        *_findings(effect_lines(review), thoughts(review)),
        SectionBlock(
            text=MarkdownTextObject(text=mrkdwn(sentence, 2000)),
            accessory=ButtonElement(action_id=OPEN, text=PlainTextObject(text="Open review"), url=review_url),
        ),
        ContextBlock(
            elements=[
                PlainTextObject(
                    text=harmless(
                        f"You do not have to do anything: at stage {capability.stage} this step needs no "
                        f"answer. To take it down: /belay veto {known.id} reason",
                        300,
                    )
                )
            ]
        ),
    ]
    return {"text": harmless(f"{title}. {sentence}", 3900), "blocks": [block.to_dict() for block in blocks]}


def _notification(card: Card, title: str) -> str:
    """Return what a lock screen and a screen reader say: the question, the change, and what is found."""
    said = title if title.endswith("?") else f"{title}."
    shown = [f"{one.before} → {one.after}." for change in card.change[:1] for one in change.differences[:1]]
    return " ".join([said, *shown, card.sentence])


def _in_the_agents_words(words: Words | None) -> list[Block]:
    """Quote the agent. Rich text parses nothing, so its words stay words."""
    if words is None:
        return []
    says = f"{words.proposed_by} proposes ({words.agent_owner} is accountable):"
    quote = RichTextQuoteElement(
        elements=[
            _text(harmless(words.title, 150), bold=True),
            _text("\n" + harmless(" ".join(words.hypothesis.split()), 240)),
        ]
    )
    section = RichTextSectionElement(elements=[_text(harmless(says, 300))])
    return [RichTextBlock(elements=[section, quote])]


def _reach(card: Card) -> SectionBlock:
    text = f"*{_unbroken(card.before)} → {_unbroken(card.after)}*, {mrkdwn(card.people, 1000)}"
    if not card.effects:
        text += f"\n{mrkdwn(card.sentence, 1500)}"
    return SectionBlock(text=MarkdownTextObject(text=text))


def _findings(effects: Sequence[EffectLine], thought: Sequence[str]) -> list[Block]:
    """Return one line a metric, and what needs thought. Lines wrap on a phone; nothing is a table."""
    elements: list[RichTextElement] = []
    for line in effects[:_METRICS]:
        title, said = harmless(line.title, 60), harmless(line.figures, 300)
        elements.append(
            RichTextSectionElement(
                elements=[_text(f"{line.mark} "), _text(title, bold=True), _text(f": {_unbroken(said)}")]
            )
        )
    if (more := len(effects) - _METRICS) > 0:
        elements.append(RichTextSectionElement(elements=[_text(f"and {more} more in the review")]))
    if thought:
        lines = [
            RichTextSectionElement(elements=[_text(_unbroken(harmless(one, 300)))])
            for one in thought[:_THOUGHTS]
        ]
        elements.append(RichTextSectionElement(elements=[_text("Think about:", bold=True)]))
        elements.append(RichTextListElement(style="bullet", elements=lines))
    return [RichTextBlock(elements=elements)] if elements else []


def _consequences(card: Card, left: str) -> SectionBlock:
    """Say what comes of a yes, and what comes of silence, with its time in each reader's own zone."""
    soon = f" (in {left})" if left else ""
    lines = [f"*If approved:* {mrkdwn(card.consequences.approve, 500)}."] if card.consequences.approve else []
    silent, then = card.consequences.silent, mrkdwn(card.consequences.silence, 500)
    lines.append(f"*{silent}* by {_moment(card.expires_at)}{soon}: {then}.")
    return SectionBlock(text=MarkdownTextObject(text="\n".join(lines)))


def _answers(card: Card) -> list[Block]:
    """Return how far the approvals go, and what was answered last."""
    blocks: list[Block] = []
    if card.tally:
        blocks.append(
            RichTextBlock(elements=[RichTextSectionElement(elements=[_text(card.tally, bold=True)])])
        )
    shown = card.votes[-6:]
    lines = [f"• {vote_line(vote, 300)}" for vote in shown]
    if len(card.votes) > len(shown):
        lines.insert(0, f"{len(card.votes) - len(shown)} earlier answers are in the thread.")
    if card.escalated_to:
        lines.append(f"⏫ {mrkdwn(' or '.join(card.escalated_to), 300)} may answer now too.")
    if lines:
        blocks.append(SectionBlock(text=MarkdownTextObject(text="\n".join(lines))))
    return blocks


def _who_can(card: Card) -> ContextBlock:
    """Mention whoever may answer: they hear of it once, when this is posted, and of no update."""
    verb = "Can answer" if card.oversight is Oversight.APPROVE else "Can stop it"
    groups = [f"<!subteam^{group}>" for group in card.groups]
    people = [
        f"{f'<@{one.slack_id}>' if one.slack_id else mrkdwn(one.name, 100)} ({mrkdwn(one.right, 120)})"
        for one in card.deciders[:20]
    ]
    more = [f"and {len(card.deciders) - 20} more"] if len(card.deciders) > 20 else []
    text = f"{verb}: {', '.join([*groups, *people, *more]) or 'nobody: ask whoever keeps _people.yaml'}"
    return ContextBlock(elements=[MarkdownTextObject(text=text)])


def _buttons(card: Card, review_url: str) -> ActionsBlock:
    value = f"{card.request}|{card.digest}"
    then = card.consequences.veto
    veto = ConfirmObject(
        title=PlainTextObject(text="Veto this?"),
        text=PlainTextObject(text=harmless(f"After your veto: {then}. You will be asked why.", 300)),
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


def _mark(card: Card) -> str:
    """Return how it stands now, in a word: never a tick over what was taken down."""
    after = card.aftermath
    if after is None:
        return _ENDED[card.status]
    if after.standing is Standing.DOWN and after.vetoed:
        return "⛔ Vetoed"
    if after.standing is Standing.WAITS and card.oversight is Oversight.NOTICE:
        return "✅ Nobody said no"
    if after.complete and after.standing is Standing.LIVE:
        return "✅ Complete"
    return _NOW[after.standing]


def _outcome(card: Card, review_url: str, people: int | None) -> SectionBlock:
    after, lines = card.aftermath, list[str]()
    if after is not None:
        now = aftermath_words(after, people)
        since = f", since {_moment(after.since)}" if after.since else ""
        state, _, watched = now.partition("; ")
        lines.append(
            f"*{state[:1].upper()}{state[1:]}*{since}{f'. {_sentence(watched)}' if watched else '.'}"
        )
        if after.why:
            lines.append(mrkdwn(after.why, 1500))
    if after is None or card.status is RequestStatus.GRANTED:
        before = "Before that: " if after is not None and after.standing is Standing.DOWN else ""
        at = f" ({_moment(card.settled_at)})" if card.settled_at is not None else ""
        lines.append(f"{before}{mrkdwn(outcome_words(card).rstrip('.'), 1500)}{at}.")
    lines.append(f"<{review_url}|Open the review>. Every answer and its reason is in the thread.")
    return SectionBlock(text=MarkdownTextObject(text="\n".join(lines)))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _unbroken(figures: str) -> str:
    """Keep a figure and its percent sign on one line."""
    return figures.replace(" %", "\u00a0%")


def _text(text: str, *, bold: bool = False) -> RichTextElementParts.Text:
    style = RichTextElementParts.TextStyle(bold=True) if bold else None
    return RichTextElementParts.Text(text=text, style=style)


def _moment(at: datetime) -> str:
    """Return a time that Slack shows in each reader's own zone."""
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{at:%Y-%m-%d %H:%M} UTC>"
