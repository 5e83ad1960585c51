"""Wake a run whose answer is in the ledger already: it looks again, and the ledger's word counts."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from belay.domain.state import RequestState
from belay.orchestration.client import (
    AirflowClient,
    AirflowRefusedError,
    AirflowUnavailableError,
    NotAskedError,
)
from belay.orchestration.names import dag_id, promotion_dag_id

if TYPE_CHECKING:
    from belay.services import Services

_log = logging.getLogger(__name__)


def wake(belay: Services, airflow: AirflowClient | None, request: RequestState) -> bool:
    """Tell the run that waits for ``request`` to look at the ledger; return whether it took it.

    Never raises for Airflow: a run that is not woken looks by itself later.
    """
    run, dag = _run_of(belay, request)
    if airflow is None or not run:
        return False
    try:
        airflow.look_again(request.capability, run, dag=dag)
    except (AirflowUnavailableError, AirflowRefusedError, NotAskedError) as error:
        _log.info("run %s was not woken, it looks by itself later: %s", run, error)
        return False
    return True


def _run_of(belay: Services, request: RequestState) -> tuple[str, str]:
    """Return the run that waits for ``request``, and its DAG; empty when none does."""
    state = belay.ledger.state()
    if request.promotes:
        promotion = state.capabilities[request.capability].promotion
        return (promotion.run if promotion else ""), promotion_dag_id(request.capability)
    step = state.optimizations[request.optimization].step
    return (step.run if step else ""), dag_id(request.capability)
