"""Wake a run whose answer is in the ledger already: it looks again, and the ledger's word counts."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from belay.domain.state import RequestState
from belay.gates.answers import airflow_run
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
    waiting = airflow_run(belay.ledger.state(), request)
    if airflow is None or waiting is None:
        return False
    dag, run = waiting
    try:
        airflow.look_again(request.capability, run, dag=dag)
    except (AirflowUnavailableError, AirflowRefusedError, NotAskedError) as error:
        _log.info("run %s was not woken, it looks by itself later: %s", run, error)
        return False
    return True
