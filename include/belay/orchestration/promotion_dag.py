"""The DAG of one capability's promotions: a run asks whether it has earned a stage, or its lease anew."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, BaseOperator, Param, chain

from belay.domain.run import PROMOTION
from belay.domain.stages import Stage
from belay.environment import NEVER, safe_value_of
from belay.orchestration.approval import PromotionApprovalSensor
from belay.orchestration.names import ADMIT_TASK, APPROVAL_TASK
from belay.orchestration.operators import REVIEW_LINKS
from belay.orchestration.runtime import asked_by, capability_of, obeying, run_of, services
from belay.policy.describe import describe_autonomy

if TYPE_CHECKING:
    from airflow.sdk import Context

    from belay.domain.capability import CapabilityPolicy
    from belay.domain.roster import Roster
    from belay.gates.promotion import PromotionOutcome

_RETRIES = {"retries": 4, "retry_delay": timedelta(seconds=5), "retry_exponential_backoff": True}


def build_promotion_dag(policy: CapabilityPolicy, roster: Roster, *, recheck: timedelta) -> DAG:
    """Return ``promotion__<capability>``: admit → quality → record → review → approval → promote.

    It runs every morning and ends at once when nothing is due. A run that a person starts (``belay promote``,
    or the trigger button) is taken up whether it is due or not. ``BELAY_PROMOTION_SCHEDULE`` changes the
    time (a cron expression), or leaves the schedule out (``none``).
    """
    owner = roster.person(policy.owner)
    with DAG(
        dag_id=PROMOTION + policy.id,
        dag_display_name=f"Promotion: {policy.title}",
        description=f"Asks whether {policy.title} has earned more autonomy, or its lease anew.",
        doc_md=describe_autonomy(policy),
        schedule=_schedule(),
        catchup=False,
        max_active_runs=1,
        tags={"belay", "promotion", policy.decision_class.value, f"surface:{policy.surface}"},
        default_args={"owner": policy.owner, **_RETRIES},
        owner_links={policy.owner: f"mailto:{owner.email}"} if owner else {},
        render_template_as_native_obj=False,
    ) as dag:
        chain(
            AdmitPromotionOperator(task_id=ADMIT_TASK),
            QualityOfRecordOperator(task_id="quality"),
            RecordOperator(task_id="record"),
            ReviewPromotionOperator(task_id="review"),
            PromotionApprovalSensor(task_id=APPROVAL_TASK, recheck=recheck),
            PromoteOperator(task_id="promote"),
        )
    # Late, as in the rollouts' DAG: Airflow copies the form into every task that it finds when one is made.
    dag.params.update(
        {
            "capability": Param(policy.id, type="string", const=policy.id),
            "to_stage": Param(
                None,
                type=["string", "null"],
                enum=[None, *(str(stage) for stage in Stage)],
                description="The next stage, or its own to renew its lease; empty: what is due.",
            ),
        }
    )
    return dag


def _schedule() -> str | None:
    said: str = safe_value_of("BELAY_PROMOTION_SCHEDULE")
    return None if said == NEVER else said


class _PromotionOperator(BaseOperator):
    """A gate of a promotion that answers at once."""

    operator_extra_links = REVIEW_LINKS
    ui_color = "#ece6f6"

    def judge(self, capability: str, run: str) -> PromotionOutcome:
        """Return the gate's verdict."""
        raise NotImplementedError

    def execute(self, context: Context) -> dict[str, Any]:
        """Judge, and conclude."""
        return self._conclude(lambda: self.judge(capability_of(context), run_of(context).name))

    def _conclude(self, gate: Callable[[], PromotionOutcome]) -> dict[str, Any]:
        passed = obeying(gate)
        self.log.info(passed["sentence"])
        return passed


class AdmitPromotionOperator(_PromotionOperator):
    """Take back what has lapsed; then: is it time, may it be asked for, and could anybody answer?"""

    def execute(self, context: Context) -> dict[str, Any]:
        """Check the capability's leases and limits, and admit."""
        from belay.gates.promotion import admit_promotion
        from belay.oversight.demotion import apply_demotions, ledger_facts

        belay, params = services(), context["params"]
        capability, run = capability_of(context), run_of(context).name
        wanted = Stage(params["to_stage"]) if params["to_stage"] else None
        for demotion in apply_demotions(belay, ledger_facts(belay), only=capability):
            self.log.warning("%s lost a stage by rule %s: %s", capability, demotion.rule, demotion.reason)
        who = asked_by(context)
        return self._conclude(lambda: admit_promotion(belay, capability, run, asked_by=who, to_stage=wanted))


class QualityOfRecordOperator(_PromotionOperator):
    """Is the data sound that the record was measured on?"""

    def judge(self, capability: str, run: str) -> PromotionOutcome:
        """Run the suites on the capability's surface."""
        from belay.gates.promotion import judge_quality

        return judge_quality(services(), capability, run)


class RecordOperator(_PromotionOperator):
    """What did the capability do at its stage, and is that enough?"""

    def judge(self, capability: str, run: str) -> PromotionOutcome:
        """Compute the record and hold it to the criteria."""
        from belay.gates.promotion import judge_the_record

        return judge_the_record(services(), capability, run)


class ReviewPromotionOperator(_PromotionOperator):
    """What are people asked about?"""

    def judge(self, capability: str, run: str) -> PromotionOutcome:
        """Put the question together."""
        from belay.gates.promotion import review_promotion

        return review_promotion(services(), capability, run)


class PromoteOperator(_PromotionOperator):
    """Use the grant, if and only if the ledger holds it."""

    ui_color = "#dff3e4"

    def judge(self, capability: str, run: str) -> PromotionOutcome:
        """Promote. The ledger's word counts here, not the states of the tasks before."""
        from belay.gates.promotion import promote

        return promote(services(), capability, run)
