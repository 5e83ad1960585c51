"""What proposals that nobody saw would have done, where choices made by chance can tell.

The twin of the overall criterion (``oec``): that one says what everything shown did together, this one what
single proposals would do if they were shown. Nothing here decides: what cannot be told is said, and stays
unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from belay.domain import commands as c
from belay.domain.capability import CapabilityPolicy, ShadowRule
from belay.domain.capability_state import CapabilityState
from belay.domain.gates import Estimate
from belay.domain.metrics import Direction
from belay.domain.state import OptimizationState, State
from belay.execution import RefusedError, execute

if TYPE_CHECKING:
    from belay.cells.choice_log import ChoiceLog
    from belay.measurement.shadow import Shadow
    from belay.services import Services
    from belay.warehouse.choice_log import LogPlan

AT_ONCE = 50
"""Proposals that one reading measures: the newest that were not measured yet, then the longest unread."""

_Policies = dict[str, dict[str, float]]
"""Variant to what it would choose, and how likely."""


def measure_shadows(belay: Services, policy: CapabilityPolicy) -> list[str]:
    """Measure what the capability's unseen proposals would have done, keep it, and say what was found.

    One query reads the log, however many proposals there are. Never raises for what the log or a payload
    holds: what cannot be told is a sentence that says why.

    Returns
    -------
    list[str]
        A sentence for each proposal, or one about all of them.
    """
    from belay.warehouse.choice_log import read_choices

    rule, state = policy.shadow, belay.ledger.state()
    if rule is None:
        return [f"{policy.id} names no log of choices made by chance: what was never shown is not known"]
    known = state.capabilities.get(policy.id)
    unseen = _unseen(state, known) if known else []
    if not unseen:
        return [f"{policy.id} has no proposal of its present stage that nobody saw"]
    said, asked = [], {}
    for one in unseen[:AT_ONCE]:
        policies = _would_choose(one, rule)
        if isinstance(policies, str):
            said.append(f"{one.id}: unknown, because {policies}.")
        else:
            asked[one.id] = policies
    if not asked:
        return said
    try:
        plan = _plan(belay, policy, rule, asked.values())
        log = read_choices(belay.warehouse, plan)
    except Exception as error:  # noqa: BLE001 - every driver has its own errors; whatever it is, it is unknown
        return [*said, f"what the proposals of {policy.id} would have done cannot be read: {error}"]
    about = _about(plan, log, policy)
    for name, policies in asked.items():
        said.append(f"{name}: {_measure(belay, state.optimizations[name], policy, policies, log, about)}")
    return said


def _plan(belay: Services, policy: CapabilityPolicy, rule: ShadowRule, asked: Iterable[_Policies]) -> LogPlan:
    """Return what to read: as far back as a window may last, every choice that anybody would make."""
    from belay.warehouse.choice_log import LogPlan

    until = belay.data_now()
    return LogPlan(
        rule=rule,
        metric=policy.primary.metric,
        surface=policy.surface,
        since=until - timedelta(seconds=policy.window.maximum_seconds),
        until=until,
        choices=tuple(sorted({choice for each in asked for shares in each.values() for choice in shares})),
        once=policy.exposure_filters.get("duplicate_events") == "drop",
    )


def _unseen(state: State, known: CapabilityState) -> list[OptimizationState]:
    """Return what was proposed at this stage and never shown, ended or not: what it expected is scored."""
    own = [
        o
        for o in state.optimizations.values()
        if o.capability == known.id and not o.phases and not o.live and o.proposed_at >= known.stage_since
    ]
    own.sort(key=lambda o: o.proposed_at, reverse=True)
    fresh, read = ([o for o in own if (o.results.found_at is None) is new] for new in (True, False))
    return fresh + sorted(read, key=lambda o: o.results.found_at or o.proposed_at)


def _would_choose(known: OptimizationState, rule: ShadowRule) -> _Policies | str:
    """Return what each variant would choose, or why that cannot be told."""
    from belay.measurement.shadow import UntoldError, choices_of

    if known.proposal.audience:
        return "it is meant for an audience, and the log does not say who belongs to it"
    try:
        return {it.key: choices_of(it.payload, rule.payload) for it in known.proposal.variants}
    except UntoldError as error:
        return str(error)


def _measure(
    belay: Services,
    known: OptimizationState,
    policy: CapabilityPolicy,
    policies: _Policies,
    log: ChoiceLog,
    about: dict[str, Any],
) -> str:
    """Measure one proposal, keep what was found, and return the sentence about it."""
    from belay.measurement.shadow import shadow_of

    metric = policy.primary.metric
    shadows = {
        variant: shadow_of(
            log,
            shares,
            metric,
            alpha=policy.errors.alpha,
            minimum_units=policy.window.minimum_units,
            name=variant,
        )
        for variant, shares in policies.items()
    }
    silent = [shadow for shadow in shadows.values() if shadow.silent is not None]
    if silent:
        return silent[0].sentence
    best = max(shadows.values(), key=lambda it: it.effect * _sign(policy))
    found = _rounded(best)
    if known.results.found == found:
        return best.sentence
    document = {
        **about,
        "optimization": known.id,
        "sentence": best.sentence,
        "variants": {
            variant: {"would_choose": policies[variant], **shadow.to_document()}
            for variant, shadow in shadows.items()
        },
    }
    evidence = belay.ledger.put_evidence(document)
    try:
        execute(belay, c.RecordShadow(known.id, found, best.sentence, evidence), by="shadow")
    except RefusedError as refused:  # it was shown meanwhile
        return f"not kept: {refused}"
    return best.sentence


def _sign(policy: CapabilityPolicy) -> int:
    return 1 if policy.primary.metric.direction is Direction.INCREASE else -1


def _rounded(shadow: Shadow) -> Estimate:
    """Return the effect; rounded, because a warehouse that adds up in parallel differs in the last digits."""
    return Estimate(*(round(value, 9) for value in (shadow.effect, shadow.low, shadow.high)))


def _about(plan: LogPlan, log: ChoiceLog, policy: CapabilityPolicy) -> dict[str, Any]:
    """Return what every proposal's evidence says about the log."""
    rule = plan.rule
    return {
        "kind": "shadow",
        "capability": policy.id,
        "policy": policy.digest,
        "metric": plan.metric.id,
        "log": {
            "choice": f"{rule.source}.{rule.choice}",
            "propensity": f"{rule.source}.{rule.propensity}",
            "payload": rule.payload,
            "filters": dict(rule.filters),
            "since": plan.since.isoformat(),
            "until": plan.until.isoformat(),
            "choices": log.decisions,
            "unusable": log.unusable,
            "units": log.units,
        },
    }
