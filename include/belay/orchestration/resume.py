"""Wake a run whose answer is in the ledger already: it looks again, and the ledger's word counts."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from belay.domain.request_state import RequestState
from belay.gates.airflow_answers import run_that_asks
from belay.orchestration.client import (
    AirflowClient,
    AirflowRefusedError,
    AirflowUnavailableError,
    NotAskedError,
)

if TYPE_CHECKING:
    from belay.services import Services

_log = logging.getLogger(__name__)


def wake(belay: Services, airflow: AirflowClient | None, request: RequestState) -> bool:
    """Tell the run that waits for ``request`` to look at the ledger; return whether it took it.

    Never raises for Airflow: a run that is not woken looks by itself later.
    """
    run = run_that_asks(belay.ledger.state(), request)
    if airflow is None or run is None:
        return False
    try:
        airflow.look_again(run)
    except (AirflowUnavailableError, AirflowRefusedError, NotAskedError) as error:
        _log.info("run %s was not woken, it looks by itself later: %s", run.run_id, error)
        return False
    return True
