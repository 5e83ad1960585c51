"""The DAG that compares, every few minutes, what is served with what was decided."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from belay.orchestration.repeated_dag import repeated_dag
from belay.orchestration.runtime import services

if TYPE_CHECKING:
    from airflow.sdk import Context

DAG_ID = "reconcile"

_DOC = """# Reconcile

Compares what the flag system serves with what the ledger decided.

- Served **wider** than decided, or changed by hand: an incident. It is narrowed at once and recorded.
- Served **narrower**: reported here, in red. Nothing is widened for that; `belay reconcile --once --accept`
  decides what is served.
- Narrowings that did not get to the end are finished; a widening that did not is finished only if it still
  stands, by the same question to the ledger that its task would ask.
- Stops whose flags or ledger entry are missing are completed.

Without a scheduler: `belay reconcile` by cron or systemd (docs/stop.md).
"""


class ReconcileOperator(BaseOperator):
    """One pass; red when something is left that a person has to look at."""

    ui_color = "#eee8f8"

    def __init__(self, *, every: timedelta = timedelta(0), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.every = every.total_seconds()

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - Airflow's
        """Compare, finish, narrow, report."""
        from belay.actuation.reconcile import reconcile

        found = reconcile(services(), name="airflow", every=self.every)
        for difference in found.differences:
            self.log.warning(difference.sentence)
        if found.left:
            raise AirflowFailException("to look at:\n" + "\n".join(found.left))
        self.log.info("%s flags compared: everything is served as decided", found.checked)
        return found.to_document()


def build_reconcile_dag(every: timedelta) -> DAG:
    """Return the DAG ``reconcile``, which runs ``every`` so often."""
    with repeated_dag(
        DAG_ID,
        every,
        dag_display_name="Reconcile flags and ledger",
        description="Compares what is served with what was decided; narrows, and never widens.",
        doc_md=_DOC,
        tags={"belay", "guard"},
    ) as dag:
        ReconcileOperator(task_id="reconcile", every=every, execution_timeout=timedelta(minutes=5))
    return dag
