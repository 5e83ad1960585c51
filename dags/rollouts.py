"""One Airflow DAG a capability: ``rollout__<capability>``, generated from include/capabilities."""

from __future__ import annotations

from belay.orchestration.generate import rollout_dags

for _dag in rollout_dags():
    globals()[_dag.dag_id] = _dag
