"""The task that waits, in a real metadata database of Airflow, in a process and a home of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = """
from datetime import UTC, datetime
from uuid import uuid4

from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from sqlalchemy import insert, select, text, update

from belay.web.waiting import _look, seconds_left, show_progress

initdb()
TASK = ("rollout__wording", "opt__step1", "approval")
assert _look(*TASK) == (None, None)
name = uuid4()
names = dict(zip(("dag_id", "run_id", "task_id"), TASK), map_index=-1)
row = dict(names, id=name, try_number=1, max_tries=0, pool="p", pool_slots=1, queue="q", priority_weight=1,
           state="running", span_status="none")
page = dict(ti_id=name, options=["Approve"], subject="may it?", body="ok\\n\\nAnswers so far: two.\\n\\nend",
            multiple=False, params={})
with create_session() as session:
    session.execute(text("PRAGMA foreign_keys=OFF"))  # the task alone matters, not its run and its DAG
    session.execute(insert(TaskInstance.__table__).values(row))
    session.execute(insert(HITLDetail.__table__).values(page))
assert _look(*TASK)[0] == "running"
with create_session() as session:  # as Airflow parks a task
    session.execute(update(TaskInstance).where(TaskInstance.id == name).values(state="awaiting_input"))
state, since = _look(*TASK)
assert state == "awaiting_input"
assert 0 < seconds_left(state, since, datetime.now(UTC)) <= 3
show_progress(*TASK, "Answers so far: one.")
with create_session() as session:
    body = session.scalar(select(HITLDetail.body))
assert body == "ok\\n\\nAnswers so far: one.\\n\\nend", body
"""


def test_what_airflow_knows_of_a_parked_task(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "BELAY"))}
    environment |= {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "BELAY_HOME": str(tmp_path / "home"),
    }
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
