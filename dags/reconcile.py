"""The Airflow DAG ``reconcile``: is what is served what was decided? Every BELAY_RECONCILE_SECONDS (300)."""

from __future__ import annotations

from belay.environment import safe_value_of
from belay.orchestration.reconcile_dag import build_reconcile_dag

reconcile = build_reconcile_dag(safe_value_of("BELAY_RECONCILE_SECONDS"))
