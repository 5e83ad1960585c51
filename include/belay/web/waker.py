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
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import HTTPException
from sqlalchemy.exc import SQLAlchemyError

from belay.domain.request_state import RequestState, RequestStatus
from belay.gates.airflow_answers import LOOK, run_that_asks
from belay.ledger.opening import has_begun
from belay.web.waiting import runs_that_wait, until_settled

if TYPE_CHECKING:
    from belay.services import Services

_TASK = "approval"
_EVERY_SECONDS, _AGAIN_SECONDS = 2.0, 30.0
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
    waiting = run_that_asks(belay.ledger.state(), request)
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
    """Watches the runs that wait, and wakes those whose request is settled.

    It goes by what waits now, and not by what it saw happen: what was answered before it started, before its
    run was parked, or between two looks is woken all the same.

    Parameters
    ----------
    wake
        Wakes the run of a request; its second argument.
    parked
        Returns the DAG and the run of every approval that waits and can be woken.
    """

    def __init__(
        self,
        belay: Services,
        wake: Callable[[Services, RequestState], object] = wake_in_process,
        parked: Callable[[str], Iterable[tuple[str, str]]] = runs_that_wait,
    ) -> None:
        self._belay, self._wake, self._parked = belay, wake, parked
        self._head: object = None
        self._settled: dict[tuple[str, str] | None, RequestState] = {}
        self._tried: dict[tuple[str, str], float] = {}
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="belay-wake")

    def look(self) -> list[str]:
        """Wake the runs that wait for what is settled; return the names of those requests.

        A run that still waits half a minute after it was woken is woken again.
        """
        parked = set(self._parked(_TASK))
        self._tried = {run: at for run, at in self._tried.items() if run in parked}
        if not parked or not has_begun(self._belay.settings.ledger_url):
            return []
        settled, now = self._settled_requests(), time.monotonic()
        due = [run for run in sorted(parked & settled.keys()) if now >= self._tried.get(run, now)]
        for run in due:
            self._tried[run] = now + _AGAIN_SECONDS
            self._pool.submit(self._woken, settled[run])
        return [settled[run].id for run in due]

    def _settled_requests(self) -> dict[tuple[str, str] | None, RequestState]:
        """Return the requests that wait for nobody any more, by the run that asked."""
        head = self._belay.ledger.head()
        if head != self._head:
            state = self._belay.ledger.state()
            closed = [r for r in state.requests.values() if r.status is not RequestStatus.OPEN]
            self._head, self._settled = head, {run_that_asks(state, request): request for request in closed}
        return self._settled

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
