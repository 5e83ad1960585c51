"""Wake the run that waits for an answer. The ledger has it already; this saves the wait for a re-check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Request

from belay.domain.request_state import RequestState
from belay.domain.run import Run
from belay.domain.state import OptimizationState
from belay.gates.airflow_answers import APPROVE, REJECT, run_that_asks
from belay.orchestration.client import (
    AirflowClient,
    AirflowRefusedError,
    AirflowUnavailableError,
    NotAskedError,
)
from belay.web.auth import own_address, token_of

if TYPE_CHECKING:
    from belay.services import Services

_SECONDS = 10


def start_run(known: OptimizationState, http: Request) -> tuple[str | None, str]:
    """Start an optimization's next run as the person who is logged in; return its id, and what to say."""
    airflow, by_hand = _own_airflow(http), f"run `belay start {known.id}`"
    if airflow is None:
        return None, f"this page cannot start it: {by_hand}"
    first = Run.of_step(known.capability, known.id, known.step.number + 1 if known.step else 1)
    try:
        run = airflow.start_anew(first, {"optimization": known.id}).run_id
    except (AirflowUnavailableError, AirflowRefusedError) as error:
        return None, f"Airflow did not start it: {error}; {by_hand}"
    return run, f"Run {run} is under way."


def wake_run(belay: Services, request: RequestState, http: Request, choice: str, reason: str) -> bool:
    """Answer Airflow's request in the name of the person who is logged in; return whether it took it."""
    waiting, airflow = run_that_asks(belay.ledger.state(), request), _own_airflow(http)
    if waiting is None or airflow is None:
        return False
    option = APPROVE if choice == "approve" else REJECT
    try:
        airflow.answer(waiting, option, reason=reason, shown=request.digest, patient=False)
    except (AirflowUnavailableError, AirflowRefusedError, NotAskedError):
        return False
    return True


def _own_airflow(http: Request) -> AirflowClient | None:
    """Return a session of whoever is logged in, at this very server; None where it has no address."""
    token, address = token_of(http), own_address(http)
    if not token or address is None:
        return None
    return AirflowClient(address, token=token, seconds=_SECONDS)
