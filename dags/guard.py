"""The Airflow DAG ``guard``: the watch over everything live, every BELAY_GUARD_SECONDS (60)."""

from __future__ import annotations

import os
from datetime import timedelta

from belay.orchestration.guard_dag import build_guard_dag

guard = build_guard_dag(timedelta(seconds=float(os.environ.get("BELAY_GUARD_SECONDS", "60"))))
