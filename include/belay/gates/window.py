"""Window: watch the scope now live until it can be judged. Harm at any look ends it at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from belay.actuation.flag_writer import settle_scope
from belay.analysis.reading import BlindError, Reading, live_since, read
from belay.analysis.registered_plan import Registered, registered
from belay.domain import commands as c
from belay.domain.capability import CapabilityPolicy
from belay.domain.events import LookTaken
from belay.domain.figures import duration
from belay.domain.gates import Gate, Verdict
from belay.domain.state import OptimizationState
from belay.execution import execute
from belay.gates.outcome import GateOutcome, recorded, step_under_way
from belay.ledger.store import recorded as recorded_entry
from belay.oversight.active_policy import policy_in_force, policy_moved
from belay.oversight.demotion import apply_demotions

if TYPE_CHECKING:
    from belay.services import Services


_NEWEST = 50
"""Entries of an optimization among which its newest look is searched; further back, one more is recorded."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look: ``outcome`` is None while the window goes on, and ``sentence`` says how it stands."""

    outcome: GateOutcome | None
    sentence: str


def window_look(belay: Services, optimization: str, step: int) -> Look:
    """Take one look, and end the window when there is harm, when all is shown, or when it is over.

    Safe to repeat: what a look found is recorded once, and an ended window answers with its verdict.
    A look that cannot see (no data, no warehouse) is unknown: the window waits, and at its maximum it
    holds and says why. Watching for long blindness is the guard's work.

    Raises
    ------
    RefusedError
        When the step is not the one under way any more.
    """
    known, under_way = step_under_way(belay, optimization, step)
    if (spoken := recorded(known, Gate.WINDOW)) is not None:
        return Look(spoken, spoken.sentence)
    if moved := policy_moved(belay, known):
        return _end(belay, known, step, Verdict.HOLD, moved, None)
    if known.scope == 0:
        return _end(
            belay, known, step, Verdict.PASS, "nobody has seen it yet: there is nothing to watch", None
        )
    policy = policy_in_force(belay, known.capability)
    plan = registered(belay, known, policy)
    try:
        reading = read(
            belay, known, policy, plan.window, planned_units=plan.planned_units, earlier=plan.earlier
        )
    except BlindError as blind:
        waited = belay.data_now() - live_since(known, belay.settings.flag_settle)
        if waited.total_seconds() >= policy.window.maximum_seconds:
            return _end(belay, known, step, Verdict.HOLD, _not_seen(policy, f"blind: {blind}"), None)
        return Look(None, f"blind: {blind}")
    return _judge(belay, known, under_way.looks + 1, policy, plan, reading)


def _judge(
    belay: Services,
    known: OptimizationState,
    look: int,
    policy: CapabilityPolicy,
    plan: Registered,
    reading: Reading,
) -> Look:
    found, problem, elapsed, step = reading.monitoring, reading.cells.problem, reading.elapsed, known.step
    assert step is not None
    units = f"{reading.cells.smallest_treatment_units:,} units in the smallest treatment"
    over = elapsed >= timedelta(seconds=policy.window.maximum_seconds)
    so_far = f"look {look}: {duration(elapsed)} of {duration(plan.window)}"
    if found.harm_sentence is not None:
        sentence = found.harm_sentence
    elif problem is not None:
        sentence = f"{so_far}, could not see: {problem}"
    else:
        sentence = f"{so_far}, {units}, {found.standing}"
    early = bool(found.decided) and not over and elapsed < plan.window
    enough = found.enough and elapsed >= plan.window
    ends = found.harm_sentence is not None or over or early or enough
    if not ends and _last_look(belay, known, step.number) == reading.until:
        return Look(None, f"no data since the last look: {sentence}")
    evidence = belay.ledger.put_evidence(_document(known, look, reading, sentence, early=early))
    harmful = found.harm_sentence is not None
    taken = c.TakeLook(
        known.id, step.number, look, reading.until, harmful, sentence, evidence, str(found.finding)
    )
    execute(belay, taken, by="window")
    if harmful:
        return _end(belay, known, step.number, Verdict.FAIL, sentence, evidence, caution=found.caution)
    if problem is not None:
        if over:
            return _end(belay, known, step.number, Verdict.HOLD, _not_seen(policy, problem), evidence)
        return Look(None, sentence)
    if early:
        text = (
            f"decided early, after {duration(elapsed)} of {duration(plan.window)}: {units}, {found.decided}"
        )
        return _end(belay, known, step.number, Verdict.PASS, text, evidence)
    if over or enough:
        ending = "the window is over" if found.enough else "the maximum is reached before the minimum sample"
        text = f"{ending}: {duration(elapsed)}, {units}, {found.standing}"
        return _end(belay, known, step.number, Verdict.PASS, text, evidence)
    return Look(None, sentence)


def _last_look(belay: Services, known: OptimizationState, step: int) -> datetime | None:
    """Return the data time of the step's newest look that is recorded: the same data say the same again."""
    for entry in reversed(list(belay.ledger.entries(last=_NEWEST, optimization=known.id))):
        event = recorded_entry(entry).event
        if isinstance(event, LookTaken):
            return event.data_time if event.step == step else None
    return None


def _not_seen(policy: CapabilityPolicy, problem: str) -> str:
    maximum = duration(timedelta(seconds=policy.window.maximum_seconds))
    return f"could not see, and the maximum of {maximum} is over: {problem}"


def _document(
    known: OptimizationState, look: int, reading: Reading, sentence: str, *, early: bool
) -> dict[str, object]:
    return {
        "kind": "look",
        "optimization": known.id,
        "look": look,
        "until": reading.until.isoformat(),
        "elapsed_seconds": reading.elapsed.total_seconds(),
        "sentence": sentence,
        "early": early,
        "monitoring": reading.monitoring.to_document(),
    }


def _end(
    belay: Services,
    known: OptimizationState,
    step: int,
    verdict: Verdict,
    sentence: str,
    evidence: str | None,
    *,
    caution: bool = False,
) -> Look:
    command = c.JudgeGate(known.id, step, Gate.WINDOW, verdict, sentence, evidence, caution=caution)
    execute(belay, command, by="window")
    if verdict is Verdict.FAIL:
        settle_scope(belay, known.id)
        apply_demotions(belay, only=known.capability)
    return Look(GateOutcome(Gate.WINDOW, verdict, sentence, known.id, step, evidence), sentence)
