"""Admission: may this optimization take its next step now? Every rule answers; the weakest answer decides."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from belay.domain.capability import CapabilityPolicy
from belay.domain.commands import Finding
from belay.domain.figures import short_percent
from belay.domain.gates import Verdict
from belay.domain.oversight import Oversight
from belay.domain.portfolio import SMALLEST
from belay.domain.rules.answer import Asked
from belay.domain.rules.portfolio import level_of_step
from belay.domain.rules.requests import step_oversight
from belay.domain.scope import percent
from belay.domain.state import OptimizationState, State, Status, Step
from belay.domain.vocabulary import Rule


def admission(
    state: State, optimization: OptimizationState, step: Step, policy: CapabilityPolicy, asked: Asked
) -> tuple[Finding, ...]:
    """Return what every admission rule says about ``step``, in the order people would ask."""
    return tuple(_findings(state, optimization, step, policy, asked))


def _findings(
    state: State, optimization: OptimizationState, step: Step, policy: CapabilityPolicy, asked: Asked
) -> Iterator[Finding]:
    capability = state.capabilities[optimization.capability]
    yield _rule(
        Rule.POLICY_IN_FORCE,
        policy.digest == capability.policy,
        f"policy {policy.digest[:12]} is in force",
        "the policy changed meanwhile: start a new run",
    )
    freezes = list(state.freezes_of(capability.id, optimization.surface))
    yield _rule(
        Rule.NO_FREEZE,
        not freezes,
        "no freeze",
        "; ".join(f"{freeze.target} is frozen by {freeze.by}: {freeze.reason}" for freeze in freezes),
    )
    yield _rule(
        Rule.ONE_STEP,
        policy.ramp.step_after(optimization.scope) == step.to_scope and optimization.pending is None,
        f"one step up the ramp, {percent(step.from_scope)} → {percent(step.to_scope)}",
        "an earlier change of scope is not confirmed yet: let its run finish first",
    )
    unseen = state.blind_to(capability.id, optimization.surface)
    yield _rule(
        Rule.GUARD_SEES,
        not unseen,
        "the guard sees it",
        "; ".join(f"the guard is blind ({blind.source}): {blind.reason}" for blind in unseen),
    )
    closed = policy.calendar.freeze_at(asked.at)
    yield _rule(Rule.CALENDAR, closed is None, f"calendar {policy.calendar.name} is open", closed or "")
    oversight = step_oversight(state, optimization, step, policy).oversight
    yield _rule(
        Rule.STAGE_SHOWS,
        oversight is not Oversight.FORBIDDEN,
        f"stage {capability.stage} asks for {oversight}",
        f"at stage {capability.stage} the proposal is recorded and judged, and nothing is shown",
    )
    variants = len(optimization.proposal.variants)
    yield _rule(
        Rule.MAX_VARIANTS,
        variants <= policy.limits.max_variants,
        f"{variants} of at most {policy.limits.max_variants} variants",
        f"{variants} variants; the policy allows {policy.limits.max_variants}",
    )
    neighbours = state.neighbours(optimization)
    yield _rule(
        Rule.SURFACE_FREE,
        not neighbours,
        f"surface {optimization.surface} is free",
        f"surface {optimization.surface} is taken by {', '.join(neighbours)}",
    )
    on_surface = [o for o in state.optimizations.values() if _measured_on(o, optimization)]
    yield _rule(
        Rule.LIVE_PER_SURFACE,
        len(on_surface) < policy.guard.live_per_surface,
        f"{len(on_surface)} other changes measured on {optimization.surface} of at most "
        f"{policy.guard.live_per_surface}",
        f"{len(on_surface)} changes are measured on {optimization.surface}; the policy allows "
        f"{policy.guard.live_per_surface}",
    )
    shown = variants + sum(len(o.proposal.variants) for o in on_surface)
    yield _rule(
        Rule.VARIANTS_PER_SURFACE,
        shown <= policy.guard.variants_per_surface,
        f"{shown} variants on {optimization.surface} of at most {policy.guard.variants_per_surface}",
        f"{shown} variants would be measured on {optimization.surface}; the policy allows "
        f"{policy.guard.variants_per_surface}",
    )
    met = [o.id for o in state.optimizations.values() if _may_meet(o, optimization)]
    yield _rule(
        Rule.CHANGES_PER_UNIT,
        len(met) < policy.guard.changes_per_unit,
        f"a unit may meet {len(met)} other changes of at most {policy.guard.changes_per_unit}",
        f"a unit may meet {len(met)} climbing changes already; the policy allows "
        f"{policy.guard.changes_per_unit}",
    )
    still = [name for name in optimization.interacts_with if _climbing(state.optimizations[name])]
    yield _rule(
        Rule.INTERACTION,
        not still,
        "it interacts with nothing that climbs",
        f"it interacts with {', '.join(still)}: one at a time",
    )
    others = [o for o in state.optimizations.values() if o.capability == capability.id]
    live = [o.id for o in others if o.live and o.id != optimization.id and not o.status.ended]
    yield _rule(
        Rule.MAX_LIVE,
        len(live) < policy.limits.max_live,
        f"{len(live)} other live of at most {policy.limits.max_live}",
        f"{len(live)} optimizations of {capability.id} are live; the policy allows {policy.limits.max_live}",
    )
    since = asked.at - timedelta(days=1)
    spent = sum(at > since for at in capability.widened_at)
    yield _rule(
        Rule.CHANGE_BUDGET,
        spent < policy.limits.changes_per_day,
        f"{spent} of {policy.limits.changes_per_day} changes spent in the last 24 hours",
        f"the change budget is spent: {spent} widenings in the last 24 hours",
    )
    waiting = len(state.open_requests())
    yield _rule(
        Rule.SUPERVISION,
        waiting < policy.limits.max_open_requests,
        f"{waiting} open requests of at most {policy.limits.max_open_requests}",
        f"supervision is saturated: {waiting} open requests; answer some first",
    )
    level = level_of_step(capability, optimization, policy)
    yield _rule(
        Rule.PORTFOLIO,
        level is None or level >= SMALLEST,
        "its primary test needs no level" if level is None else f"tested at {short_percent(level)}",
        f"the error that {capability.id} may make is spent (decisions so far: {len(capability.decisions)}); "
        f"people may raise errors.fdr, now {policy.errors.fdr:g}",
    )


def _climbing(other: OptimizationState) -> bool:
    return other.live and other.status is not Status.COMPLETED


def _measured_on(other: OptimizationState, optimization: OptimizationState) -> bool:
    """Whether ``other`` is being measured on the same surface."""
    if other.id == optimization.id or other.surface != optimization.surface:
        return False
    return _climbing(other) or (other.live and other.holdback > 0)


def _may_meet(other: OptimizationState, optimization: OptimizationState) -> bool:
    """Whether a unit may meet both: nothing in their audiences excludes it."""
    if other.id == optimization.id or not _climbing(other):
        return False
    mine = optimization.proposal.audience
    return all(mine.get(name, value) == value for name, value in other.proposal.audience.items())


def _rule(name: str, ok: bool, good: str, bad: str) -> Finding:  # noqa: FBT001 - reads as a sentence at each call
    return Finding(name, Verdict.PASS if ok else Verdict.HOLD, good if ok else bad)
