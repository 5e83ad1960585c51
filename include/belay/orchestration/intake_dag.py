"""The DAG that starts the run of what was proposed, whatever door the proposal came through."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from belay.domain.run import Run
from belay.orchestration.repeated_dag import repeated_dag
from belay.orchestration.runtime import services

if TYPE_CHECKING:
    from airflow.sdk import Context

DAG_ID = "intake"
_AT_ONCE = 20

_DOC = """# Intake

Starts the first run of every proposal that nothing has started: one that came by the API, by
`belay propose --no-start`, or while Airflow was away. A run's name follows from the optimization, so
nothing is started twice.

What was held, ran out or waits under another policy is started by people: `belay start OPTIMIZATION`, or
the button on the Autonomy page.
"""


class WaitingOperator(BaseOperator):
    """Lists what waits for its first run; skipped when nothing does."""

    ui_color = "#eee8f8"

    def execute(self, context: Context) -> list[dict[str, Any]]:  # noqa: ARG002 - Airflow's
        """Return the runs to start, as arguments of the task that starts them."""
        from belay.gates.next_run import next_run

        belay = services()
        state, usable = belay.ledger.state(), belay.policies().capabilities
        found = []
        for known in state.optimizations.values():
            wanted = next_run(state, known)
            if wanted is not None and wanted.first and known.capability in usable:
                run = Run.of_step(known.capability, known.id, wanted.number)
                found.append(
                    {
                        "trigger_dag_id": run.dag,
                        "trigger_run_id": run.run_id,
                        "conf": {"optimization": known.id},
                    }
                )
        if not found:
            raise AirflowSkipException("everything that was proposed has its run")
        return found[:_AT_ONCE]


def build_intake_dag(every: timedelta) -> DAG:
    """Return the DAG ``intake``, which runs ``every`` so often."""
    with repeated_dag(
        DAG_ID,
        every,
        dag_display_name="Intake",
        description="Starts the first run of what was proposed.",
        doc_md=_DOC,
        tags={"belay"},
    ) as dag:
        waiting = WaitingOperator(task_id="waiting", execution_timeout=timedelta(minutes=2))
        TriggerDagRunOperator.partial(task_id="start", skip_when_already_exists=True).expand_kwargs(
            waiting.output
        )
    return dag
