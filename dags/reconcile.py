"""The Airflow DAG ``reconcile``: is what is served what was decided? Every BELAY_RECONCILE_SECONDS (300)."""

from __future__ import annotations

import os
from datetime import timedelta

from belay.orchestration.reconcile_dag import build_reconcile_dag

reconcile = build_reconcile_dag(timedelta(seconds=float(os.environ.get("BELAY_RECONCILE_SECONDS", "300"))))
