"""From a policy and what is proposed to the plan of its measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from belay.cells.plan import EXPOSED, Earlier, MeasurementPlan, Phase, PlannedMetric, Role, naive_utc
from belay.domain.capability import CapabilityPolicy
from belay.domain.metrics import PrimaryRule
from belay.domain.proposal import CONTROL, Proposal
from belay.domain.scope import FULL_SCOPE


def shares_at(scope: int, treatments: Sequence[str]) -> dict[str, float]:
    """Return the expected share of each arm at ``scope`` (basis points) among the units that take part.

    Treatments share evenly. The holdout is no arm, and so has no share here.
    """
    treated = scope / FULL_SCOPE
    return {CONTROL: 1.0 - treated} | {name: treated / len(treatments) for name in treatments}


def holdout_plan(
    policy: CapabilityPolicy, pooled: Sequence[str], *, since: datetime, until: datetime, holdout: float
) -> MeasurementPlan:
    """Return the plan that compares all of a capability's optimizations together with its holdout.

    Parameters
    ----------
    pooled
        The optimizations, all served with the same holdout.
    since, until
        Data time in which exposures count.
    holdout
        Share of units held out.
    """
    shares = {CONTROL: holdout, EXPOSED: 1 - holdout}
    metric = policy.primary.metric
    overall = PlannedMetric(metric, Role.PRIMARY, policy.primary.margin, PrimaryRule.NON_INFERIOR)
    return MeasurementPlan(
        capability=policy.id,
        optimization=policy.id,
        surface=policy.surface,
        arms=(CONTROL, EXPOSED),
        phase=Phase(0, since, 10_000, shares),
        metrics=(overall,),
        segments=(),
        filters=dict(policy.exposure_filters),
        alpha=policy.errors.alpha,
        power=policy.errors.power,
        primary_alpha=policy.errors.alpha,
        minimum_units=policy.window.minimum_units,
        minimum_end=since,
        planned_end=until,
        looks=1,
        planned_units=None,
        policy=policy.digest,
        pooled=tuple(pooled),
    )


def plan_for(
    policy: CapabilityPolicy,
    proposal: Proposal,
    phase: Phase | None,
    *,
    window: timedelta | None = None,
    planned_units: int | None = None,
    primary_alpha: float | None = None,
    earlier: Mapping[str, Earlier] | None = None,
) -> MeasurementPlan:
    """Return the measurement plan of ``proposal`` under ``policy``.

    Parameters
    ----------
    policy
        The capability's policy in force.
    proposal
        What is measured.
    phase
        The period of constant scope under way; None while nothing is exposed.
    window
        Planned duration of the phase, as admission fixed it; the policy's maximum when None.
    planned_units
        Units expected by the planned end, all arms together (see ``power``); tunes the monitor, and
        does not touch its error rate.
    primary_alpha
        Level that the portfolio gives this proposal; the policy's ``alpha`` when None.
    earlier
        By metric, how much daily effects scattered in earlier optimizations of the surface.
    """
    start = naive_utc(phase.start) if phase else None
    rule = policy.window
    planned = window if window is not None else timedelta(seconds=rule.maximum_seconds)
    metrics = (
        PlannedMetric(
            policy.primary.metric,
            Role.PRIMARY,
            policy.primary.margin if policy.primary.rule is PrimaryRule.NON_INFERIOR else 0.0,
            policy.primary.rule,
            policy.primary.minimum_effect,
        ),
        *(
            PlannedMetric(guardrail.metric, Role.GUARDRAIL, guardrail.margin, PrimaryRule.NON_INFERIOR)
            for guardrail in policy.guardrails
        ),
    )
    treatments = tuple(variant.key for variant in proposal.variants)
    level = policy.errors.alpha if primary_alpha is None else primary_alpha
    return MeasurementPlan(
        capability=policy.id,
        optimization=proposal.optimization,
        surface=policy.surface,
        arms=(CONTROL, *treatments),
        phase=phase,
        metrics=metrics,
        segments=policy.segments,
        filters=dict(policy.exposure_filters),
        alpha=policy.errors.alpha,
        power=policy.errors.power,
        primary_alpha=level / max(len(treatments), 1),
        minimum_units=rule.minimum_units,
        minimum_end=start and start + timedelta(seconds=rule.minimum_seconds),
        planned_end=start and start + planned,
        looks=rule.looks,
        planned_units=planned_units,
        policy=policy.digest,
        earlier=earlier or {},
    )
