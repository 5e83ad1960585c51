"""What was registered before the first look: how long, for how many units and at which level.

It is fixed when the scope's first step is admitted, and later steps that look at the same scope again
keep it: a plan that moves with the data would be no plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from belay.domain.capability import CapabilityPolicy
from belay.domain.events import GateJudged, ScopeConfirmed
from belay.domain.gates import Gate, Verdict
from belay.domain.metrics import PrimaryRule
from belay.domain.portfolio import SMALLEST, find, next_level, standing
from belay.domain.rules.portfolio import level_of_step
from belay.domain.state import OptimizationState

if TYPE_CHECKING:
    from belay.cells.plan import Earlier
    from belay.services import Services

FACTS = ("window_seconds", "planned_units", "earlier")
"""What of an admission's plan is registered."""


@dataclass(frozen=True, slots=True)
class Registered:
    """What was registered before the first look.

    Attributes
    ----------
    window : timedelta
        Length of the window (data time).
    planned_units : int | None
        Units expected by its end.
    earlier : Mapping[str, Earlier]
        By metric, how much daily effects scattered in earlier optimizations of the surface.
    """

    window: timedelta
    planned_units: int | None
    earlier: Mapping[str, Earlier] = field(default_factory=dict)


def registered(belay: Services, known: OptimizationState, policy: CapabilityPolicy) -> Registered:
    """Return what was registered for the step under way."""
    from belay.measurement.dispersion import read_earlier

    spoken = known.step.gates.get(Gate.ADMIT) if known.step else None
    plan: dict[str, Any] = {}
    if spoken is not None and spoken.evidence:
        plan = belay.ledger.get_evidence(spoken.evidence)["plan"]
    window = timedelta(seconds=plan.get("window_seconds", policy.window.minimum_seconds))
    return Registered(window, plan.get("planned_units"), read_earlier(plan.get("earlier")))


def registered_before(belay: Services, known: OptimizationState, policy: CapabilityPolicy) -> dict[str, Any]:
    """Return what the first step at the scope now live registered under this policy, if any did."""
    first: str | None = None
    for entry in belay.ledger.history(optimization=known.id):
        event = entry.event
        if isinstance(event, ScopeConfirmed):
            first = None
        elif isinstance(event, GateJudged) and event.gate is Gate.ADMIT and event.verdict is Verdict.PASS:
            first = first or event.evidence
    if first is None:
        return {}
    document = belay.ledger.get_evidence(first)
    if document["policy"] != policy.digest:
        return {}
    return {name: document["plan"][name] for name in FACTS if name in document["plan"]}


def level_ahead(belay: Services, known: OptimizationState, policy: CapabilityPolicy) -> float | None:
    """Return the level of the primary test that power is computed for; None where the portfolio sets none.

    Before the first exposure it is what the next decision of the capability would get.
    """
    if policy.primary.rule is not PrimaryRule.SUPERIOR:
        return None
    capability = belay.ledger.state().capabilities[known.capability]
    level = level_of_step(capability, known, policy)
    if level is None:
        level = next_level(capability.decisions, fdr=policy.errors.fdr, alpha=policy.errors.alpha)
    return max(level, SMALLEST)


def portfolio_of(
    belay: Services, known: OptimizationState, policy: CapabilityPolicy
) -> dict[str, Any] | None:
    """Return where the capability's portfolio stands, seen from the step under way, as plain data."""
    decisions = belay.ledger.state().capabilities[known.capability].decisions
    at = find(decisions, known.id, len(known.phases))
    return None if at is None else asdict(standing(decisions, at, fdr=policy.errors.fdr))
