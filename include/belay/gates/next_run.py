"""What waits for nobody: an optimization whose next run somebody, or the DAG `intake`, has to start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from belay.domain.gates import Gate, Verdict
from belay.domain.request_state import RequestStatus
from belay.domain.state import Status

if TYPE_CHECKING:
    from belay.domain.state import OptimizationState, State


@dataclass(frozen=True, slots=True)
class NextRun:
    """A run that is not under way.

    Attributes
    ----------
    number : int
        Number of the attempt that it would take, from 1.
    why : str
        Why nothing is under way, in words.
    first : bool
        Whether nothing was ever started for the optimization, so that starting it takes no decision.
    """

    number: int
    why: str
    first: bool = False


def next_run(state: State, known: OptimizationState) -> NextRun | None:
    """Return the run that an optimization needs to go on; None while it is under way, or over."""
    step = known.step
    number = step.number + 1 if step else 1
    if known.status.ended or known.pending is not None:
        return None
    if known.status is Status.HELD:
        return NextRun(number, f"held: {known.reason}")
    if step is None:
        return NextRun(number, "nothing has started it yet", first=True)
    stuck = next((g for g in Gate if g in step.gates and step.gates[g].verdict is not Verdict.PASS), None)
    if stuck is not None:
        return NextRun(number, f"{stuck}: {step.gates[stuck].sentence}")
    if known.scope >= step.to_scope:
        return NextRun(number, "its last step is taken")
    if state.capabilities[known.capability].policy != step.policy:
        return NextRun(number, "its policy changed since this step was admitted")
    request = state.requests.get(step.request or "")
    if request is not None and request.status not in (RequestStatus.OPEN, RequestStatus.GRANTED):
        return NextRun(number, f"its question is {request.status}: {request.outcome}".rstrip(": "))
    return None
