"""Changing scope: the final check. Widening asks for its grant; narrowing asks nobody."""

from __future__ import annotations

from collections.abc import Iterator

from belay.domain import commands as c
from belay.domain import events as e
from belay.domain.actors import ActorKind
from belay.domain.capability_state import CapabilityState
from belay.domain.gates import Gate
from belay.domain.request_state import RequestState, RequestStatus
from belay.domain.rules.answer import Answer, Asked, Refusal, unknown_optimization
from belay.domain.rules.requests import void_open_requests
from belay.domain.scope import FULL_SCOPE, percent
from belay.domain.stages import Stage
from belay.domain.state import OptimizationState, State, Status
from belay.domain.vocabulary import Cause, Rule


def intend_widening(state: State, command: c.IntendWidening, asked: Asked) -> Answer:
    """Spend the grant of the step under way (I1, I2, I3). A refusal here is kept: somebody tried."""
    optimization = state.optimizations.get(command.optimization)
    if optimization is None:
        return unknown_optimization(command.optimization)
    step, grant = optimization.step, optimization.grant
    spent = step and grant and grant.used and grant.step == step.number == command.step
    if step and spent and optimization.scope == step.to_scope:
        return ()  # done already
    if optimization.status.ended:
        return Refusal(
            Rule.ENDED,
            f"{optimization.id} has ended: {optimization.status}, {optimization.reason}",
            kept=True,
        )
    if step is None or step.number != command.step:
        return Refusal(
            Rule.NO_SUCH_STEP, f"{optimization.id} has no step {command.step} under way", kept=True
        )
    capability = state.capabilities[optimization.capability]
    if refusal := frozen(state, optimization, asked):
        return refusal
    if optimization.pending and optimization.pending.widening:
        return ()  # intended already, by a writer that did not get to the end: go on and apply it
    if not step.passed(Gate.ADMIT, Gate.QUALITY, Gate.WINDOW, Gate.REVIEW):
        return Refusal(Rule.GATES, "not every gate of this step has passed", kept=True)
    if grant is None or grant.used or grant.step != step.number:
        return Refusal(
            Rule.NO_GRANT, "the ledger holds no unused grant of oversight for this step", kept=True
        )
    review = step.gates[Gate.REVIEW]
    bound = (grant.from_scope, grant.to_scope) == (optimization.scope, step.to_scope)
    if not bound or grant.seq < review.seq or capability.policy != step.policy:
        return Refusal(Rule.GRANT_VOID, "what was granted is not what would be widened now", kept=True)
    if optimization.pending is not None:
        return Refusal(Rule.PENDING, "a narrowing is under way", kept=True)
    if neighbours := state.neighbours(optimization):
        # Admission asked this too, but two runs may have been admitted side by side.
        return Refusal(
            Rule.SURFACE_FREE,
            f"surface {optimization.surface} is taken by {', '.join(neighbours)}",
            kept=True,
        )
    return (
        e.WideningIntended(
            optimization.id,
            step.number,
            grant.id,
            grant.from_scope,
            grant.to_scope,
            optimization.epoch + 1,
            holdout=state.holdout_of(optimization),
            # At the very top nobody would be left to compare with.
            holdback=capability.holdback.share if grant.to_scope == FULL_SCOPE else 0,
        ),
    )


def widening_stands(state: State, optimization: str, to_scope: int, epoch: int) -> Refusal | None:
    """Return why an intended widening may not be shown any more, if so: the flag writer's last question."""
    known = state.optimizations.get(optimization)
    if known is None:
        return unknown_optimization(optimization)
    pending, step, grant = known.pending, known.step, known.grant
    if pending is None or not pending.widening or (pending.to_scope, pending.epoch) != (to_scope, epoch):
        now = f"it is at {percent(known.scope)} under epoch {known.epoch}"
        return Refusal(Rule.STALE_EPOCH, f"{optimization} is not on its way to {percent(to_scope)}: {now}")
    if known.status.ended:
        return Refusal(Rule.ENDED, f"{optimization} has ended: {known.status}, {known.reason}")
    if step is None or grant is None or grant.step != step.number or grant.to_scope != to_scope:
        return Refusal(Rule.NO_GRANT, "the ledger holds no grant of oversight for what is on its way")
    capability = state.capabilities[known.capability]
    for freeze in state.freezes_of(capability.id, known.surface):
        return Refusal(Rule.FREEZE, f"{freeze.target} is frozen by {freeze.by}: {freeze.reason}")
    if blind := unseen(state, capability.id, known.surface):
        return blind
    if capability.policy != step.policy or capability.stage is Stage.OBSERVE:
        return Refusal(
            Rule.GRANT_VOID, f"the rules of {capability.id} are not those under which it was granted"
        )
    return None


def unseen(state: State, capability: str, surface: str) -> Refusal | None:
    """Return why nothing widens where the guard cannot see, if it cannot."""
    for blind in state.blind_to(capability, surface):
        return Refusal(Rule.BLIND, f"the guard is blind ({blind.source}): {blind.reason}", kept=True)
    return None


def frozen(state: State, optimization: OptimizationState, asked: Asked) -> Refusal | None:
    """Return what lets nothing widen now: a freeze that somebody set, blindness, or the calendar."""
    for freeze in state.freezes_of(optimization.capability, optimization.surface):
        return Refusal(Rule.FREEZE, f"{freeze.target} is frozen by {freeze.by}: {freeze.reason}", kept=True)
    if blind := unseen(state, optimization.capability, optimization.surface):
        return blind
    closed = state.capabilities[optimization.capability].calendar.freeze_at(asked.at)
    return Refusal(Rule.CALENDAR, closed, kept=True) if closed else None


def roll_back(state: State, command: c.RollBack, _asked: Asked) -> Answer:
    """Narrow at once. Anybody and anything may ask; nothing but a wider scope is refused."""
    optimization = state.optimizations.get(command.optimization)
    if optimization is None:
        return unknown_optimization(command.optimization)
    wide = max(optimization.scope, optimization.pending.to_scope if optimization.pending else 0)
    if not 0 <= command.to_scope <= wide:
        return Refusal(
            Rule.ONLY_NARROWS,
            f"a roll back goes from {percent(wide)} towards 0 %, not to {percent(command.to_scope)}",
            kept=True,
        )
    ends_it = command.to_scope == 0 and command.cause != Cause.CAUTION
    outcome = e.Outcome.ROLLED_BACK if ends_it else None
    return narrow(
        state,
        optimization,
        to_scope=command.to_scope,
        cause=command.cause,
        reason=command.reason,
        evidence=command.evidence,
        outcome=outcome,
        above=command.above,
    )


OPS = "ops"
"""The role that may take any one change down, and pull the kill switch, besides those that hold a veto."""


def veto(state: State, command: c.Veto, asked: Asked) -> Answer:
    """Stop an optimization, or a whole capability, whatever was approved (I3)."""
    if asked.by.kind is not ActorKind.HUMAN:
        return Refusal(Rule.PEOPLE_VETO, f"{asked.by} cannot veto: only people can", kept=True)
    if (request := state.requests.get(command.target)) is not None and request.promotes:
        return _veto_promotion(state, request, command, asked)
    kind, _, name = command.target.partition(":")
    capability_id = name if kind == "capability" else None
    optimization = state.optimizations.get(command.target)
    if capability_id is None and optimization is not None:
        capability_id = optimization.capability
    capability = state.capabilities.get(capability_id or "")
    if capability is None:
        return Refusal(Rule.UNKNOWN_TARGET, f"there is nothing called {command.target!r} to veto")
    refusal = _no_veto(state, capability, command, asked)
    if refusal is not None and (optimization is None or OPS not in command.roles):
        return refusal
    cast = e.Vetoed(command.target, command.reason, command.via)
    reason = f"veto by {asked.by.id}: {command.reason}"
    if optimization is not None:
        if optimization.status.ended and not optimization.live:
            return Refusal(
                Rule.ENDED, f"{optimization.id} has ended: {optimization.status}, {optimization.reason}"
            )
        return (cast, *narrow(state, optimization, 0, Cause.VETO, reason, None, e.Outcome.VETOED))
    events: list[e.Event] = [cast, *unpromoted(state, capability, reason)]
    for live in [o for o in state.optimizations.values() if o.capability == capability.id]:
        if live.live or not live.status.ended:
            events += narrow(state, live, 0, Cause.VETO, reason, None, e.Outcome.VETOED)
    if capability.stage is not Stage.OBSERVE:
        below = capability.stage.below or Stage.OBSERVE
        events.append(e.StageDemoted(capability.id, capability.stage, below, Rule.VETO, reason))
    return tuple(events)


def _no_veto(state: State, capability: CapabilityState, command: c.Veto, asked: Asked) -> Refusal | None:
    """Refuse a veto of somebody who holds no role for it, of their own or lent."""
    lent = [
        frozenset(given.roles) & command.givers.get(given.giver, frozenset())
        for given in state.delegated_to(asked.by.id, asked.at)
    ]
    if command.roles.union(*lent) & set(capability.veto_roles):
        return None
    roles = " or ".join(capability.veto_roles)
    return Refusal(Rule.ROLE, f"{asked.by.id} holds no veto here: it takes {roles}", kept=True)


def unpromoted(state: State, capability: CapabilityState, reason: str) -> Iterator[e.RequestClosed]:
    """Yield the end of a capability's promotion: its question is void, and a grant not used yet (I3)."""
    for request in state.requests.values():
        unused = capability.grant is not None and capability.grant.id == request.id
        is_open = request.status is RequestStatus.OPEN
        if request.promotes and request.capability == capability.id and (is_open or unused):
            yield e.RequestClosed(request.id, request.optimization, RequestStatus.VOID, reason)


def _veto_promotion(state: State, request: RequestState, command: c.Veto, asked: Asked) -> Answer:
    """Stop a promotion, before or after it was granted, as long as the grant is not used (I3)."""
    capability = state.capabilities[request.capability]
    if (refusal := _no_veto(state, capability, command, asked)) is not None:
        return refusal
    unused = capability.grant is not None and capability.grant.id == request.id
    if request.status is not RequestStatus.OPEN and not unused:
        return Refusal(
            Rule.REQUEST_CLOSED, f"{request.id} is {request.status}: there is nothing to stop any more"
        )
    reason = f"veto by {asked.by.id}: {command.reason}"
    return (
        e.Vetoed(request.id, command.reason, command.via),
        e.RequestClosed(request.id, request.optimization, RequestStatus.REJECTED, reason),
    )


def confirm_scope(state: State, command: c.ConfirmScope, _asked: Asked) -> Answer:
    """Record what the flag system was read back to show; a late writer's epoch is refused."""
    optimization = state.optimizations.get(command.optimization)
    if optimization is None:
        return unknown_optimization(command.optimization)
    pending = optimization.pending
    if pending is None:
        if (command.epoch, command.scope) == (optimization.epoch, optimization.scope):
            return ()
        return Refusal(Rule.STALE_EPOCH, f"nothing is pending for {optimization.id}", kept=True)
    if (command.epoch, command.scope) != (pending.epoch, pending.to_scope):
        return Refusal(
            Rule.STALE_EPOCH,
            f"{optimization.id} waits for {percent(pending.to_scope)} under epoch {pending.epoch}; "
            f"confirmed was {percent(command.scope)} under epoch {command.epoch}",
            kept=True,
        )
    confirmed = e.ScopeConfirmed(
        optimization.id, command.scope, command.epoch, command.target, command.effective_at
    )
    if pending.widening and optimization.step and optimization.step.last:
        ended = e.OptimizationEnded(optimization.id, e.Outcome.COMPLETED, "it climbed its whole ramp")
        return (confirmed, ended)
    return (confirmed,)


def confirm_scopes(state: State, command: c.ConfirmScopes, asked: Asked) -> Answer:
    """Confirm each scope as if it came alone; a late one changes nothing and stops no other."""
    events: list[e.Event] = []
    for confirmation in command.confirmations:
        answer = confirm_scope(state, confirmation, asked)
        events += () if isinstance(answer, Refusal) else answer
    return tuple(events)


def narrow(
    state: State,
    optimization: OptimizationState,
    to_scope: int,
    cause: str,
    reason: str,
    evidence: str | None,
    outcome: e.Outcome | None,
    above: int = 0,
) -> tuple[e.Event, ...]:
    """Return the events of a narrowing: open requests void, the scope intended, the end if it is one.

    A narrowing never goes above the confirmed scope, nor above a narrowing that is under way already.
    Its epoch is the next one, and one above ``above``, which the flag system is known to serve.
    """
    events: list[e.Event] = list(void_open_requests(state, reason, optimization=optimization.id))
    events += narrowing(optimization, to_scope, cause, reason, evidence, above)
    if outcome is not None and ends(optimization.status, outcome):
        events.append(e.OptimizationEnded(optimization.id, outcome, reason))
    return tuple(events)


def narrowing(
    optimization: OptimizationState,
    to_scope: int,
    cause: str,
    reason: str,
    evidence: str | None = None,
    above: int = 0,
) -> tuple[e.NarrowingIntended, ...]:
    """Return the intent to narrow, or nothing where that, or more, is so or under way already."""
    pending = optimization.pending
    to_scope = min(to_scope, optimization.scope)
    if pending is None:
        narrows = optimization.scope > to_scope
    else:
        narrows = pending.widening or pending.to_scope > to_scope
        to_scope = to_scope if pending.widening else min(to_scope, pending.to_scope)
    if not narrows and above <= optimization.epoch:
        return ()
    epoch = max(optimization.epoch, above) + 1
    return (
        e.NarrowingIntended(optimization.id, optimization.scope, to_scope, epoch, cause, reason, evidence),
    )


def ends(status: Status, outcome: e.Outcome) -> bool:
    """Whether ``outcome`` is news: the first end stays, but harm may follow completion, and a veto wins."""
    if status is Status.VETOED:
        return False
    return not status.ended or status is Status.COMPLETED or outcome is e.Outcome.VETOED
