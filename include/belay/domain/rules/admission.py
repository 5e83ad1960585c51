"""Admission: may this optimization take its next step now? Every rule answers; the weakest answer decides."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from belay.domain.capability import CapabilityPolicy
from belay.domain.commands import Finding
from belay.domain.gates import Verdict
from belay.domain.oversight import Oversight
from belay.domain.portfolio import SMALLEST
from belay.domain.rules.answer import Asked
from belay.domain.rules.portfolio import level_of_step
from belay.domain.rules.requests import step_oversight
from belay.domain.scope import percent
from belay.domain.state import OptimizationState, State, Step


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
        "policy-in-force",
        policy.digest == capability.policy,
        f"policy {policy.digest[:12]} is in force",
        "the policy file is not the one in force: run the step again",
    )
    freezes = list(state.freezes_of(capability.id, optimization.surface))
    yield _rule(
        "no-freeze",
        not freezes,
        "no freeze",
        "; ".join(f"{freeze.target} is frozen by {freeze.by}: {freeze.reason}" for freeze in freezes),
    )
    yield _rule(
        "one-step",
        policy.ramp.step_after(optimization.scope) == step.to_scope and optimization.pending is None,
        f"one step up the ramp, {percent(step.from_scope)} → {percent(step.to_scope)}",
        "an earlier change of scope is not confirmed yet: let its run finish first",
    )
    closed = policy.calendar.freeze_at(asked.at)
    yield _rule("calendar", closed is None, f"calendar {policy.calendar.name} is open", closed or "")
    oversight = step_oversight(state, optimization, step, policy).oversight
    yield _rule(
        "stage-shows",
        oversight is not Oversight.FORBIDDEN,
        f"stage {capability.stage} asks for {oversight}",
        f"at stage {capability.stage} the proposal is recorded and judged, and nothing is shown",
    )
    variants = len(optimization.proposal.variants)
    yield _rule(
        "max-variants",
        variants <= policy.limits.max_variants,
        f"{variants} of at most {policy.limits.max_variants} variants",
        f"{variants} variants; the policy allows {policy.limits.max_variants}",
    )
    neighbours = state.neighbours(optimization)
    yield _rule(
        "surface-free",
        not neighbours,
        f"surface {optimization.surface} is free",
        f"surface {optimization.surface} is taken by {', '.join(neighbours)}",
    )
    others = [o for o in state.optimizations.values() if o.capability == capability.id]
    live = [o.id for o in others if o.live and o.id != optimization.id and not o.status.ended]
    yield _rule(
        "max-live",
        len(live) < policy.limits.max_live,
        f"{len(live)} other live of at most {policy.limits.max_live}",
        f"{len(live)} optimizations of {capability.id} are live; the policy allows {policy.limits.max_live}",
    )
    since = asked.at - timedelta(days=1)
    spent = sum(at > since for at in capability.widened_at)
    yield _rule(
        "change-budget",
        spent < policy.limits.changes_per_day,
        f"{spent} of {policy.limits.changes_per_day} changes spent in the last 24 hours",
        f"the change budget is spent: {spent} widenings in the last 24 hours",
    )
    waiting = len(state.open_requests())
    yield _rule(
        "supervision",
        waiting < policy.limits.max_open_requests,
        f"{waiting} open requests of at most {policy.limits.max_open_requests}",
        f"supervision is saturated: {waiting} open requests; answer some first",
    )
    level = level_of_step(capability, optimization, policy)
    yield _rule(
        "portfolio",
        level is None or level >= SMALLEST,
        "its primary test needs no level" if level is None else f"tested at {100 * level:.3g} %",
        f"the error that {capability.id} may make is spent (decisions so far: {len(capability.decisions)}); "
        f"people may raise errors.fdr, now {policy.errors.fdr:g}",
    )


def _rule(name: str, ok: bool, good: str, bad: str) -> Finding:  # noqa: FBT001 - reads as a sentence at each call
    return Finding(name, Verdict.PASS if ok else Verdict.HOLD, good if ok else bad)
