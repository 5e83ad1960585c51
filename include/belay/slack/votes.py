"""An answer from Slack becomes a vote, a veto or a judgement; the same answer again is told its first result.

Slack may deliver a request twice, and people press twice. What counted is never answered as a refusal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from belay.domain.events import Choice
from belay.domain.request_state import RequestState, RequestStatus, Vote
from belay.domain.roster import Person
from belay.domain.state import Status
from belay.domain.text import clean_text
from belay.execution import RefusedError
from belay.flags.target import FlagsUnavailable
from belay.ledger.store import LedgerError
from belay.oversight import people
from belay.present.digest import NOT_COUNTED
from belay.slack.modal import Answer

if TYPE_CHECKING:
    from belay.services import Services

_DID = {Choice.APPROVE: "approved", Choice.REJECT: "rejected"}


@dataclass(frozen=True, slots=True)
class Said:
    """What there is to say to whoever answered: nothing, or a text that is a refusal or is not."""

    text: str = ""
    refused: bool = False


def cast(belay: Services, answer: Answer, person: Person | None, reason: str) -> Said:
    """Record an answer to a request."""
    if person is None:
        return Said("Not counted: you are nobody of the roster", refused=True)
    try:
        request = belay.ledger.state().requests.get(answer.request)
        if request is None:
            return Said(f"Not counted: there is no request {answer.request!r}", refused=True)
        if answer.verb == "veto":
            return _veto(belay, request, person, reason)
        return _vote(belay, request, Choice(answer.verb), person, reason, answer.digest)
    except FlagsUnavailable as error:
        return Said(f"Vetoed; the flags are not down yet: {error}")
    except (RefusedError, ValueError, LedgerError) as error:
        return Said(f"Not counted: {error}", refused=True)


def judge(belay: Services, optimization: str, *, agrees: bool, person: Person, reason: str) -> Said:
    """Record whether somebody would have done what AI proposed.

    Raises
    ------
    RefusedError
        When the judgement is refused and was not given before.
    """
    try:
        counted = people.judge(belay, optimization, agrees=agrees, person=person, reason=reason, via="slack")
    except RefusedError:
        known = belay.ledger.state().optimizations.get(optimization)
        first = next((j for j in known.results.judgements if j.judge == person.id), None) if known else None
        if first is None:
            raise
        would = "would have" if first.agrees else "would not have"
        if first.agrees != agrees:
            return Said(f"Your first judgement stands: you {would} done it.", refused=True)
        return Said("" if first.counted else f"Recorded. {NOT_COUNTED}")
    return Said("" if counted else f"Recorded. {NOT_COUNTED}")


def first_answer(request: RequestState, person: Person) -> Vote | None:
    """Return what somebody has answered to ``request`` already."""
    return next((vote for vote in request.votes if vote.voter == person.id), None)


def again(first: Vote, choice: Choice, reason: str | None = None) -> Said:
    """Return what is said to somebody who answers again: nothing where it is word for word the same."""
    if first.choice is choice and reason is not None and first.reason == clean_text(reason):
        return Said()
    worth = "that counts" if first.counted else "that is recorded and does not count: segregation of duties"
    if first.choice is choice:
        return Said(f"You {_DID[first.choice]} this already, and {worth}: {first.reason}")
    said = f"Your first answer stands, and this one is not recorded: you {_DID[first.choice]} it"
    return Said(f"{said}, {first.reason}", refused=True)


def _vote(
    belay: Services, request: RequestState, choice: Choice, person: Person, reason: str, digest: str
) -> Said:
    if (first := first_answer(request, person)) is not None:
        return again(first, choice, reason)
    try:
        people.vote(belay, request.id, choice, person=person, reason=reason, via="slack", digest=digest)
    except RefusedError:
        # The other copy of the same answer may have been recorded in this very moment.
        first = first_answer(belay.ledger.state().requests[request.id], person)
        if first is None:
            raise
        return again(first, choice, reason)
    return Said()


def _veto(belay: Services, request: RequestState, person: Person, reason: str) -> Said:
    try:
        people.veto(belay, request.veto_target, person=person, reason=reason, via="slack")
    except RefusedError:
        standing = vetoed(belay, request)
        if not standing:
            raise
        mine = f"veto by {person.id}: {clean_text(reason)}"
        return Said() if mine in standing else Said(f"It is vetoed already: {standing}")
    return Said()


def vetoed(belay: Services, request: RequestState) -> str:
    """Return why what ``request`` asks about is vetoed; empty where it is not."""
    state = belay.ledger.state()
    if request.promotes:
        ended = state.requests[request.id]
        return ended.outcome if ended.status is RequestStatus.REJECTED else ""
    optimization = state.optimizations[request.optimization]
    return optimization.reason if optimization.status is Status.VETOED else ""
