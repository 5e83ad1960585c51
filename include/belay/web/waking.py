"""Wake runs from inside Airflow's web server, whatever channel an answer came by: it takes no login there.

The ledger says that a request is settled; its run is then let look at the ledger by the function behind
Airflow's own route for answers, with its locks, its checks and its resuming of the task. It answers nothing:
the option that it chooses only lets the task look again (`belay.orchestration.approval`). Without this, a
run notices at its recheck.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import HTTPException
from sqlalchemy.exc import SQLAlchemyError

from belay.domain.state import RequestState
from belay.gates.answers import LOOK, airflow_run
from belay.ledger.opening import has_begun
from belay.web.waiting import until_settled

if TYPE_CHECKING:
    from belay.services import Services

_TASK = "approval"
_EVERY_SECONDS = 2.0
_AT_ONCE = 4
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Belay:
    """Who Airflow writes down as having let the run look: nobody's account, so nobody's voice is used."""

    def get_id(self) -> str:
        return "belay"

    def get_name(self) -> str:
        return "Belay"


def wake_in_process(belay: Services, request: RequestState) -> bool:
    """Let the run that waits for ``request`` look at the ledger; return whether Airflow took it.

    Never raises for Airflow: a run that is not woken looks by itself later.
    """
    waiting = airflow_run(belay.ledger.state(), request)
    if waiting is None:
        return False
    dag, run = waiting
    try:
        if not asyncio.run(until_settled(dag, run, _TASK)):
            _log.warning("run %s of %s is woken while it may still be parking", run, dag)
        look_again(dag, run)
    except HTTPException as error:  # it waits for nothing (any more), or somebody else woke it
        _log.info("run %s of %s was not woken: %s", run, dag, error.detail)
        return False
    except (SQLAlchemyError, ImportError, AttributeError, TypeError) as error:
        _log.warning("run %s of %s was not woken, it looks by itself later: %s", run, dag, error)
        return False
    return True


def look_again(dag: str, run: str) -> None:
    """Answer a run's page with the option that answers nothing.

    Raises
    ------
    fastapi.HTTPException
        404 or 409 when the run waits for no answer.
    """
    from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
    from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
    from airflow.utils.session import create_session

    with create_session() as session:
        update_hitl_detail(
            dag_id=dag,
            dag_run_id=run,
            task_id=_TASK,
            update_hitl_detail_payload=UpdateHITLDetailPayload(chosen_options=[LOOK], params_input={}),
            user=_Belay(),  # type: ignore[arg-type]
            session=session,
        )


class Waker:
    """Watches the ledger for requests that are settled, and wakes their runs."""

    def __init__(
        self, belay: Services, wake: Callable[[Services, RequestState], object] = wake_in_process
    ) -> None:
        self._belay, self._wake = belay, wake
        self._head: object = None
        self._open = frozenset[str]()
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="belay-wake")

    def look(self) -> list[str]:
        """Wake the runs of what was settled since the last look; return the names of those requests."""
        if not has_begun(self._belay.settings.ledger_url):
            return []
        head = self._belay.ledger.head()
        if head == self._head:
            return []
        state = self._belay.ledger.state()
        still_open = frozenset(request.id for request in state.open_requests())
        settled = sorted(name for name in self._open - still_open if name in state.requests)
        self._head, self._open = head, still_open
        for name in settled:
            self._pool.submit(self._woken, state.requests[name])
        return settled

    def _woken(self, request: RequestState) -> None:
        try:
            self._wake(self._belay, request)
        except Exception as error:  # noqa: BLE001 - nobody waits for this thread: what is wrong is in the log
            _log.warning("the run of %s was not woken, it looks by itself later: %r", request.id, error)

    def run(self) -> None:
        """Look for as long as the process lives."""
        while True:
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - whatever it is, runs look by themselves meanwhile
                _log.warning("runs are not woken for now: %s", error)
                time.sleep(_EVERY_SECONDS * 10)
            time.sleep(_EVERY_SECONDS)
