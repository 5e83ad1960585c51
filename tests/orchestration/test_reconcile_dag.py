"""The DAG ``reconcile``: thin, on a schedule, red when something is left."""

from __future__ import annotations

import runpy
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.live import make_live

REPOSITORY = Path(__file__).resolve().parents[2]


def test_it_runs_on_a_schedule_that_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELAY_RECONCILE_SECONDS", "90")
    dag = runpy.run_path(str(REPOSITORY / "dags" / "reconcile.py"))["reconcile"]
    assert (dag.dag_id, dag.schedule, dag.catchup, dag.max_active_runs) == (
        "reconcile",
        timedelta(seconds=90),
        False,
        1,
    )
    assert dag.is_paused_upon_creation is False
    assert "never widens" in dag.description


def test_a_pass_is_green_or_says_what_is_left(belay) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    from belay.orchestration.reconcile_dag import ReconcileOperator

    make_live(belay, 2)
    operator = ReconcileOperator(task_id="reconcile")
    assert operator.execute({})["checked"] == 2
    (belay.settings.home / "flags" / "flags.flagd.json").unlink()
    with pytest.raises(AirflowFailException, match="nothing is widened for that"):
        operator.execute({})


@pytest.mark.parametrize("file", sorted((REPOSITORY / "dags").glob("*.py")), ids=lambda path: path.stem)
def test_airflow_takes_the_file_for_one_with_dags(file: Path) -> None:
    """Airflow's safe mode reads no file that does not say both words."""
    from airflow.utils.file import might_contain_dag

    assert might_contain_dag(str(file), safe_mode=True)
