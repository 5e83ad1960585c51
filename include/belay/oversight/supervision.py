"""Supervision has a capacity: how much people are asked, how fast they answer, and whether they looked.

Computed from the ledger's state alone. Reported by role unless somebody asks for people: it is there to
see when oversight has become a formality, not to rank those who give it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median, quantiles

from belay.domain.answering import who_may_answer
from belay.domain.capability import SupervisionRule
from belay.domain.figures import counted
from belay.domain.oversight import Oversight
from belay.domain.request_state import RequestState, RequestStatus
from belay.domain.roster import Roster
from belay.domain.rules.requests import tally_of
from belay.domain.state import State, Status

_REVERSED = {Status.ROLLED_BACK, Status.VETOED, Status.KILLED}


@dataclass(frozen=True, slots=True)
class Load:
    """What one role or person was asked and answered in the period.

    Attributes
    ----------
    who : str
        Role, or person's id.
    people : int
        Active people behind it.
    pending : int
        Open requests that still need an answer from it.
    answers : int
        Answers given in the period.
    median_seconds, p90_seconds : float | None
        Wall-clock time from the question to the answer; None without answers.
    hasty : int
        Answers within the policy's ``hasty_seconds`` by somebody who had not opened the review.
    reversed : int
        Approvals whose optimization was rolled back or vetoed afterwards.
    """

    who: str
    people: int
    pending: int
    answers: int
    median_seconds: float | None
    p90_seconds: float | None
    hasty: int
    reversed: int

    @property
    def hasty_share(self) -> float | None:
        """Share of hasty answers; None without answers."""
        return self.hasty / self.answers if self.answers else None


@dataclass(frozen=True, slots=True)
class _Answer:
    voter: str
    roles: tuple[str, ...]
    seconds: float
    hasty: bool
    reversed: bool


def by_role(state: State, roster: Roster, rule: SupervisionRule, now: datetime) -> list[Load]:
    """Return the load of every role that is asked, or was in the period, busiest first."""
    answers, waiting = list(_answers(state, rule, now)), _waiting(state)
    roles = {role for request in waiting for role in request.roles} | {r for a in answers for r in a.roles}
    loads = [
        _load(
            role,
            len(roster.holders(role)),
            sum(role in tally_of(request, request.votes).roles for request in waiting),
            [answer for answer in answers if role in answer.roles],
        )
        for role in roles
    ]
    return sorted(loads, key=lambda load: (-load.pending, load.who))


def by_person(state: State, roster: Roster, rule: SupervisionRule, now: datetime) -> list[Load]:
    """Return the load of every active person who may be asked or has answered, busiest first."""
    answers, waiting = list(_answers(state, rule, now)), _waiting(state)
    asked = Counter(
        one.person.id
        for request in waiting
        for one in who_may_answer(state, request, roster, now)
        if one.person.id not in request.heard
    )
    loads = []
    for person in roster.people:
        mine = [answer for answer in answers if answer.voter == person.id]
        if person.active and (mine or asked[person.id]):
            loads.append(_load(person.id, 1, asked[person.id], mine))
    return sorted(loads, key=lambda load: (-load.pending, load.who))


def saturation(
    state: State, roster: Roster, roles: Iterable[str], rule: SupervisionRule, now: datetime
) -> str | None:
    """Return why nothing more should be asked of ``roles``; None when they keep up.

    Either they have too many open requests each, or too many of their answers came in seconds without
    the review being opened.
    """
    asked = set(roles)
    people = {person.id for role in asked for person in roster.holders(role)}
    waiting = [request for request in _waiting(state) if asked & set(request.roles)]
    if people and len(waiting) >= rule.max_pending_each * len(people):
        approvers = f"{len(people)} approver{'s' * (len(people) > 1)}"
        return f"{approvers}, {counted(len(waiting), 'open request')}: supervision is saturated"
    answers = [answer for answer in _answers(state, rule, now) if asked & set(answer.roles)]
    hasty = sum(answer.hasty for answer in answers)
    if len(answers) >= rule.least_answers and hasty > rule.max_hasty_share * len(answers):
        return (
            f"{hasty} of {len(answers)} answers came within {rule.hasty_seconds:g} s and without the review "
            "being opened: approval has become a formality"
        )
    return None


def _waiting(state: State) -> list[RequestState]:
    return [request for request in state.open_requests() if request.oversight is Oversight.APPROVE]


def _answers(state: State, rule: SupervisionRule, now: datetime) -> Iterable[_Answer]:
    since = now - timedelta(seconds=rule.period_seconds)
    for request in state.requests.values():
        ended = _status(state.optimizations, request.optimization)
        undone = request.status is RequestStatus.GRANTED and ended in _REVERSED
        for vote in request.votes:
            if vote.at < since or request.oversight is not Oversight.APPROVE:
                continue
            seconds = (vote.at - request.asked_at).total_seconds()
            hasty = seconds < rule.hasty_seconds and vote.voter not in request.opened_by
            yield _Answer(vote.voter, vote.roles, seconds, hasty, undone)


def _status(optimizations: Mapping[str, object], name: str) -> Status | None:
    return getattr(optimizations.get(name), "status", None)


def _load(who: str, people: int, pending: int, answers: list[_Answer]) -> Load:
    seconds = [answer.seconds for answer in answers]
    return Load(
        who=who,
        people=people,
        pending=pending,
        answers=len(answers),
        median_seconds=median(seconds) if seconds else None,
        p90_seconds=quantiles(seconds, n=10, method="inclusive")[-1] if len(seconds) > 1 else None,
        hasty=sum(answer.hasty for answer in answers),
        reversed=sum(answer.reversed for answer in answers),
    )
