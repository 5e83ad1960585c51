"""The command line as an Airflow user: runs are started, and questions answered, as whoever logs in there."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from belay.cli.exits import BadInputError, UnavailableError
from belay.environment import value_of

if TYPE_CHECKING:
    from belay.domain.request_state import RequestState
    from belay.domain.run import Run
    from belay.domain.state import OptimizationState
    from belay.orchestration.client import AirflowClient
    from belay.services import Services

_NOTICED_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """An Airflow user's name and password."""

    user: str
    password: str


def credentials() -> Credentials | None:
    """Return the Airflow user that the environment names, or None when it names none.

    ``BELAY_AIRFLOW_USER`` with ``BELAY_AIRFLOW_PASSWORD``, or with ``BELAY_AIRFLOW_PASSWORD_FILE``: a file
    that holds the password alone.
    """
    user, password = value_of("BELAY_AIRFLOW_USER"), value_of("BELAY_AIRFLOW_PASSWORD")
    file: Path | None = value_of("BELAY_AIRFLOW_PASSWORD_FILE")
    if not user:
        return None
    if password is None and file:
        try:
            password = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInputError(f"BELAY_AIRFLOW_PASSWORD_FILE={file} cannot be read: {error}") from error
    if not password:
        raise BadInputError(
            f"BELAY_AIRFLOW_USER={user} has no password: set BELAY_AIRFLOW_PASSWORD or _PASSWORD_FILE"
        )
    return Credentials(user, password)


def session(belay: Services) -> AirflowClient | None:
    """Return a session of the environment's Airflow user; None when no Airflow or no user is named."""
    found = credentials()
    if found is None or not belay.settings.airflow_url:
        return None
    from belay.orchestration.client import AirflowClient

    return AirflowClient(belay.settings.airflow_url, found.user, found.password)


def start_run(belay: Services, known: OptimizationState) -> Run:
    """Start the run of an optimization's next step in Airflow, and return it.

    Raises
    ------
    UnavailableError
        When no Airflow user is named, or Airflow does not answer; the proposal stays recorded.
    """
    from belay.domain.run import Run
    from belay.orchestration.client import AirflowUnavailableError

    airflow = session(belay)
    recorded = f"{known.id} is recorded, and its run was not started"
    if airflow is None:
        raise UnavailableError(
            f"{recorded}: set BELAY_AIRFLOW_USER and BELAY_AIRFLOW_PASSWORD (or _PASSWORD_FILE), "
            "or say --no-start"
        )
    run = Run.of_step(known.capability, known.id, known.step.number + 1 if known.step else 1)
    try:
        return airflow.start_anew(run, {"optimization": known.id})
    except AirflowUnavailableError as error:
        raise UnavailableError(f"{recorded}: {error}; `belay start {known.id}` then") from error


def answer(
    belay: Services, airflow: AirflowClient, request: RequestState, option: str, reason: str
) -> RequestState:
    """Answer a request on Airflow's Required Actions as the session's user; return it as the ledger has it.

    The ledger is where the answer counts, so this waits until it is there.

    Raises
    ------
    UnavailableError
        When the answer was given and the run has not recorded it in time.
    """
    from belay.gates.airflow_answers import run_that_asks
    from belay.orchestration.client import NotAskedError

    run = run_that_asks(belay.ledger.state(), request)
    if run is None:
        raise BadInputError(f"request {request.id} is not the one that {request.subject} waits for any more")
    try:
        airflow.answer(run, option, reason=reason, shown=request.digest)
    except NotAskedError:
        # An answer that was sent twice was taken once.
        if belay.ledger.state().requests[request.id] == request:
            raise
    deadline = time.monotonic() + _NOTICED_SECONDS
    while time.monotonic() < deadline:
        after = belay.ledger.state().requests[request.id]
        if after != request:
            return after
        time.sleep(0.5)
    raise UnavailableError(
        f"Airflow took the answer of {airflow.user}, and the ledger does not show it after "
        f"{_NOTICED_SECONDS:.0f} s: see task approval of run {run.run_id}; it may be that "
        f"{airflow.user} may not answer, or that no worker runs"
    )


def wake(belay: Services) -> str:
    """Return how a run learns about an answer that was written to the ledger directly."""
    if not belay.settings.airflow_url:
        return ""
    return "Its run notices when it looks at the ledger again; answers through Airflow wake it at once."
