"""What the portfolio gives a step: a level for its primary test, or none where none is spent."""

from __future__ import annotations

from belay.domain.capability import CapabilityPolicy
from belay.domain.capability_state import CapabilityState
from belay.domain.metrics import PrimaryRule
from belay.domain.portfolio import find, next_level
from belay.domain.state import OptimizationState


def level_of_step(
    capability: CapabilityState, optimization: OptimizationState, policy: CapabilityPolicy
) -> float | None:
    """Return the one-sided level of the primary test of ``optimization``'s next step.

    None where it needs none: nothing is measured before the first exposure, and a primary metric that
    must only not lose (``non_inferior``) ships no false winner. A scope that was decided about before
    keeps its level, however often it is looked at again.
    """
    if optimization.scope == 0 or policy.primary.rule is not PrimaryRule.SUPERIOR:
        return None
    at = find(capability.decisions, optimization.id, len(optimization.phases))
    if at is not None:
        return capability.decisions[at].level
    return next_level(capability.decisions, fdr=policy.errors.fdr, alpha=policy.errors.alpha)
