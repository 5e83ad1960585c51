"""What the DAGs have in common that do one thing every few minutes: guard, reconcile, intake."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG


def repeated_dag(dag_id: str, every: timedelta, **more: Any) -> DAG:
    """Return a DAG that runs ``every`` so often, one run at a time, and catches up on nothing.

    ``more`` are further arguments of ``DAG``: its name for people, description, documentation, tags.
    """
    return DAG(
        dag_id=dag_id,
        schedule=every,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        default_args={"owner": "belay", "retries": 0},
        **more,
    )
