"""The approval: a sensor that asks people and waits for the ledger's answer, holding nothing.

It waits in Airflow's awaiting-input state and so appears on the Required Actions page. What is answered
there becomes a vote in the ledger; the sensor goes by the ledger alone, whoever or whatever woke it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, Param
from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskAwaitingInput
from airflow.sdk.execution_time.context import NEVER_EXPIRE
from airflow.sdk.execution_time.hitl import upsert_hitl_detail

from belay.orchestration.links import run_page
from belay.orchestration.names import SETTLES_SECONDS
from belay.orchestration.operators import REVIEW_LINKS
from belay.orchestration.runtime import capability_of, conclude, optimization_of, run_of, services, step_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from belay.domain.request_state import RequestState
    from belay.gates.approval import ApprovalStatus
    from belay.gates.promotion import PromotionStatus
    from belay.present.card import Card


class SlackApprovalSensor(BaseSensorOperator):
    """Asks for the oversight that the step needs, and waits for it.

    The question goes into the ledger. From there it reaches people: this task puts it on the Required Actions
    page, `belay slack serve` posts it in Slack, and the board and the command line show it. Whatever is
    answered ends in the ledger, which alone says how this task goes on: a task that is marked as success, or
    cleared, finds there what was granted, and so does the flag writer after it.

    Parameters
    ----------
    recheck
        How often to look at the ledger when nobody wakes the task: an answer given while Airflow was
        away, a notice that has passed, or an expiry is noticed after this time at the latest.
    """

    operator_extra_links = REVIEW_LINKS
    ui_color = "#fbe6e0"

    def __init__(self, *, recheck: timedelta = timedelta(minutes=5), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.recheck = recheck

    def execute(self, context: Context) -> dict[str, Any]:
        """Ask, unless it was asked before; go on if it is decided, else wait."""
        from belay.execution import RefusedError
        from belay.services import PolicyBrokenError

        try:
            status = self._status(context)
        except (RefusedError, PolicyBrokenError) as refused:
            raise AirflowFailException(str(refused)) from refused
        if status.outcome is not None:
            self.log.info(status.outcome.sentence)
            return conclude(status.outcome)
        assert status.request is not None
        self._park(context, status, status.request)
        raise AssertionError("parking does not return")

    def _status(self, context: Context) -> ApprovalStatus | PromotionStatus:
        """Ask the ledger where the answer stands."""
        from belay.gates.approval import approval

        return approval(services(), optimization_of(context), step_of(context))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Somebody answered, or it is time to look again: make an answer a vote, then ask the ledger."""
        self._take_answer(context, event)
        return self.execute(context)

    def _take_answer(self, context: Context, event: dict[str, Any]) -> None:
        """Record an answer from Required Actions. The web server did so already where Belay's plugin runs."""
        from belay.domain.roster import AirflowUser
        from belay.execution import RefusedError
        from belay.gates.airflow_answers import LOOK, SHOWN, record_answer

        user, chosen = event.get("responded_by_user"), event.get("chosen_options")
        if not user or not chosen or chosen[0] == LOOK:
            return
        form = event.get("params_input") or {}
        reason, shown = str(form.get("reason") or ""), form.get(SHOWN)
        who = AirflowUser(str(user["id"]), str(user.get("name") or ""))
        try:
            record_answer(services(), run_of(context), who, chosen[0], reason, shown)
        except RefusedError as refused:
            self.log.warning("the answer of %s does not count: %s", who, refused)

    def _park(
        self, context: Context, status: ApprovalStatus | PromotionStatus, request: RequestState
    ) -> None:
        from belay.domain.oversight import Oversight
        from belay.gates.airflow_answers import APPROVE, LOOK, REJECT, VETO
        from belay.present.markdown import subject_line

        self._insist_on_a_fresh_page(context, request)
        left = request.expires_at - datetime.now(UTC)
        wait = max(min(self.recheck, left), timedelta(seconds=SETTLES_SECONDS))
        options, card = [REJECT, VETO, LOOK], self._card(request)
        if request.oversight is Oversight.APPROVE:
            options.insert(0, APPROVE)
        upsert_hitl_detail(
            ti_id=context["task_instance"].id,
            options=options,
            subject=subject_line(card),
            body=self._body(context, request, card),
            params={name: field.serialize() for name, field in _form(request).items()},
        )
        self.log.info("waiting until %s: %s", request.expires_at, "; ".join(status.missing) or "for a veto")
        raise TaskAwaitingInput(method_name="execute_complete", timeout=wait)

    def _insist_on_a_fresh_page(self, context: Context, request: RequestState) -> None:
        """Airflow keeps the first subject, body and options of a try: a new question needs a new try.

        Raises
        ------
        AirflowException
            When this try shows another request, voided since (the policy changed, or a demotion asks for
            more oversight). The retry shows the new one.
        """
        store = context["task_state_store"]
        page: dict[str, Any] = {"try": context["ti"].try_number, "request": request.id}
        shown: Any = store.get(_PAGE)
        if shown == page:
            return
        store.set(_PAGE, page, retention=NEVER_EXPIRE)
        if shown and shown["try"] == page["try"]:
            raise AirflowException(f"the question has changed: {request.id} is asked on a fresh page")

    def _body(self, context: Context, request: RequestState, card: Card) -> str:
        from belay.present.markdown import paragraphs

        lines = [
            *paragraphs(card),
            f"**[Open the review]({run_page(run_of(context))})**",
            f"Request `{request.id}`. An answer needs a reason.",
        ]
        return "\n\n".join(line for line in lines if line)

    def _card(self, request: RequestState) -> Card:
        """Return what every channel shows of the request."""
        from belay.present.reading import read_card

        belay = services()
        return read_card(
            belay.ledger, belay.ledger.state(), request, roster=belay.roster(), now=datetime.now(UTC)
        )


class PromotionApprovalSensor(SlackApprovalSensor):
    """Asks whether a capability may go up a stage (or keep its own), and waits for it; silence means no."""

    def _status(self, context: Context) -> PromotionStatus:
        from belay.gates.promotion import promotion_approval

        return promotion_approval(services(), capability_of(context), run_of(context).name)


def _form(request: RequestState) -> dict[str, Param]:
    """Return the fields of an answer. Airflow hides constant ones and sends them back."""
    from belay.gates.airflow_answers import SHOWN

    return {
        "reason": Param("", type="string", title="Reason", description="Kept in the ledger."),
        SHOWN: Param(request.digest, type="string", const=request.digest),
    }


_PAGE = "page"
"""Key of the task's own state: which request its page shows, and in which try."""
