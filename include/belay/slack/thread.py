"""The lines of a request's thread: its history, each line once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from belay.approval.card import Card, VoteLine
from belay.domain.events import Choice
from belay.domain.roster import Person, Roster
from belay.domain.state import RequestState, RequestStatus
from belay.slack.text import Mrkdwn, compose, mrkdwn

DECIDED = "The quorum is complete."


@dataclass(frozen=True, slots=True)
class Line:
    """A line and its name, by which it is found again."""

    name: str
    text: Mrkdwn


def lines(card: Card, roster: Roster, request: RequestState) -> Iterator[Line]:
    """Yield what a request's thread says by now, in the order in which it happened."""
    for number, vote in enumerate(card.votes, 1):
        yield Line(f"vote-{number}", vote_line(vote))
    missing = mrkdwn(", ".join(card.missing) or "nothing", 500)
    if card.reminded:
        who = _mentions(request.roles, roster, request)
        yield Line("reminded", compose("⏰ Still missing: {missing}. {who}", missing=missing, who=who))
    if card.escalated_to:
        who = _mentions(card.escalated_to, roster, request)
        roles = mrkdwn(" or ".join(card.escalated_to), 300)
        said = "⏫ Still missing: {missing}. {roles} may answer now. {who}"
        yield Line("escalated", compose(said, missing=missing, roles=roles, who=who))
    if card.status is not RequestStatus.OPEN:
        ended = compose("*{status}*", status=card.status.value.capitalize())
        yield Line("outcome", compose("{ended}. {why}", ended=ended, why=card.outcome or DECIDED))


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


def _mentions(roles: tuple[str, ...], roster: Roster, request: RequestState) -> Mrkdwn:
    """Mention those who have not answered; who has no Slack id is not reached here."""
    heard = {vote.voter for vote in request.votes}
    people = {p.id: p for role in roles for p in roster.holders(role)}
    waited_for = [p for p in people.values() if p.id not in heard and p.id not in request.conflicted]
    return Mrkdwn(" ".join(_mention(person) for person in waited_for if person.slack_id))


def _mention(person: Person) -> str:
    return f"<@{person.slack_id}>"
