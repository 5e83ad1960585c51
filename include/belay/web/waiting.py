"""The task that waits for an answer, in Airflow's own database: when may it be woken, and what does it show?

Only Airflow's web server reads that database. An answer waits until the task has waited for a moment (why:
``belay.orchestration.names.SETTLES_SECONDS``).
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime, timedelta

from belay.orchestration.names import SETTLES_SECONDS
from belay.present.markdown import SO_FAR

_SETTLES = timedelta(seconds=SETTLES_SECONDS)
_PATIENCE_SECONDS, _PAUSE_SECONDS = 20.0, 0.25
_WAITS = "awaiting_input"
_ON_ITS_WAY = frozenset({"scheduled", "queued", "running", "up_for_retry", "up_for_reschedule", "restarting"})

_log = logging.getLogger(__name__)


async def until_settled(dag: str, run: str, task: str) -> bool:
    """Wait until the task can be woken without harm; return whether it can.

    It gives up after twenty seconds: then Airflow's own answer, and the task's retries, have to do.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        state, since = await asyncio.to_thread(_look, dag, run, task)
        left = seconds_left(state, since, datetime.now(UTC))
        if left <= 0:
            return True
        if time.monotonic() + left > deadline:
            return False
        await asyncio.sleep(left)


def seconds_left(state: str | None, since: datetime | None, now: datetime) -> float:
    """Return how long to wait before looking again; 0 when an answer harms nothing.

    Parameters
    ----------
    state
        The task's state; None when there is no such task.
    since
        When the state was written.
    """
    if state in _ON_ITS_WAY:
        return _PAUSE_SECONDS
    if state != _WAITS or since is None:
        return 0.0
    left = (_SETTLES - (now - since)).total_seconds()
    return min(max(left, 0.0), _SETTLES.total_seconds())  # a clock that went back is no reason to wait longer


def _look(dag: str, run: str, task: str) -> tuple[str | None, datetime | None]:
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    wanted = select(TaskInstance.state, TaskInstance.updated_at).where(
        TaskInstance.dag_id == dag, TaskInstance.run_id == run, TaskInstance.task_id == task
    )
    with create_session() as session:
        found = session.execute(wanted).first()
    return (None, None) if found is None else (found.state, found.updated_at)


def runs_that_wait(task: str) -> list[tuple[str, str]]:
    """Return the DAG and the run of every ``task`` that waits for an answer and can be woken without harm."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    wanted = select(TaskInstance.dag_id, TaskInstance.run_id, TaskInstance.updated_at).where(
        TaskInstance.state == _WAITS, TaskInstance.task_id == task
    )
    with create_session() as session:
        found = session.execute(wanted).all()
    now = datetime.now(UTC)
    return [(dag, run) for dag, run, since in found if seconds_left(_WAITS, since, now) <= 0]


def show_progress(dag: str, run: str, task: str, line: str) -> None:
    """Put ``line`` in place of the page's old one: Airflow keeps a page's text for as long as a try."""
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    wanted = (
        select(HITLDetail)
        .join(TaskInstance, TaskInstance.id == HITLDetail.ti_id)
        .where(TaskInstance.dag_id == dag, TaskInstance.run_id == run, TaskInstance.task_id == task)
    )
    with create_session() as session:
        page = session.scalar(wanted)
        if page is not None and page.body:
            page.body = with_progress(page.body, line)


def with_progress(body: str, line: str) -> str:
    """Return ``body`` with its line of progress replaced."""
    return "\n\n".join(line if part.startswith(SO_FAR) else part for part in body.split("\n\n"))
