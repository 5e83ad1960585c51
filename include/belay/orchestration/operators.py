"""One operator a gate; each reads, decides, appends and acts through ``belay.gates``."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import BaseOperator, BaseOperatorLink
from airflow.sdk.exceptions import AirflowFailException

from belay.domain.run import Run
from belay.orchestration.links import ReviewLink
from belay.orchestration.runtime import (
    asked_by,
    capability_of,
    obeying,
    optimization_of,
    services,
    step_of,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from belay.gates.outcome import GateOutcome

REVIEW_LINKS: tuple[BaseOperatorLink, ...] = (ReviewLink(),)


class GateOperator(BaseOperator):
    """A gate that answers at once."""

    operator_extra_links = REVIEW_LINKS
    ui_color = "#e8f1f8"

    @abstractmethod
    def judge(self, optimization: str, step: int) -> GateOutcome:
        """Return the gate's verdict."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Judge, and conclude."""
        passed = obeying(lambda: self.judge(optimization_of(context), step_of(context)))
        self.log.info(passed["sentence"])
        return passed


class AdmitOperator(BaseOperator):
    """Record the proposal if the run brings one, as that of who started the run; take up the next step."""

    operator_extra_links = REVIEW_LINKS
    ui_color = "#e8f1f8"

    def execute(self, context: Context) -> dict[str, Any]:
        """Admit the run's optimization."""
        from belay.domain.roster import AirflowUser
        from belay.gates.admit import admit
        from belay.gates.intake import BadProposalError
        from belay.gates.proposing import proposer, take_proposal
        from belay.orchestration.form import proposal_of

        belay, params = services(), context["params"]
        run, capability, who = str(context["run_id"]), capability_of(context), asked_by(context)

        def judge() -> GateOutcome:
            document = proposal_of(dict(params))
            if document is not None:
                user = getattr(context["dag_run"], "triggering_user_name", None) or ""
                take_proposal(belay, document, proposer(belay.roster(), AirflowUser(user, user)))
            return admit(belay, optimization_of(context), run, capability=capability, asked_by=who)

        try:
            passed = obeying(judge)
        except BadProposalError as error:
            raise AirflowFailException(str(error)) from error
        self.log.info(passed["sentence"])
        return passed


class QualityOperator(GateOperator):
    """Is the data fit to be believed?"""

    def judge(self, optimization: str, step: int) -> GateOutcome:
        """Run the suites."""
        from belay.gates.quality import quality

        return quality(services(), optimization, step)


class ReviewOperator(GateOperator):
    """What did it do to people?"""

    def judge(self, optimization: str, step: int) -> GateOutcome:
        """Judge the effects."""
        from belay.gates.review import review

        return review(services(), optimization, step)


class WidenOperator(BaseOperator):
    """Show the wider scope, if and only if the ledger holds the grant for it."""

    operator_extra_links = REVIEW_LINKS
    ui_color = "#dff3e4"

    def execute(self, context: Context) -> dict[str, Any]:
        """Widen. The ledger's word counts here, not the states of the tasks before."""
        from belay.execution import RefusedError
        from belay.gates.widen import widen

        try:
            known = widen(services(), optimization_of(context), step_of(context))
        except RefusedError as refused:
            raise AirflowFailException(str(refused)) from refused
        self.log.info("%s is served at %s basis points, epoch %s", known.id, known.scope, known.epoch)
        return {"optimization": known.id, "scope": known.scope, "epoch": known.epoch}


class NextOperator(TriggerDagRunOperator):
    """Start the run of the next step; at the top of the ramp there is none.

    The next run's id follows from the step, so clearing this task starts nothing twice.
    """

    template_fields = ()

    def __init__(self, *, trigger_dag_id: str, **kwargs: Any) -> None:
        super().__init__(trigger_dag_id=trigger_dag_id, skip_when_already_exists=True, **kwargs)

    def execute(self, context: Context) -> None:
        """Trigger the next run, or say why there is none."""
        optimization = optimization_of(context)
        known = services().ledger.state().optimizations[optimization]
        if known.status.ended:
            self.log.info("%s ended: %s, %s", optimization, known.status, known.reason)
            return
        number = known.step.number + 1 if known.step else 1
        self.conf = {"optimization": optimization}
        self.trigger_run_id = Run.of_step(known.capability, optimization, number).run_id
        super().execute(context)
