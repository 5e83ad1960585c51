"""The DAG ``guard``: one light loop, never two at once, red when something could not be carried out."""

from __future__ import annotations

import runpy
from datetime import timedelta
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def test_it_runs_on_a_schedule_that_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELAY_GUARD_SECONDS", "30")
    dag = runpy.run_path(str(REPOSITORY / "dags" / "guard.py"))["guard"]
    assert (dag.dag_id, dag.schedule, dag.catchup, dag.max_active_runs) == (
        "guard",
        timedelta(seconds=30),
        False,
        1,
    )
    assert dag.is_paused_upon_creation is False
    (task,) = dag.tasks
    assert task.execution_timeout is not None
    assert task.retries == 0


def test_a_cycle_is_a_plain_document(belay) -> None:
    from belay.orchestration.guard_dag import GuardOperator

    document = GuardOperator(task_id="guard").execute({})
    assert (document["live"], document["rolled_back"], document["problems"]) == (0, [], [])
