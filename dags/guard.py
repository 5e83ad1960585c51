"""The Airflow DAG ``guard``: the watch over everything live, every BELAY_GUARD_SECONDS (60)."""

from __future__ import annotations

from belay.environment import safe_value_of
from belay.orchestration.guard_dag import build_guard_dag

guard = build_guard_dag(safe_value_of("BELAY_GUARD_SECONDS"))
