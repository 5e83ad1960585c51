"""The DAG `intake`: every proposal's run starts, whatever door it came through, and none is started twice."""

from __future__ import annotations

import runpy
from datetime import timedelta
from pathlib import Path

import pytest
from tests.orchestration.conftest import NAME, PROPOSAL

from belay.gates.admit import propose
from belay.gates.intake import parse_proposal

REPOSITORY = Path(__file__).resolve().parents[2]


def test_it_runs_on_a_schedule_that_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELAY_INTAKE_SECONDS", "30")
    dag = runpy.run_path(str(REPOSITORY / "dags" / "intake.py"))["intake"]
    assert (dag.dag_id, dag.schedule, dag.catchup, dag.max_active_runs) == (
        "intake",
        timedelta(seconds=30),
        False,
        1,
    )
    assert dag.is_paused_upon_creation is False
    assert {task.task_id for task in dag.tasks} == {"waiting", "start"}


def test_what_was_only_recorded_is_started_once(belay, reviewed) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    from belay.orchestration.intake_dag import WaitingOperator

    waiting = WaitingOperator(task_id="waiting")
    with pytest.raises(AirflowSkipException):
        waiting.execute({})
    propose(belay, parse_proposal(PROPOSAL | {"optimization": "by-the-api"}))
    (start,) = waiting.execute({})
    assert start == {
        "trigger_dag_id": "rollout__checkout_wording",
        "trigger_run_id": "by-the-api__step1",
        "conf": {"optimization": "by-the-api"},
    }
    reviewed()
    assert [each["conf"]["optimization"] for each in waiting.execute({})] == ["by-the-api"], (
        f"{NAME} is under way"
    )
