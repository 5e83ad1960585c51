"""Losing a stage: at once, without a meeting, and with everything that stood on it."""

from __future__ import annotations

from belay.domain import commands as c
from belay.domain import events as e
from belay.domain.capability_state import CapabilityState
from belay.domain.oversight import LEAST_OVERSIGHT, Oversight, required_oversight, step_kind
from belay.domain.rules.actuation import narrow, narrowing
from belay.domain.rules.answer import Answer, Asked, unknown_capability
from belay.domain.rules.requests import void_open_requests
from belay.domain.scope import percent
from belay.domain.stages import Stage
from belay.domain.state import OptimizationState, State, Status
from belay.domain.vocabulary import Cause


def demote(state: State, command: c.Demote, _asked: Asked) -> Answer:
    """Lower a capability, and narrow what is live to what the lower stage permits; anybody may ask."""
    capability = state.capabilities.get(command.capability)
    if capability is None:
        return unknown_capability(command.capability)
    if command.to_stage.rank >= capability.stage.rank:
        return ()
    return demoted(state, capability, command)


def demoted(state: State, capability: CapabilityState, command: c.Demote) -> tuple[e.Event, ...]:
    """Return the demotion and all that follows from it, by the limits that ``capability`` says it has."""
    events: list[e.Event] = [
        e.StageDemoted(
            capability.id, capability.stage, command.to_stage, command.rule, command.reason, command.evidence
        ),
        *void_open_requests(state, "the capability was demoted", capability=capability.id),
    ]
    for optimization in state.optimizations.values():
        if optimization.capability == capability.id:
            events += _cascade(state, optimization, capability, command)
    return tuple(events)


def permitted_scope(optimization: OptimizationState, capability: CapabilityState, stage: Stage) -> int:
    """Return how far ``optimization`` may be shown at ``stage`` without asking anybody anew (basis points).

    That is the largest scope that people approved, or the top of the steps it took that need no approval at
    ``stage``, whichever is larger; at ``observe`` nothing is shown.
    """
    table, proposal = capability.oversight or LEAST_OVERSIGHT, optimization.proposal
    permitted = optimization.approved_scope
    taken = sorted({phase.scope for phase in optimization.phases if phase.scope})
    if optimization.pending is not None and optimization.pending.widening:
        taken.append(optimization.pending.to_scope)
    for from_scope, to_scope in zip([0, *taken], taken, strict=False):
        needed = required_oversight(
            table=table,
            stage=stage,
            decision_class=capability.decision_class,
            kind=step_kind(from_scope, to_scope, capability.free_scope),
            tags=frozenset(proposal.tags),
            reversible=proposal.reversible,
            measurable=proposal.measurable,
        ).oversight
        if needed is Oversight.FORBIDDEN:
            return 0
        if needed is Oversight.APPROVE:
            break
        permitted = max(permitted, to_scope)
    return permitted


def _cascade(
    state: State, optimization: OptimizationState, capability: CapabilityState, command: c.Demote
) -> tuple[e.Event, ...]:
    """Narrow one optimization to what the lower stage permits. What is complete counts as the product."""
    pending = optimization.pending
    shown = pending.to_scope if pending is not None and pending.widening else optimization.scope
    if not optimization.live or optimization.status is Status.COMPLETED:
        return ()
    permitted = permitted_scope(optimization, capability, command.to_stage)
    if permitted >= shown:
        turned = f"{capability.id} was demoted to {command.to_stage}: {command.reason}"
        back = pending is not None and pending.widening
        return narrowing(optimization, optimization.scope, Cause.DEMOTION, turned) if back else ()
    reason = (
        f"{capability.id} was demoted to {command.to_stage} ({command.reason}), where people "
        f"have approved no more than {percent(permitted)} of it"
    )
    # Its requests are void already: they were the capability's.
    narrowed = narrow(state, optimization, permitted, Cause.DEMOTION, reason, command.evidence, None)
    return tuple(event for event in narrowed if not isinstance(event, e.RequestClosed))
