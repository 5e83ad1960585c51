"""Which capability has to lose a stage now? Guard, task or person may ask; it changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from belay.domain.capability import CapabilityPolicy
from belay.domain.capability_state import CapabilityState
from belay.domain.commands import Demote
from belay.domain.figures import in_percent
from belay.domain.record import recent_harm
from belay.domain.stages import Stage
from belay.domain.state import State
from belay.domain.vocabulary import Rule


@dataclass(frozen=True, slots=True)
class Facts:
    """What the state cannot know by itself; empty sentences mean that all is well.

    Attributes
    ----------
    ledger_fault : str
        What `verify` found wrong with the ledger.
    blind : str
        Why the guard cannot see this capability, when it has not for longer than its budget.
    """

    ledger_fault: str = ""
    blind: str = ""


def due_demotions(
    state: State,
    policy: CapabilityPolicy,
    now: datetime,
    facts: Facts = Facts(),
) -> tuple[Demote, ...]:
    """Return the demotion that is due for the policy's capability, if any: one stage, by the gravest rule.

    Each rule looks at what happened since the stage began, so one cause takes one stage; a cause that lasts
    takes the next one after the policy's ``again``.
    """
    known = state.capabilities.get(policy.id)
    if known is None or known.stage.below is None:
        return ()
    for rule, reason in (
        (Rule.LEDGER, facts.ledger_fault),
        (Rule.HARM_RATE, _harm(state, known, policy, now)),
        (Rule.BLIND_GUARD, facts.blind if known.stage.rank > Stage.SUGGEST.rank else ""),
        (Rule.SATURATED, _saturated(state, known, policy)),
        (Rule.LEASE, _lapsed(state, known, policy, now)),
    ):
        if reason and not (rule in _LASTING and _just_demoted(known, policy, rule, now)):
            return (Demote(known.id, known.stage.below, rule, reason),)
    return ()


_LASTING = frozenset({Rule.LEDGER, Rule.BLIND_GUARD, Rule.SATURATED})


def _just_demoted(known: CapabilityState, policy: CapabilityPolicy, rule: Rule, now: datetime) -> bool:
    last = known.demotions.get(rule)
    return last is not None and (now - last).total_seconds() < policy.autonomy.demotion.again_seconds


def _harm(state: State, known: CapabilityState, policy: CapabilityPolicy, now: datetime) -> str:
    share, limit = recent_harm(state, known, policy, now), policy.autonomy.demotion.harm_rate
    if share.rate is None or share.low is None or share.low <= limit:
        return ""
    days = policy.autonomy.demotion.within_seconds / 86_400
    return (
        f"{in_percent(share.rate)} of {share.count} optimizations did harm within {days:g} days, at least "
        f"{in_percent(share.low)} with confidence; the limit is {in_percent(limit)}"
    )


def _saturated(state: State, known: CapabilityState, policy: CapabilityPolicy) -> str:
    """People cannot keep up; at suggest they launch every step themselves, so nothing happens behind them."""
    if known.stage.rank <= Stage.SUGGEST.rank:
        return ""
    waiting, limit = len(state.open_requests()), policy.limits.max_open_requests
    return f"supervision is saturated: {waiting} open requests, at most {limit}" if waiting >= limit else ""


def _lapsed(state: State, known: CapabilityState, policy: CapabilityPolicy, now: datetime) -> str:
    """Silence ends a lease, and silence is when people could have answered: in working time, and when the
    time of a question that was asked before its end is over.
    """
    if known.lease_until is None or now < known.lease_until:
        return ""
    asked = [
        request.expires_at
        for request in state.open_requests()
        if request.renews and request.capability == known.id and request.asked_at <= known.lease_until
    ]
    if now < policy.calendar.after(max([known.lease_until, *asked]), 0):
        return ""
    return (
        f"its lease of stage {known.stage} ended {known.lease_until:%Y-%m-%d %H:%M} UTC and was not renewed"
    )
