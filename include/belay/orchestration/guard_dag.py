"""The DAG that watches everything live, whatever the rollouts are doing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from belay.orchestration.repeated_dag import repeated_dag
from belay.orchestration.runtime import services

if TYPE_CHECKING:
    from airflow.sdk import Context

DAG_ID, NAME = "guard", "airflow"

_DOC = """# Guard

Looks at everything that is live, once an interval, whatever its rollout is doing: running, waiting for a
person, held, frozen, paused, broken, complete. It can only narrow.

- **Harm** shown on any metric or segment: rolled back at once; open questions about it are void.
- **Blind** (no warehouse, no fresh data): nothing widens where it cannot see; after the stage's budget the
  scope shrinks to the largest one ever shown harmless. One incident a source.
- Red means that something could not be carried out (the log says what); the next run tries again.

Without a scheduler: `belay guard --once` by cron or a systemd timer does the same (docs/guard.md).
"""


class GuardOperator(BaseOperator):
    """One cycle; red when something that was decided could not be carried out."""

    ui_color = "#f8eee8"

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - Airflow's
        """Look, narrow, report."""
        from belay.guard.cycle import guard

        cycle = guard(services(), NAME)
        for verb, names in (
            ("rolled back", cycle.rolled_back),
            ("shrunk to what was shown harmless", cycle.shrunk),
            ("blind", cycle.blind),
            ("demoted", cycle.demoted),
            ("seen again", cycle.sighted),
        ):
            if names:
                self.log.warning("%s: %s", verb, ", ".join(names))
        if cycle.froze:
            self.log.warning(cycle.froze)
        self.log.info(
            "%s live, %s read in %s statements, %.1f s",
            cycle.live,
            cycle.read,
            cycle.statements,
            cycle.seconds,
        )
        if cycle.problems:
            raise AirflowFailException("could not be carried out:\n" + "\n".join(cycle.problems))
        return cycle.to_document()


def build_guard_dag(every: timedelta) -> DAG:
    """Return the DAG ``guard``, which runs ``every`` so often."""
    with repeated_dag(
        DAG_ID,
        every,
        dag_display_name="Guard",
        description="Watches everything live; narrows what does harm, and what cannot be seen for too long.",
        doc_md=_DOC,
        dagrun_timeout=max(5 * every, timedelta(minutes=5)),
        tags={"belay", "guard"},
    ) as dag:
        # First in the queue: a busy Airflow delays everything else before the watch.
        GuardOperator(task_id="guard", execution_timeout=timedelta(minutes=3), priority_weight=1000)
    return dag
