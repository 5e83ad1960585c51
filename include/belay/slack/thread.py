"""The lines of a request's thread: its history, each line once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from belay.domain.events import Choice
from belay.domain.request_state import RequestState, RequestStatus
from belay.present.aftermath import Standing
from belay.present.card import Card, VoteLine
from belay.present.layout import details, outcome_words
from belay.slack.text import Mrkdwn, compose, mrkdwn


@dataclass(frozen=True, slots=True)
class Line:
    """A line and its name, by which it is found again."""

    name: str
    text: Mrkdwn


def lines(card: Card, request: RequestState) -> Iterator[Line]:
    """Yield what a request's thread says by now, in the order in which it happened.

    It begins with the details: the agent's whole reason, every interval, why people are asked, and the digest
    that an answer is bound to.
    """
    yield Line("details", details_text(card))
    for number, vote in enumerate(card.votes, 1):
        yield Line(f"vote-{number}", vote_line(vote))
    missing = mrkdwn(card.tally or "nothing is missing", 500)
    if card.reminded:
        who = _mentions(card, request.roles)
        yield Line("reminded", compose("⏰ Reminder: {missing}. {who}", missing=missing, who=who))
    if card.escalated_to:
        who = _mentions(card, card.escalated_to)
        roles = mrkdwn(" or ".join(card.escalated_to), 300)
        said = "⏫ Escalated: {missing}. {roles} may answer now. {who}"
        yield Line("escalated", compose(said, missing=missing, roles=roles, who=who))
    if card.status is not RequestStatus.OPEN:
        yield Line("outcome", compose("*{ended}.* {why}", ended=_ENDED[card.status], why=outcome_words(card)))
    after = card.aftermath
    if after is not None and card.status is RequestStatus.GRANTED:
        why = after.why or "The ledger gives no reason."
        if after.standing is Standing.DOWN:
            yield Line("down", compose("⛔ *Taken down.* {why}", why=why))
        elif after.standing is Standing.NARROWED:
            yield Line("narrowed", compose("⚠️ *Shown to fewer people.* {why}", why=why))


def details_text(card: Card) -> Mrkdwn:
    """Return everything that a decision can rest on and a phone has no room for."""
    parts = list[Mrkdwn]()
    if card.agents_words is not None:
        why = mrkdwn(card.agents_words.hypothesis, 900)
        parts.append(compose("*The agent's reason:* {why}", why=why))
    for line in card.effects[:12]:
        allowed = f", allowed {line.allowed}" if line.allowed else ""
        title, effect = mrkdwn(line.title, 80), mrkdwn(f"{line.effect}{allowed}", 300)
        parts.append(compose(f"• {line.mark} {{title}}: {{effect}}", title=title, effect=effect))
    if not card.effects:
        parts.append(compose("*The review:* {sentence}", sentence=mrkdwn(card.sentence, 900)))
    for fact in details(card):
        label, text = mrkdwn(fact.label, 200), mrkdwn(fact.text, 900)
        parts.append(compose("*{label}:* {text}", label=label, text=text))
    return Mrkdwn("\n".join(parts))


_ENDED = {
    RequestStatus.GRANTED: "Approved",
    RequestStatus.REJECTED: "Rejected",
    RequestStatus.EXPIRED: "Expired",
    RequestStatus.VOID: "Not asked any more",
}


def vote_line(vote: VoteLine, most: int = 2000) -> Mrkdwn:
    """Return one answer as a line, with at most ``most`` characters of its reason."""
    return compose(
        "*{voter}*{whose} {verb} via {via}{aside}: {reason}",
        voter=mrkdwn(vote.voter, 100),
        whose=compose(" for {who}", who=mrkdwn(vote.on_behalf_of, 100)) if vote.on_behalf_of else Mrkdwn(),
        verb="approved" if vote.choice is Choice.APPROVE else "rejected",
        via=vote.via,
        aside=Mrkdwn("" if vote.counted else " (recorded, and not counted: segregation of duties)"),
        reason=mrkdwn(vote.reason, most),
    )


def _mentions(card: Card, roles: tuple[str, ...]) -> Mrkdwn:
    """Mention those who have not answered; who has no Slack id is not reached here."""
    silent = [one for one in card.deciders if not one.answered and set(one.roles) & set(roles)]
    return Mrkdwn(" ".join(f"<@{one.slack_id}>" for one in silent if one.slack_id))
