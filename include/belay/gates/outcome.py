"""What a gate answers, and what gates share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from belay.domain.gates import Gate, Verdict
from belay.domain.rules.answer import Refusal
from belay.domain.state import OptimizationState, Step
from belay.domain.vocabulary import Rule
from belay.execution import RefusedError

if TYPE_CHECKING:
    from belay.services import Services


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


def step_under_way(belay: Services, optimization: str, step: int) -> tuple[OptimizationState, Step]:
    """Return an optimization and the step that a run is taking.

    Raises
    ------
    RefusedError
        When that step is not the one under way: another run took over, or it ended.
    """
    known = belay.ledger.state().optimizations.get(optimization)
    if known is None or known.step is None or known.step.number != step:
        raise RefusedError(Refusal(Rule.NO_SUCH_STEP, f"{optimization} has no step {step} under way"))
    return known, known.step


def recorded(optimization: OptimizationState, gate: Gate) -> GateOutcome | None:
    """Return what ``gate`` said about the step under way, if it has spoken."""
    step = optimization.step
    result = step.gates.get(gate) if step else None
    if step is None or result is None:
        return None
    return GateOutcome(gate, result.verdict, result.sentence, optimization.id, step.number, result.evidence)
