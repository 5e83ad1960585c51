"""Is a promotion due? What it would be about, whether people could answer, and whether to ask them now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from belay.domain import commands as c
from belay.domain.answering import roster_finding
from belay.domain.capability import CapabilityPolicy
from belay.domain.capability_state import CapabilityState
from belay.domain.gates import Verdict
from belay.domain.quorum import quorum_of
from belay.domain.record import record_of
from belay.domain.request_state import RequestStatus
from belay.domain.roster import Roster
from belay.domain.rules.promotion import conflicted
from belay.domain.stages import Stage
from belay.domain.state import State
from belay.domain.vocabulary import Rule

_PAUSE = timedelta(days=7)
"""Wall-clock time for which a schedule does not ask again what people have said no to, or left unanswered."""


def next_stage(capability: CapabilityState, policy: CapabilityPolicy, now: datetime) -> Stage:
    """Return what a promotion would be about: the lease when it is near its end, else the stage above."""
    top = policy.capped(Stage.AUTONOMOUS)
    above = capability.stage.above
    if _lease_is_near(capability, policy, now) or above is None or above.rank > top.rank:
        return capability.stage
    return above


def due_findings(
    state: State,
    policy: CapabilityPolicy,
    to_stage: Stage,
    roster: Roster,
    now: datetime,
    *,
    asked: bool,
) -> Iterator[c.Finding]:
    """Yield whether a quorum could be reached and, unless somebody asks, whether it is time to."""
    known, (roles, needed) = state.capabilities[policy.id], policy.promotion_quorum
    out = conflicted(state, known)
    yield roster_finding(quorum_of(roster, roles, needed, owner=policy.owner, without=out))
    if not asked:
        yield _due(state, known, policy, to_stage, now)


def _due(
    state: State, known: CapabilityState, policy: CapabilityPolicy, to_stage: Stage, now: datetime
) -> c.Finding:
    """Is it time? A schedule asks people only what they have not just said no to."""
    last = max(
        (
            request
            for request in state.requests.values()
            if request.capability == known.id and request.promotes
        ),
        key=lambda request: request.asked_at,
        default=None,
    )
    if (
        last
        and last.status in {RequestStatus.REJECTED, RequestStatus.EXPIRED}
        and now < last.asked_at + _PAUSE
    ):
        again = last.asked_at + _PAUSE
        sentence = (
            f"people did not agree ({last.status}: {last.outcome}); not asked again before {again:%Y-%m-%d}"
        )
        return c.Finding(Rule.DUE, Verdict.HOLD, sentence)
    if to_stage is known.stage:
        near = _lease_is_near(known, policy, now)
        ends = f"{known.lease_until:%Y-%m-%d}" if known.lease_until else "never"
        sentence = f"the lease of {known.stage} ends {ends}" + ("" if near else ": it is not near its end")
        return c.Finding(Rule.DUE, Verdict.PASS if near else Verdict.HOLD, sentence)
    asks = policy.autonomy.criteria_for(to_stage)
    record = record_of(state, policy, now)
    enough = asks is not None and record.completed >= asks.completed and record.days >= asks.days
    sentence = f"{record.completed} completed in {record.days:.3g} days at {known.stage}"
    if not enough:
        sentence += f": too early to ask for {to_stage}"
    return c.Finding(Rule.DUE, Verdict.PASS if enough else Verdict.HOLD, sentence)


def _lease_is_near(known: CapabilityState, policy: CapabilityPolicy, now: datetime) -> bool:
    if known.lease_until is None:
        return False
    return now >= known.lease_until - timedelta(seconds=policy.autonomy.renew_before_seconds)
