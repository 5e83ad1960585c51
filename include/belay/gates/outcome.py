"""What a gate answers, and what gates share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from belay.domain.actors import service
from belay.domain.commands import Command
from belay.domain.gates import Gate, Verdict
from belay.domain.rules.answer import Refusal
from belay.domain.state import OptimizationState, Step

if TYPE_CHECKING:
    from belay.ledger.store import Outcome
    from belay.services import Services


class RefusedError(Exception):
    """The rules said no; ``refusal`` names the rule."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.message} (rule: {refusal.rule})")
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """A gate's verdict on a step: a sentence for people, a digest for those who want to know why."""

    gate: Gate
    verdict: Verdict
    sentence: str
    optimization: str
    step: int
    evidence: str | None = None

    def to_document(self) -> dict[str, Any]:
        """Return it as plain JSON (for XCom, the CLI and logs)."""
        return {
            "gate": str(self.gate),
            "verdict": str(self.verdict),
            "sentence": self.sentence,
            "optimization": self.optimization,
            "step": self.step,
            "evidence": self.evidence,
        }


def execute(belay: Services, command: Command, *, by: str, key: str = "") -> Outcome:
    """Execute ``command`` as one of Belay's own services.

    Raises
    ------
    RefusedError
        When the rules say no.
    """
    outcome = belay.ledger.execute(command, by=service(by), at=belay.now(), key=key)
    if outcome.refusal is not None:
        raise RefusedError(outcome.refusal)
    return outcome


def step_under_way(belay: Services, optimization: str, step: int) -> tuple[OptimizationState, Step]:
    """Return an optimization and the step that a run is taking.

    Raises
    ------
    RefusedError
        When that step is not the one under way: another run took over, or it ended.
    """
    known = belay.ledger.state().optimizations.get(optimization)
    if known is None or known.step is None or known.step.number != step:
        raise RefusedError(Refusal("no-such-step", f"{optimization} has no step {step} under way"))
    return known, known.step


def recorded(optimization: OptimizationState, gate: Gate) -> GateOutcome | None:
    """Return what ``gate`` said about the step under way, if it has spoken."""
    step = optimization.step
    result = step.gates.get(gate) if step else None
    if step is None or result is None:
        return None
    return GateOutcome(gate, result.verdict, result.sentence, optimization.id, step.number, result.evidence)


def in_words(duration: timedelta) -> str:
    """Return a duration as people say it: ``3 days``, ``2.5 hours``, ``40 seconds``."""
    seconds = duration.total_seconds()
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = round(seconds / size, 1)
            return f"{count:g} {name}" + ("" if count == 1 else "s")
    return f"{seconds:.0f} seconds"
