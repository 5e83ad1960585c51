"""One cycle of the guard: read everything live, narrow what harms, say what cannot be seen.

Two guards at once do no harm: each change is one command that the ledger decides on its newest state, and
each write of a flag carries an epoch.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from belay.actuation.flag_writer import confirm_served, settle_narrowings
from belay.actuation.guard_presence import is_recent
from belay.cells.cells import Cells
from belay.cells.plan import Sight
from belay.domain.actors import service
from belay.domain.commands import (
    Command,
    RecordHarmless,
    RecordInteraction,
    ReportBlind,
    RollBack,
    ShrinkAll,
    SpendHarm,
    TurnHoldback,
)
from belay.domain.events import NarrowingIntended
from belay.domain.rules.due import Facts
from belay.domain.rules.guarding import due_turn
from belay.domain.state import State
from belay.flags.target import FlagsUnavailable
from belay.guard import judge
from belay.guard.harm_budget import weekly_limit
from belay.guard.interactions import interactions
from belay.guard.judge import Look, Problem
from belay.guard.ledger_check import Traced, trace
from belay.guard.live import Live, everything_live, sights_of
from belay.guard.report import Cycle
from belay.ledger.store import Ask
from belay.ledger.watch import Beat, MonitorState, Watch
from belay.measurement.findings import Finding
from belay.measurement.monitor import monitor, overall_harm
from belay.measurement.screen import Screened, screen
from belay.oversight.demotion import apply_demotions
from belay.warehouse.fleet import FleetReading, read_fleet
from belay.warehouse.freshness import watermarks

if TYPE_CHECKING:
    from belay.services import Services

GUARD = service("guard")


def guard(belay: Services, name: str) -> Cycle:
    """Look once at everything live, and narrow what must be.

    Parameters
    ----------
    name
        Which guard this is (``airflow``, ``cli@host``), for its heartbeat.

    Returns
    -------
    Cycle
        What was seen and done. A missing warehouse or flag system is no error: it is in the answer.

    Raises
    ------
    LedgerError
        When the ledger cannot be read or written: nothing can be decided then. `belay stop` still can.
    """
    began = time.monotonic()
    watch, cycle = Watch(belay.ledger.engine), Cycle()
    beats = watch.beats()
    last = next((beat for beat in beats if beat.at <= belay.now()), next(iter(beats), None))
    cycle.traced = Traced.read(last.body) if last else Traced()
    # First what earlier cycles could not carry out, and what is served without a confirmation.
    _settle(belay, cycle, None)
    _confirm(belay, cycle)
    state = belay.ledger.state()
    live, unruled = everything_live(belay, state)
    cycle.live = len(live) + len(unruled)
    data_time = belay.data_now()
    problems = [
        Problem(f"capability:{u.capability}", f"capability:{u.capability}", u.why, data_time) for u in unruled
    ]
    watched = any(is_recent(belay, beat) for beat in beats)
    if (absent := None if watched else _was_absent(last, live)) is not None:
        problems.append(absent)
    looks, states, unseen = _look(belay, watch, cycle, state, live, data_time)
    problems += unseen
    _act(belay, cycle, judge.narrowings(looks))
    state = _report(belay, cycle, state, problems)
    if absent is not None:  # it was missed, and it looks again: what it saw now is what counts
        state = _report(belay, cycle, state, [p for p in problems if p is not absent])
    _act(belay, cycle, judge.harmless(looks))
    _shrink(belay, cycle, state, live, data_time)
    _turn(belay, cycle, live, looks, data_time)
    _budget(belay, cycle, live)
    watch.put_monitors(states)
    _trace(belay, watch, cycle, name, data_time)
    _autonomy(belay, cycle, live, data_time)
    cycle.seconds = round(time.monotonic() - began, 3)
    watch.beat(Beat(name, belay.now(), data_time, cycle.to_document()))
    return cycle


def _trace(belay: Services, watch: Watch, cycle: Cycle, name: str, data_time: datetime) -> None:
    """Verify the ledger when it is time, after everything that cannot wait."""
    now = belay.now()
    if cycle.traced.is_due(now):
        cycle.traced = cycle.traced.begun(now)
        watch.beat(Beat(name, now, data_time, cycle.to_document()))
        cycle.traced = trace(belay)
    cycle.problems += [told for told in (cycle.traced.mended, cycle.traced.fault) if told]


def _autonomy(belay: Services, cycle: Cycle, live: Sequence[Live], data_time: datetime) -> None:
    """A stage that has to be lost is lost at the next look, and not at the capability's next review."""
    state = belay.ledger.state()
    still = [one for one in live if state.optimizations[one.known.id].scope > 0]
    try:
        lost = apply_demotions(belay, _facts(cycle.traced, state, still, data_time))
    except FlagsUnavailable as error:
        cycle.problems.append(str(error))
        return
    cycle.demoted = [f"{each.capability} to {each.to_stage} ({each.rule})" for each in lost]


def _facts(traced: Traced, state: State, live: Sequence[Live], data_time: datetime) -> dict[str, Facts]:
    """Return by capability what its stage does not survive: nobody sees it, or nothing can be traced."""
    unseen = judge.too_long_unseen(state, live, data_time)
    if not traced.fault:
        return unseen
    known = {name: unseen.get(name, Facts()) for name in state.capabilities}
    return {name: replace(facts, ledger_fault=traced.fault) for name, facts in known.items()}


def _was_absent(last: Beat | None, live: Sequence[Live]) -> Problem | None:
    """Return that no guard has looked for too long, if so: until this cycle nobody saw anything."""
    if last is None or not live:
        return None
    reason = f"no guard has looked since {last.at:%Y-%m-%d %H:%M:%S} UTC"
    return Problem(judge.ITSELF, "all", reason, last.data_time)


def _look(
    belay: Services, watch: Watch, cycle: Cycle, state: State, live: Sequence[Live], data_time: datetime
) -> tuple[list[Look], list[MonitorState], list[Problem]]:
    """Read what is new about everything live, and judge it."""
    comparable = [one for one in live if one.comparable]
    cycle.uncomparable = [one.known.id for one in live if not one.comparable]
    standing = watch.monitors()
    dark_before = {name.partition(":")[2] for name in state.blind if name.startswith("surface:")}
    surfaces = sorted({one.known.surface for one in live} | dark_before)
    if not surfaces and state.blind:
        surfaces = sorted({known.surface for known in state.capabilities.values()})
    try:
        marks = watermarks(belay.warehouse, surfaces) if surfaces else {}
        cycle.statements += 2 if surfaces else 0
    except Exception as error:  # noqa: BLE001 - every driver has its own errors; whatever it is, we are blind
        since = max((s.until for s in standing.values()), default=data_time)
        why = f"the warehouse does not answer: {_first_line(error)}"
        return [], [], [Problem(judge.WAREHOUSE, "all", why, since)]
    until = {
        surface: min(mark.replace(tzinfo=UTC), data_time)
        for surface, mark in marks.items()
        if mark is not None
    }
    dark = judge.stale(live, {s: until.get(s) for s in surfaces}, data_time)
    dark |= judge.still_dark(state, {one.known.surface for one in live}, until)
    fresh = [
        one for one in comparable if one.known.surface in until and _news(one, standing, until, data_time)
    ]
    _pairs(belay, cycle, fresh, until)
    sights = sights_of(belay, fresh, until)
    reading = read_fleet(belay.warehouse, sights) if sights else FleetReading((), 0)
    cycle.read, cycle.statements = len(fresh), cycle.statements + reading.statements
    looks, states, problems = [], [], list(dark.values())
    for one, sight, cells in zip(fresh, sights, reading.cells, strict=True):
        found = screen(cells, sight.plan, harmless=one.known.scope > one.known.shown_harmless)
        problem = _unreadable(one, cells, standing, until)
        if problem is not None:
            problems.append(problem)
            if cells.problem is None:  # harm in what can be seen still counts; the rest is read again
                looks.append(_kept(belay, Look(one, found), sight, cells))
            continue
        turn = None
        if due_turn(one.known, one.policy.holdback, data_time) is not None and cells.problem is None:
            turn = judge.realised(one, overall_harm(cells, sight.plan), data_time)
        looks.append(_kept(belay, Look(one, found, realised=turn), sight, cells))
        states.append(_standing(belay, one, found, standing.get(one.known.id), until[one.known.surface]))
    return looks, states, problems


def _news(
    one: Live, standing: Mapping[str, MonitorState], until: Mapping[str, datetime], data_time: datetime
) -> bool:
    """Whether anything arrived since the last look at it; the same data give the same finding."""
    known = standing.get(one.known.id)
    if due_turn(one.known, one.policy.holdback, data_time) is not None:
        return True  # what it did in the turn that is over is measured once more
    mine = (one.phase, one.policy.digest, until[one.known.surface])
    return (
        known is None or (known.phase, known.policy, known.until) != mine or known.finding == Finding.HARMFUL
    )


def _unreadable(
    one: Live, cells: Cells, standing: Mapping[str, MonitorState], until: Mapping[str, datetime]
) -> Problem | None:
    """Return what hides an optimization, if anything; its first data may still come."""
    hidden = cells.problem or cells.hidden
    if hidden is None:
        return None
    known, now = one.known, until[one.known.surface]
    last, live_since = standing.get(known.id), known.phases[-1].start
    since = last.until if last is not None and last.phase == one.phase else live_since
    first_data = cells.unreadable is not None and cells.unreadable.passes
    if first_data and (now - live_since).total_seconds() <= one.policy.max_data_age_seconds:
        return None
    name = f"capability:{known.capability}"
    return Problem(name, name, f"{known.id}: {hidden}", min(since, now))


def _kept(belay: Services, look: Look, sight: Sight, cells: Cells) -> Look:
    """Keep the evidence of a finding that somebody will act on."""
    known, found = look.live.known, look.found
    if found.finding is Finding.UNKNOWN:
        return look
    document = {
        "kind": "guard",
        "optimization": known.id,
        "scope": known.scope,
        "phase": look.live.phase,
        "policy": look.live.policy.digest,
        "until": found.until.isoformat(),
        "sentence": found.sentence,
        "monitoring": monitor(cells, sight.plan).to_document(),
    }
    return replace(look, evidence=belay.ledger.put_evidence(document))


def _standing(
    belay: Services, one: Live, found: Screened, before: MonitorState | None, until: datetime
) -> MonitorState:
    same = before is not None and (before.phase, before.policy) == (one.phase, one.policy.digest)
    return MonitorState(
        one.known.id,
        one.phase,
        one.policy.digest,
        until,
        (before.looks if before is not None and same else 0) + 1,
        str(found.finding),
        max(found.log_e, before.log_e if before is not None and same else 0.0),
        found.sentence,
        belay.now(),
    )


def _act(belay: Services, cycle: Cycle, wanted: Sequence[RollBack | RecordHarmless]) -> None:
    """Put commands to the ledger in few transactions, and carry the narrowings out in one write."""
    outcomes = _asked(belay, wanted)
    for command, outcome in zip(wanted, outcomes, strict=True):
        if outcome.refusal is not None:
            cycle.problems.append(outcome.refusal.message)
        elif isinstance(command, RecordHarmless):
            cycle.harmless += [command.optimization] if outcome.events else []
        elif outcome.events:
            cycle.rolled_back.append(command.optimization)
    if cycle.rolled_back:
        _settle(belay, cycle, cycle.rolled_back)


def _asked(belay: Services, commands: Sequence[Command]) -> list[Any]:
    return belay.ledger.execute_many([Ask(command, GUARD, belay.now()) for command in commands])


def _changed(
    belay: Services, cycle: Cycle, commands: Sequence[RecordInteraction | TurnHoldback]
) -> list[str]:
    """Put commands to the ledger, and carry out what they led to; return whose scope is another now."""
    outcomes = _asked(belay, commands)
    changed = [asked.optimization for asked, told in zip(commands, outcomes, strict=True) if told.events]
    if changed:
        _settle(belay, cycle, changed)
    return changed


def _settle(belay: Services, cycle: Cycle, only: Sequence[str] | None) -> None:
    try:
        settle_narrowings(belay, only)
    except (FlagsUnavailable, OSError) as error:
        cycle.problems.append(str(error))


def _confirm(belay: Services, cycle: Cycle) -> None:
    try:
        confirm_served(belay)
    except (FlagsUnavailable, OSError, ValueError) as error:
        cycle.problems.append(str(error))


def _report(belay: Services, cycle: Cycle, state: State, problems: Sequence[Problem]) -> State:
    """Record what went dark and what came back; a widening on its way into the dark is turned back."""
    news = judge.reports(state, problems)
    for command, outcome in zip(news, _asked(belay, news), strict=True):
        if outcome.events:
            blind = isinstance(command, ReportBlind)
            (cycle.blind if blind else cycle.sighted).append(command.source)
    if cycle.blind:
        _settle(belay, cycle, None)
    return belay.ledger.state() if news else state


def _shrink(belay: Services, cycle: Cycle, state: State, live: Sequence[Live], data_time: datetime) -> None:
    """Narrow what was not seen for too long, in one act: people are told of it once."""
    wanted = tuple(judge.shrinks(state, live, data_time))
    if not wanted:
        return
    (outcome,) = _asked(belay, [ShrinkAll(wanted)])
    cycle.shrunk += [event.optimization for event in outcome.events if isinstance(event, NarrowingIntended)]
    if cycle.shrunk:
        _settle(belay, cycle, cycle.shrunk)


def _pairs(belay: Services, cycle: Cycle, live: list[Live], until: Mapping[str, datetime]) -> None:
    """Hold the later of two climbing changes that interact."""
    try:
        wanted, asked = interactions(belay, live, dict(until))
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a pair, harm is looked for all the same
        cycle.problems.append(f"interactions cannot be read: {_first_line(error)}")
        return
    cycle.statements += asked
    cycle.interacting += _changed(belay, cycle, wanted)


def _turn(
    belay: Services, cycle: Cycle, live: Sequence[Live], looks: Sequence[Look], data_time: datetime
) -> None:
    """Record what complete changes did, and hold others back from them when it is time."""
    _asked(belay, [look.realised for look in looks if look.realised is not None])
    due = [
        TurnHoldback(one.known.id, data_time)
        for one in live
        if due_turn(one.known, one.policy.holdback, data_time) is not None
    ]
    cycle.turned += _changed(belay, cycle, due)


def _budget(belay: Services, cycle: Cycle, live: Sequence[Live]) -> None:
    """Freeze everything once the week's harm is spent."""
    limit = weekly_limit(belay, live)
    if limit is None:
        return
    outcome = belay.ledger.execute(SpendHarm(limit), by=GUARD, at=belay.now())
    cycle.froze = next((str(getattr(event, "reason", "")) for event in outcome.events), "")
    if outcome.events:
        _settle(belay, cycle, None)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
