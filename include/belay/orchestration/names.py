"""Names that Airflow and those who talk to it from outside share. Imports nothing."""

from __future__ import annotations

PREFIX = "rollout__"
PROMOTION_PREFIX = "promotion__"
ADMIT_TASK, APPROVAL_TASK = "admit", "approval"


def dag_id(capability: str) -> str:
    """Return the id of the DAG that runs the rollouts of ``capability``."""
    return f"{PREFIX}{capability}"


def run_id(optimization: str, step: int) -> str:
    """Return the id of the run that takes an optimization's step ``step``."""
    return f"{optimization}__step{step}"


def promotion_dag_id(capability: str) -> str:
    """Return the id of the DAG that asks whether ``capability`` has earned a stage."""
    return f"{PROMOTION_PREFIX}{capability}"


def promotion_run(capability: str, run: str) -> str:
    """Return what the ledger calls a promotion's run: scheduled runs of all DAGs share their ids."""
    return f"{promotion_dag_id(capability)}:{run}"
