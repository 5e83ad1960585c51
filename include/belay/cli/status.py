"""`belay status`: what is live, what waits for whom, what is frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from belay.cli.output import Json, print_json, say, table, when
from belay.cli.parts import must_exist, opened
from belay.domain.figures import counted

if TYPE_CHECKING:
    from belay.actuation.outbox import Note
    from belay.domain.request_state import RequestState
    from belay.domain.state import OptimizationState, State


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog="Example: belay status --json | jq '.requests[].id'")(status)


def status(*, json: Json = False) -> None:
    """Show capabilities, optimizations under way, open requests, freezes and what the guard cannot see.

    First come the stops that are not complete.
    """
    from belay.actuation.guard_presence import missing_guard
    from belay.actuation.outbox import waiting
    from belay.oversight.alarms import alarms

    belay = opened()
    stops = waiting(belay.settings.home)
    if not json:  # before the ledger: it may be what a stop waits for
        for note in stops:
            say(stop_words(note), style="bold red")
    must_exist(belay.settings.ledger_url)
    state, missing = belay.ledger.state(), missing_guard(belay)
    if json:
        found = document(state, *belay.ledger.head())
        more = {
            "incomplete_stops": stops,
            "guard_missing": missing,
            "alarms": [alarm.sentence for alarm in alarms(belay)],
        }
        print_json({**found, **more})
        return
    for alarm in alarms(belay):
        say(alarm.sentence, style="bold red")
    from belay.domain.scope import percent

    under_way = _under_way(state)
    table(
        "Capabilities",
        ("capability", "stage", "ceiling", "class", "surface", "owner", "live"),
        (
            (c.id, c.stage, c.ceiling, c.decision_class, c.surface, c.owner, _live_of(state, c.id))
            for c in state.capabilities.values()
        ),
        empty="none yet; the first proposal brings a capability's policy into force",
    )
    table(
        "Optimizations under way",
        ("optimization", "capability", "status", "scope", "step", "what it waits for"),
        (
            (
                o.id,
                o.capability,
                o.status,
                percent(o.scope),
                f"{percent(o.step.from_scope)} → {percent(o.step.to_scope)}" if o.step else "–",
                waits_for(state, o),
            )
            for o in under_way
        ),
    )
    table(
        "Open requests",
        ("request", "oversight", "asked of", "so far", "until (UTC)"),
        (
            (r.id, r.oversight, ", ".join(r.roles), _missing(r), when(r.expires_at))
            for r in state.open_requests()
        ),
    )
    table(
        "Freezes",
        ("target", "by", "since (UTC)", "reason"),
        ((f.target, f.by, when(f.since), f.reason) for f in state.freezes.values()),
    )
    if state.blind:
        table(
            "What the guard cannot see, and where nothing widens",
            ("source", "where", "since (data time)", "reason"),
            ((b.source, b.target, when(b.since), b.reason) for b in state.blind.values()),
        )
    ended = sum(o.status.ended for o in state.optimizations.values())
    ends = "1 optimization has" if ended == 1 else f"{ended} optimizations have"
    say(f"{ends} ended; the ledger holds {counted(state.seq, 'entry')}.")


def stop_words(note: Note) -> str:
    """Return what an incomplete stop still misses, for people."""
    return (
        f"STOP of {note.target} by {note.person} at {when(note.pulled_at)} UTC is not complete: the "
        f"{note.missing} could not be reached ({note.problem}). `belay reconcile --once` completes it."
    )


def document(state: State, seq: int, head: str) -> dict[str, Any]:
    """Return the same as plain JSON."""
    return {
        "ledger": {"entries": seq, "head": head},
        "capabilities": list(state.capabilities.values()),
        "optimizations": [summary(state, o) for o in state.optimizations.values()],
        "requests": [{**_plain(r), "missing": _lacking(r)} for r in state.open_requests()],
        "freezes": list(state.freezes.values()),
        "blind": list(state.blind.values()),
    }


def summary(state: State, optimization: OptimizationState) -> dict[str, Any]:
    """Return where an optimization stands, as plain JSON (scopes in basis points)."""
    step = optimization.step
    return {
        "id": optimization.id,
        "capability": optimization.capability,
        "surface": optimization.surface,
        "title": optimization.proposal.title,
        "status": str(optimization.status),
        "scope": optimization.scope,
        "epoch": optimization.epoch,
        "step": step
        and {"number": step.number, "from": step.from_scope, "to": step.to_scope, "run": step.run},
        "reason": optimization.reason,
        "waits_for": waits_for(state, optimization),
    }


def waits_for(state: State, optimization: OptimizationState) -> str:
    """Return in words what an optimization waits for now."""
    from belay.domain.gates import Gate
    from belay.domain.request_state import RequestStatus
    from belay.gates.next_run import next_run

    if optimization.pending:
        return "the flag system to confirm its scope"
    step = optimization.step
    if optimization.status.ended:
        return "nothing"
    if (wanted := next_run(state, optimization)) is not None:
        return f"a new run ({wanted.why}): `belay start {optimization.id}`"
    if step is None:
        return "its next run"
    request = state.requests.get(step.request or "")
    if request and request.status is RequestStatus.OPEN:
        return f"{request.oversight}: {_missing(request)}, until {when(request.expires_at)} UTC"
    open_gate = next((g for g in Gate if g not in step.gates), None)
    return f"gate {open_gate}" if open_gate else "its next run"


def _under_way(state: State) -> list[OptimizationState]:
    return [o for o in state.optimizations.values() if o.live or not o.status.ended]


def _live_of(state: State, capability: str) -> str:
    from belay.domain.scope import percent

    live = [o for o in state.optimizations.values() if o.capability == capability and o.live]
    return ", ".join(f"{o.id} {percent(o.scope)}" for o in live) or "–"


def _lacking(request: RequestState) -> list[str]:
    from belay.domain.rules.requests import missing_for_quorum

    return list(missing_for_quorum(request, request.votes))


def _missing(request: RequestState) -> str:
    from belay.domain.oversight import Oversight

    if request.oversight is Oversight.NOTICE:
        return "nothing, unless vetoed"
    return "; ".join(_lacking(request)) or "–"


def _plain(thing: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(thing)
