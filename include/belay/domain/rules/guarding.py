"""The guard's rules: what it cannot see does not widen, then shrinks; harm is summed; turns are taken."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

from belay.domain import commands as c
from belay.domain import events as e
from belay.domain.rules.actuation import frozen, narrow
from belay.domain.rules.answer import Answer, Asked, Refusal, not_an_interval, unknown_optimization
from belay.domain.rules.containment import turned_back
from belay.domain.scope import FULL_SCOPE, HoldbackRule, percent
from belay.domain.state import OptimizationState, State, Status
from belay.domain.vocabulary import Cause, Rule

A_WEEK = timedelta(days=7)
ALL = "all"


def report_blind(state: State, command: c.ReportBlind, _asked: Asked) -> Answer:
    """Let nothing widen that cannot be seen, not even what is on its way; said once for each source."""
    if command.source in state.blind:
        return ()
    reason = f"the guard is blind ({command.source}): {command.reason}"
    return (
        e.GuardBlinded(command.source, command.target, command.reason, command.since),
        *turned_back(state, command.target, Cause.BLIND, reason),
    )


def report_sighted(state: State, command: c.ReportSighted, _asked: Asked) -> Answer:
    """End a blindness."""
    blind = state.blind.get(command.source)
    return () if blind is None else (e.GuardSighted(blind.source, blind.target, command.reason),)


def shrink(state: State, command: c.Shrink, _asked: Asked) -> Answer:
    """Narrow what was not seen for too long to the largest scope ever shown harmless (that may be zero)."""
    optimization = state.optimizations.get(command.optimization)
    if optimization is None:
        return unknown_optimization(command.optimization)
    blind = state.blind.get(command.source)
    if blind is None or blind not in state.blind_to(optimization.capability, optimization.surface):
        return Refusal(Rule.NOT_BLIND, f"the guard sees {optimization.id}: there is nothing to shrink for")
    safe = min(optimization.shown_harmless, optimization.scope)
    if not optimization.live or (optimization.pending is None and optimization.scope <= safe):
        return ()
    return narrow(state, optimization, safe, Cause.BLIND, command.reason, None, outcome=None)


def shrink_all(state: State, command: c.ShrinkAll, asked: Asked) -> Answer:
    """Shrink each as if it came alone; one that the guard sees again changes nothing and stops no other."""
    answers = [shrink(state, one, asked) for one in command.shrinks]
    return tuple(event for answer in answers if not isinstance(answer, Refusal) for event in answer)


def record_harmless(state: State, command: c.RecordHarmless, _asked: Asked) -> Answer:
    """Record the scope that was shown harmless, once."""
    optimization = state.optimizations.get(command.optimization)
    if optimization is None:
        return unknown_optimization(command.optimization)
    if command.scope <= optimization.shown_harmless or command.scope != optimization.scope:
        return ()
    return (e.ShownHarmless(optimization.id, command.scope, command.sentence, command.evidence),)


def record_interaction(state: State, command: c.RecordInteraction, _asked: Asked) -> Answer:
    """Hold the later of two changes that interact; its questions and its widening under way are void."""
    pair = [state.optimizations.get(name) for name in (command.optimization, command.other)]
    if None in pair:
        return Refusal(
            Rule.UNKNOWN_OPTIMIZATION, f"the ledger knows not both of {command.optimization}, {command.other}"
        )
    first, later = sorted((o for o in pair if o is not None), key=_went_live)
    if first.id in later.interacts_with or not (first.live and later.live):
        return ()
    held = narrow(state, later, later.scope, Cause.INTERACTION, command.sentence, None, outcome=None)
    return (*held, e.InteractionFound(later.id, first.id, command.sentence, command.evidence))


def _went_live(optimization: OptimizationState) -> tuple[float, str]:
    at = optimization.results.exposed_at or optimization.proposed_at
    return at.timestamp(), optimization.id


def spend_harm(state: State, command: c.SpendHarm, asked: Asked) -> Answer:
    """Freeze everything when the week's harm is spent; after people lifted it, only harm since counts."""
    if ALL in state.freezes:
        return ()
    since = max(asked.at - A_WEEK, state.budget_from or asked.at - A_WEEK)
    harmed = [o for o in state.optimizations.values() if o.results.hurt_at and o.results.hurt_at > since]
    each = {optimization.id: exposure_days(optimization) for optimization in harmed}
    spent = sum(each.values())
    if spent <= command.limit:
        return ()
    parts = ", ".join(f"{name} {days:.3g}" for name, days in sorted(each.items()))
    reason = (
        f"the harm budget is spent: {spent:.3g} of {command.limit:g} days of a surface's whole traffic "
        f"met harm that was found in the last 7 days ({parts})"
    )
    return (e.Frozen(ALL, reason), *turned_back(state, ALL, Cause.FREEZE, reason))


def turn_holdback(state: State, command: c.TurnHoldback, asked: Asked) -> Answer:
    """Take the next turn of the hold-back when it is due; at the horizon nobody is held back any more.

    Showing it to the last units is a widening that was granted already; like any other it waits while
    something is frozen, closed by the calendar, or cannot be seen.
    """
    optimization = state.optimizations.get(command.optimization)
    if optimization is None:
        return unknown_optimization(command.optimization)
    rule = state.capabilities[optimization.capability].holdback
    due = due_turn(optimization, rule, command.data_time)
    if due is None or optimization.pending is not None:
        return ()
    if frozen(state, optimization, asked):
        return ()
    share, rotation, reason = due
    return (e.HoldbackIntended(optimization.id, share, rotation, optimization.epoch + 1, reason),)


def due_turn(
    optimization: OptimizationState, rule: HoldbackRule, data_time: datetime
) -> tuple[int, int, str] | None:
    """Return share, turn and reason of the hold-back that is due, or None while all stays as it is."""
    if optimization.status is not Status.COMPLETED or optimization.holdback == 0:
        return None
    turns = [phase for phase in optimization.phases if phase.holdback]
    if data_time - turns[0].start >= timedelta(seconds=rule.horizon_seconds):
        return 0, optimization.rotation, "its horizon is over: it is the product now"
    if data_time - turns[-1].start >= timedelta(seconds=rule.rotate_seconds):
        return optimization.holdback, optimization.rotation + 1, "it is others' turn"
    return None


def record_realised(state: State, command: c.RecordRealised, _asked: Asked) -> Answer:
    """Record what a turn showed, once."""
    optimization = state.optimizations.get(command.optimization)
    if optimization is None:
        return unknown_optimization(command.optimization)
    if any(realised.rotation == command.rotation for realised in optimization.realised):
        return ()
    if not command.found.sound:
        return not_an_interval(command.found)
    return (
        e.RealisedMeasured(
            optimization.id, command.rotation, command.found, command.sentence, command.evidence
        ),
    )


def exposure_days(optimization: OptimizationState) -> float:
    """Return the days of a surface's whole traffic that met an optimization: share × data time, summed."""
    return sum(
        phase.scope / FULL_SCOPE * ((after.start - phase.start) / timedelta(days=1))
        for phase, after in pairwise(optimization.phases)
    )


def blind_sentence(optimization: OptimizationState, source: str, seconds: float) -> str:
    """Return why an optimization shrinks, in words."""
    safe = min(optimization.shown_harmless, optimization.scope)
    hours = seconds / 3600
    return f"not seen for {hours:.3g} hours of data time ({source}): back to {percent(safe)}, shown harmless"
