"""The DAG of one capability's rollouts: one run takes one optimization one step up its ramp."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import DAG, BaseOperator, chain
from airflow.sdk.exceptions import AirflowFailException

from belay.domain.run import ROLLOUT
from belay.orchestration.approval import SlackApprovalSensor
from belay.orchestration.form import form
from belay.orchestration.names import ADMIT_TASK, APPROVAL_TASK
from belay.orchestration.operators import (
    AdmitOperator,
    NextOperator,
    QualityOperator,
    ReviewOperator,
    WidenOperator,
)
from belay.orchestration.window import MeasurementWindowSensor
from belay.policy.describe import describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from belay.domain.capability import CapabilityPolicy
    from belay.domain.roster import Roster

_RETRIES = {
    "retries": 12,
    "retry_delay": timedelta(seconds=5),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=1),
}
"""The world (flags, warehouse, ledger, Airflow's own web server) may be away for minutes; every gate can be
asked again, and what the rules refuse is final at once."""


def build_rollout_dag(policy: CapabilityPolicy, roster: Roster, *, recheck: timedelta) -> DAG:
    """Return ``rollout__<capability>``: admit → quality → window → review → approval → widen → next."""
    owner = roster.person(policy.owner)
    with DAG(
        dag_id=ROLLOUT + policy.id,
        dag_display_name=f"Rollout: {policy.title}",
        description=f"Takes one optimization of {policy.title} one step up its ramp.",
        doc_md=describe(policy),
        schedule=None,
        catchup=False,
        max_active_runs=max(policy.limits.max_live, 1) + 1,
        tags={"belay", "rollout", policy.decision_class.value, f"surface:{policy.surface}"},
        default_args={"owner": policy.owner, **_RETRIES},
        owner_links={policy.owner: f"mailto:{owner.email}"} if owner else {},
        render_template_as_native_obj=False,
    ) as dag:
        chain(
            AdmitOperator(task_id=ADMIT_TASK),
            QualityOperator(task_id="quality"),
            MeasurementWindowSensor(task_id="window", poll=timedelta(seconds=policy.window.poll_seconds)),
            ReviewOperator(task_id="review"),
            SlackApprovalSensor(task_id=APPROVAL_TASK, recheck=recheck),
            WidenOperator(task_id="widen"),
            NextOperator(task_id="next", trigger_dag_id=ROLLOUT + policy.id),
        )
    # Late: Airflow copies the form into every task that it finds when one is made, seven times for nothing.
    dag.params.update(form(policy.id))
    return dag


class BrokenPolicyOperator(BaseOperator):
    """Fails with what is wrong in the capability's file."""

    ui_color = "#f4c7c3"

    def __init__(self, *, errors: Sequence[str], **kwargs: object) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        self.errors = list(errors)

    def execute(self, context: Context) -> None:  # noqa: ARG002 - Airflow's
        """Say what has to be mended."""
        raise AirflowFailException("the policy file cannot be used:\n" + "\n".join(self.errors))


def build_broken_dag(capability: str, errors: Sequence[str]) -> DAG:
    """Return a DAG that shows why ``capability`` has none; the other capabilities are not touched."""
    listed = "\n".join(f"- `{error}`" for error in errors)
    with DAG(
        dag_id=ROLLOUT + capability,
        dag_display_name=f"Rollout: {capability} (policy broken)",
        description=f"{capability}.yaml cannot be used: {errors[0] if errors else 'unknown'}",
        doc_md=f"# {capability}: broken policy\n\nNothing of it widens until this is mended:\n\n{listed}\n",
        schedule=None,
        catchup=False,
        tags={"belay", "rollout", "broken policy"},
    ) as dag:
        BrokenPolicyOperator(task_id="policy", errors=errors)
    return dag
