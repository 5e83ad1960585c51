"""Delegation: a person lets another answer for them, in their own roles, for a period.

Only roles that the roster gives a person can be lent, so a lent role cannot be lent on.
"""

from __future__ import annotations

from datetime import timedelta

from belay.domain import commands as c
from belay.domain import events as e
from belay.domain.actors import ActorKind
from belay.domain.digest import sha256_of
from belay.domain.identity import same_people
from belay.domain.rules.answer import Answer, Asked, Refusal
from belay.domain.state import State
from belay.domain.vocabulary import Rule

LONGEST = timedelta(days=92)
"""A delegation that outlives a quarter is a change of the roster, and belongs there."""


def delegate(state: State, command: c.Delegate, asked: Asked) -> Answer:
    """Lend the asking person's roles to another person until a given time."""
    giver = asked.by
    if giver.kind is not ActorKind.HUMAN:
        return Refusal(Rule.PEOPLE_DELEGATE, f"{giver} cannot delegate: only people can", kept=True)
    if command.to in same_people(state.people, {giver.id}):
        return Refusal(Rule.DELEGATE_TO_ANOTHER, f"{giver.id} cannot delegate to {giver.id}")
    if not command.roles:
        return Refusal(Rule.ROLE, f"{giver.id} holds no role that could be delegated")
    if command.until <= asked.at:
        return Refusal(Rule.PERIOD, f"{command.until:%Y-%m-%d %H:%M} UTC is not in the future")
    if command.until - asked.at > LONGEST:
        return Refusal(
            Rule.PERIOD,
            f"a delegation lasts at most {LONGEST.days} days: enter the person in the roster instead",
        )
    roles = tuple(sorted(command.roles))
    same = (giver.id, command.to, roles, command.until)
    if any((d.giver, d.to, d.roles, d.until) == same for d in state.delegations.values()):
        return ()
    name = sha256_of([giver.id, command.to, roles, command.until.isoformat(), asked.at.isoformat()])[:8]
    given = e.DelegationGiven(name, command.to, roles, command.until, command.reason, command.via)
    return (given,)


def end_delegation(state: State, command: c.EndDelegation, asked: Asked) -> Answer:
    """Take a delegation back, or give it up."""
    known = state.delegations.get(command.delegation)
    if known is None:
        return Refusal(Rule.UNKNOWN_DELEGATION, f"there is no delegation {command.delegation!r}")
    if asked.by.kind is not ActorKind.HUMAN or asked.by.id not in {known.giver, known.to}:
        message = f"delegation {known.id} is between {known.giver} and {known.to}; {asked.by} cannot end it"
        return Refusal(Rule.NOT_YOURS, message, kept=True)
    return (e.DelegationEnded(known.id, command.reason),)
