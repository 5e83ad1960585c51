"""The Airflow DAG ``intake``: starts the run of what was proposed, every BELAY_INTAKE_SECONDS (60)."""

from __future__ import annotations

from belay.environment import safe_value_of
from belay.orchestration.intake_dag import build_intake_dag

intake = build_intake_dag(safe_value_of("BELAY_INTAKE_SECONDS"))
