"""One Airflow DAG a capability: ``promotion__<capability>``, generated from include/capabilities."""

from __future__ import annotations

from belay.orchestration.generate import promotion_dags

for _dag in promotion_dags():
    globals()[_dag.dag_id] = _dag
