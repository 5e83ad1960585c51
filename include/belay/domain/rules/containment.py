"""Taking down what may not be shown: the kill switch, widenings that lost, and what nobody decided."""

from __future__ import annotations

from collections.abc import Iterable

from belay.domain import commands as c
from belay.domain import events as e
from belay.domain.actors import ActorKind
from belay.domain.rules.actuation import ends, narrow, narrowing, unpromoted
from belay.domain.rules.answer import Answer, Asked, Refusal, unknown_optimization
from belay.domain.rules.requests import void_open_requests
from belay.domain.stages import Stage
from belay.domain.state import OptimizationState, State
from belay.domain.vocabulary import Cause, Rule


def covers(target: str, capability: str, surface: str) -> bool:
    """Return whether ``target`` (``all``, ``surface:NAME``, ``capability:NAME``) covers what is named."""
    return target in ("all", f"surface:{surface}", f"capability:{capability}")


def stop(state: State, command: c.Stop, asked: Asked) -> Answer:
    """Take everything of a target down: frozen, at zero, nothing asked any more, its capabilities at observe.

    A person pulls the switch; whether they may was asked before the flags went down, and here nothing
    is refused that has happened there already.
    """
    if asked.by.kind is not ActorKind.HUMAN:
        return Refusal(
            Rule.PEOPLE_STOP, f"{asked.by} cannot pull the kill switch: only people can", kept=True
        )
    reason = f"stopped by {asked.by.id}: {command.reason}"
    pulled = e.KillSwitchPulled(command.stop, command.target, command.reason, command.via, command.pulled_at)
    events: list[e.Event] = [pulled]
    if command.target not in state.freezes:
        events.append(e.Frozen(command.target, reason))
    known = [o for o in state.optimizations.values() if covers(command.target, o.capability, o.surface)]
    names = {optimization.id for optimization in known}
    events += [closed for closed in void_open_requests(state, reason) if closed.optimization in names]
    for optimization in known:
        events += _taken_down(optimization, reason, command.epochs.get(optimization.id, 0))
    touched = {optimization.capability for optimization in known if optimization.live}
    for capability in state.capabilities.values():
        if not (covers(command.target, capability.id, capability.surface) or capability.id in touched):
            continue
        events += unpromoted(state, capability, reason)
        if capability.stage is not Stage.OBSERVE:
            events.append(
                e.StageDemoted(capability.id, capability.stage, Stage.OBSERVE, Rule.KILL_SWITCH, reason)
            )
    return tuple(events)


def _taken_down(optimization: OptimizationState, reason: str, served: int) -> Iterable[e.Event]:
    """Yield the narrowing to zero, under the epoch that is at zero already, and the end of what was live."""
    yield from narrowing(optimization, 0, Cause.STOP, reason, above=served - 1)
    if optimization.live and ends(optimization.status, e.Outcome.KILLED):
        yield e.OptimizationEnded(optimization.id, e.Outcome.KILLED, reason)


def turned_back(state: State, target: str, cause: str, reason: str) -> tuple[e.NarrowingIntended, ...]:
    """Return the events that turn the widenings under way in ``target`` back to their confirmed scopes.

    Whatever forbids a widening does so in the same transaction for what was intended and not confirmed.
    """
    return tuple(
        event
        for o in state.optimizations.values()
        if o.pending is not None and o.pending.widening and covers(target, o.capability, o.surface)
        for event in narrowing(o, o.scope, cause, reason)
    )


def turn_back(state: State, command: c.TurnBack, _asked: Asked) -> Answer:
    """Give up a widening that lost; one that is not under way any more is given up already."""
    optimization = state.optimizations.get(command.optimization)
    if optimization is None:
        return unknown_optimization(command.optimization)
    pending = optimization.pending
    if pending is None or not pending.widening or pending.epoch != command.epoch:
        return ()
    return narrowing(optimization, optimization.scope, command.cause, command.reason)


def contain(state: State, command: c.Contain, _asked: Asked) -> Answer:
    """Record what was served and not decided, and narrow it: to what was decided, or to zero if by hand."""
    optimization = state.optimizations.get(command.optimization)
    decided = optimization.scope if optimization else 0
    incident = e.ServedWider(
        command.optimization,
        command.served_scope,
        command.served_epoch,
        decided,
        optimization.epoch if optimization else 0,
        command.target,
        command.detail,
    )
    if optimization is None:
        return (incident,)
    if command.decided_epoch not in (None, optimization.epoch):
        return ()
    above = max(command.served_epoch, optimization.epoch)
    if command.by_hand:
        if optimization.scope == 0:
            above += 1  # nothing is left to narrow, and still the flag has to be written anew
        if optimization.pending is not None and not optimization.pending.to_scope:
            return ()  # it is on its way to zero: whatever is shown is being taken down
        outcome = e.Outcome.ROLLED_BACK
        taken = narrow(state, optimization, 0, Cause.RECONCILE, command.detail, None, outcome, above)
        return (incident, *taken)
    if optimization.pending is not None or command.served_scope <= decided:
        return ()  # a change of scope is under way: what is served is judged when it is through
    voided = void_open_requests(state, command.detail, optimization=optimization.id)
    to_scope, epoch = optimization.scope, above + 1
    return (
        incident,
        *voided,
        e.NarrowingIntended(
            optimization.id, command.served_scope, to_scope, epoch, Cause.RECONCILE, command.detail
        ),
    )
