"""Window: watch the scope now live until it can be judged. Harm at any look ends it at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from belay.domain import commands as c
from belay.domain.capability import CapabilityPolicy
from belay.domain.gates import Gate, Verdict
from belay.domain.state import OptimizationState
from belay.gates.admit import planned_window
from belay.gates.outcome import GateOutcome, execute, in_words, recorded, step_under_way
from belay.gates.reading import BlindError, Reading, read
from belay.gates.widen import settle_scope

if TYPE_CHECKING:
    from belay.services import Services


@dataclass(frozen=True, slots=True)
class Look:
    """One look: ``outcome`` is None while the window goes on, and ``sentence`` says how it stands."""

    outcome: GateOutcome | None
    sentence: str


def window_look(belay: Services, optimization: str, step: int) -> Look:
    """Take one look, and end the window when there is harm or when it has seen enough.

    Safe to repeat: what a look found is recorded once, and an ended window answers with its verdict.
    A look that cannot see (no data, no warehouse) changes nothing and says so; watching for long
    blindness is the guard's work.

    Raises
    ------
    RefusedError
        When the step is not the one under way any more.
    """
    known, under_way = step_under_way(belay, optimization, step)
    if (spoken := recorded(known, Gate.WINDOW)) is not None:
        return Look(spoken, spoken.sentence)
    if known.scope == 0:
        return _end(
            belay, known, step, Verdict.PASS, "nobody has seen it yet: there is nothing to watch", None
        )
    policy = belay.policy(known.capability)
    planned = planned_window(belay, known, policy)
    try:
        reading = read(belay, known, policy, planned)
    except BlindError as blind:
        return Look(None, f"blind: {blind}")
    return _judge(belay, known, under_way.looks + 1, policy, planned, reading)


def _judge(
    belay: Services,
    known: OptimizationState,
    look: int,
    policy: CapabilityPolicy,
    planned: timedelta,
    reading: Reading,
) -> Look:
    harm = reading.monitoring.harm_sentence
    units = reading.cells.smallest_treatment_units
    elapsed, step = reading.elapsed, known.step
    assert step is not None
    enough = (
        elapsed >= timedelta(seconds=policy.window.minimum_seconds) and units >= policy.window.minimum_units
    )
    over = elapsed >= timedelta(seconds=policy.window.maximum_seconds)
    sentence = harm or (
        f"look {look}: {in_words(elapsed)} of {in_words(planned)}, "
        f"{units:,} units in the smallest treatment, no harm shown"
    )
    evidence = belay.ledger.put_evidence(_document(known, look, reading, sentence))
    execute(
        belay,
        c.TakeLook(known.id, step.number, look, reading.until, harm is not None, sentence, evidence),
        by="window",
    )
    if harm is not None:
        return _end(belay, known, step.number, Verdict.FAIL, harm, evidence)
    if (enough and elapsed >= planned) or over:
        ending = "the window is over" if enough else "the maximum is reached before the minimum sample"
        text = f"{ending}: {in_words(elapsed)}, {units:,} units in the smallest treatment, no harm shown"
        return _end(belay, known, step.number, Verdict.PASS, text, evidence)
    return Look(None, sentence)


def _document(known: OptimizationState, look: int, reading: Reading, sentence: str) -> dict[str, object]:
    return {
        "kind": "look",
        "optimization": known.id,
        "look": look,
        "until": reading.until.isoformat(),
        "elapsed_seconds": reading.elapsed.total_seconds(),
        "sentence": sentence,
        "monitoring": reading.monitoring.to_document(),
    }


def _end(
    belay: Services,
    known: OptimizationState,
    step: int,
    verdict: Verdict,
    sentence: str,
    evidence: str | None,
) -> Look:
    execute(belay, c.JudgeGate(known.id, step, Gate.WINDOW, verdict, sentence, evidence), by="window")
    if verdict is Verdict.FAIL:
        settle_scope(belay, known.id)
    return Look(GateOutcome(Gate.WINDOW, verdict, sentence, known.id, step, evidence), sentence)
