"""What was settled by any channel wakes its run from inside the web server, without a login."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.slack.conftest import ask, belay  # noqa: F401 - a fixture

from belay.domain.events import Choice
from belay.gates.airflow_answers import run_that_asks
from belay.oversight import people
from belay.web.waker import Waker

ROOT = Path(__file__).parents[2]
SCRIPT = """
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from airflow.models.dagrun import DagRun
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from fastapi import HTTPException
from sqlalchemy import insert, select, text, update

from belay.gates.airflow_answers import LOOK
from belay.web.waiting import runs_that_wait
from belay.web.waker import look_again

initdb()
TASK = ("rollout__wording", "opt__step1", "approval")


def refused():
    try:
        look_again(*TASK[:2])
    except HTTPException as error:
        return error.status_code


assert refused() == 404
name = uuid4()
names = dict(zip(("dag_id", "run_id", "task_id"), TASK), map_index=-1)
row = dict(names, id=name, try_number=1, max_tries=0, pool="p", pool_slots=1, queue="q", priority_weight=1,
           state="awaiting_input", updated_at=datetime.now(UTC) - timedelta(seconds=9),
           next_method="execute_complete", span_status="none")
run = dict(dag_id=TASK[0], run_id=TASK[1], run_type="manual", state="running", run_after=datetime.now(UTC))
page = dict(ti_id=name, options=["Approve", LOOK], subject="may it?", body="fine", multiple=False, params={})
with create_session() as session:
    session.execute(text("PRAGMA foreign_keys=OFF"))  # the task alone matters, not its run and its DAG
    session.execute(insert(DagRun.__table__).values(run))
    session.execute(insert(TaskInstance.__table__).values(row))
    session.execute(insert(HITLDetail.__table__).values(page))
assert runs_that_wait("approval") == [TASK[:2]]
assert runs_that_wait("widen") == []
look_again(*TASK[:2])
assert runs_that_wait("approval") == []
with create_session() as session:
    state, event = session.execute(select(TaskInstance.state, TaskInstance.next_kwargs)).one()
    said = session.execute(select(HITLDetail.chosen_options, HITLDetail.responded_by)).one()
assert state == "scheduled", state
assert said[0] == [LOOK]
assert said[1]["id"] == "belay", said[1]
assert LOOK in str(event), event
assert refused() == 409
with create_session() as session:
    session.execute(update(TaskInstance).values(state="awaiting_input"))
assert runs_that_wait("approval") == [], "it has only just been parked"
"""


def test_airflow_resumes_a_parked_task_and_refuses_what_does_not_wait(tmp_path: Path) -> None:
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


class Parked:
    """The runs that wait in Airflow, and those that were woken."""

    def __init__(self) -> None:
        self.runs, self.woken, self.changed = [], [], threading.Semaphore(0)

    def __call__(self, task):
        assert task == "approval"
        return list(self.runs)

    def wake(self, _belay, request):
        self.woken.append(request.id)
        self.changed.release()


@pytest.fixture
def parked() -> Parked:
    return Parked()


def answered(services):
    request = ask(services)
    run = run_that_asks(services.ledger.state(), request)
    nora = services.roster().person("nora")
    people.vote(services, request.id, Choice.APPROVE, person=nora, reason="fine", via="cli")
    return request, run


def test_a_run_is_woken_once_its_request_is_settled(belay, parked) -> None:  # noqa: F811
    waker, request = Waker(belay, parked.wake, parked), ask(belay)
    parked.runs = [run_that_asks(belay.ledger.state(), request), ("rollout__others", "others__step1")]
    assert waker.look() == [], "it is open"
    nora = belay.roster().person("nora")
    people.vote(belay, request.id, Choice.APPROVE, person=nora, reason="fine", via="cli")
    assert waker.look() == [request.id]
    assert parked.changed.acquire(timeout=10)
    assert waker.look() == [], "it has been woken a moment ago"
    assert parked.woken == [request.id]


def test_an_answer_before_the_first_look_wakes_too(belay, parked) -> None:  # noqa: F811
    request, run = answered(belay)
    parked.runs = [run]
    assert Waker(belay, parked.wake, parked).look() == [request.id]


def test_an_answer_between_two_looks_and_before_parking_wakes_once_it_is_parked(belay, parked) -> None:  # noqa: F811
    waker = Waker(belay, parked.wake, parked)
    assert waker.look() == []
    request, run = answered(belay)
    assert waker.look() == [], "it is on its way to be parked"
    parked.runs = [run]
    assert waker.look() == [request.id]


def test_a_run_that_was_woken_in_vain_is_woken_again(belay, parked, monkeypatch) -> None:  # noqa: F811
    request, run = answered(belay)
    parked.runs, now = [run], [100.0]
    monkeypatch.setattr("belay.web.waker.time.monotonic", lambda: now[0])
    waker = Waker(belay, parked.wake, parked)
    assert waker.look() == [request.id]
    now[0] += 29
    assert waker.look() == []
    now[0] += 2
    assert waker.look() == [request.id]


def test_no_ledger_is_made_by_looking(tmp_path) -> None:
    from belay.services import Services
    from belay.settings import Settings

    nothing = Services(Settings.from_env({"BELAY_HOME": str(tmp_path / "none")}))
    assert Waker(nothing, parked=lambda _: [("rollout__wording", "opt__step1")]).look() == []
    assert not (tmp_path / "none").exists()
