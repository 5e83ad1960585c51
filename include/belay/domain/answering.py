"""Who may answer: one answer for the gates, which look ahead, and for every channel that asks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from belay.domain.commands import Finding
from belay.domain.figures import counted
from belay.domain.gates import Verdict
from belay.domain.oversight import Oversight
from belay.domain.quorum import Quorum
from belay.domain.request_state import RequestState
from belay.domain.roster import Person, Roster
from belay.domain.state import State
from belay.domain.vocabulary import Rule


def roster_finding(quorum: Quorum) -> Finding:
    """Return whether a quorum can be reached, for a gate: better to know before anybody is exposed."""
    if quorum.obstacle:
        return Finding(Rule.ROSTER, Verdict.HOLD, quorum.obstacle)
    return Finding(Rule.ROSTER, Verdict.PASS, f"{counted(len(quorum.people), 'person')} could answer")


@dataclass(frozen=True, slots=True)
class Answerer:
    """Somebody whose answer to a request would count now.

    Attributes
    ----------
    person : Person
        Who.
    roles : tuple[str, ...]
        In which roles of the request.
    giver : Person | None
        Who lent these roles; None where they are the person's own.
    """

    person: Person
    roles: tuple[str, ...]
    giver: Person | None = None


def who_may_answer(
    state: State, request: RequestState, roster: Roster, now: datetime
) -> tuple[Answerer, ...]:
    """Return who may answer ``request`` now, by roles of their own or lent ones, each once.

    They come in the order of the request's roles. Who has answered is among them (`RequestState.heard`), and
    whoever may only veto a notice, too.
    """
    roles = request.answering_roles
    if request.oversight is Oversight.NOTICE:
        roles = tuple(dict.fromkeys((*roles, *state.capabilities[request.capability].veto_roles)))
    found = dict[str, Answerer]()
    for one in (*_by_role(roster, roles), *_by_delegation(state, roster, roles, now)):
        voices = {one.person.id, one.giver.id if one.giver else ""}
        if not voices & set(request.conflicted):
            found.setdefault(one.person.id, one)
    return tuple(found.values())


def _by_role(roster: Roster, roles: tuple[str, ...]) -> Iterator[Answerer]:
    for role in roles:
        for person in roster.holders(role):
            yield Answerer(person, tuple(own for own in roles if own in person.roles))


def _by_delegation(state: State, roster: Roster, roles: tuple[str, ...], now: datetime) -> Iterator[Answerer]:
    for given in state.delegations.values():
        to, giver = roster.person(given.to), roster.person(given.giver)
        if to is None or giver is None or not (to.active and giver.active):
            continue
        lent = set(given.roles) & set(roles) & giver.roles
        if lent and given.since <= now < given.until:
            yield Answerer(to, tuple(sorted(lent)), giver)
