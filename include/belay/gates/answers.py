"""An answer on Airflow's Required Actions page becomes a vote or a veto in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from belay.domain.events import Choice
from belay.domain.roster import AirflowUser
from belay.domain.rules.answer import Refusal
from belay.domain.state import RequestState, RequestStatus, State, Status
from belay.execution import RefusedError
from belay.oversight import people

if TYPE_CHECKING:
    from belay.services import Services

APPROVE, REJECT, VETO = "Approve", "Reject", "Veto"
"""The options of a request."""
LOOK = "Look again"
"""No answer: the run looks at the ledger now, where an answer from elsewhere may be already."""
SHOWN = "shown"
"""The field of an answer that carries the digest of what was shown."""


def request_of_run(belay: Services, run_id: str) -> RequestState | None:
    """Return the request that the run's step waits for, or asked last."""
    state = belay.ledger.state()
    for capability in state.capabilities.values():
        promotion = capability.promotion
        if promotion is not None and promotion.run == run_id:
            return state.requests.get(promotion.request or "")
    for optimization in state.optimizations.values():
        step = optimization.step
        if step is not None and step.run == run_id and step.request:
            return state.requests[step.request]
    return None


def airflow_run(state: State, request: RequestState) -> tuple[str, str] | None:
    """Return the DAG and the run that wait for an answer to ``request``; None when none does."""
    if request.promotes:
        promotion = state.capabilities[request.capability].promotion
        if promotion is None or promotion.request != request.id:
            return None
        dag, _, run = promotion.run.partition(":")
        return dag, run
    step = state.optimizations[request.optimization].step
    if step is None or step.request != request.id:
        return None
    return f"rollout__{request.capability}", step.run


def record_answer(
    belay: Services, run_id: str, user: AirflowUser, option: str, reason: str, digest: str | None = None
) -> RequestState:
    """Record what an Airflow user answered, and return the request after it. Twice the same is once.

    Parameters
    ----------
    digest
        Digest of what the user was shown; None where the answer does not say (a vote counts for the
        request as it is now then). A veto counts whatever was shown.

    Raises
    ------
    RefusedError
        When the user is nobody of the roster, or may not answer this.
    """
    request = request_of_run(belay, run_id)
    person = belay.roster().by_airflow_user(user)
    if request is None:
        raise RefusedError(Refusal("no-such-request", f"run {run_id} asks nobody anything"))
    if person is None:
        roles = " or ".join(request.roles)
        message = f"Airflow user {str(user)!r} is nobody of the roster; this takes {roles}"
        raise RefusedError(Refusal("roster", message))
    if option == VETO:
        if not _vetoed(belay, request):
            people.veto(belay, request.veto_target, person=person, reason=reason, via="airflow")
        return belay.ledger.state().requests[request.id]
    choice = Choice.APPROVE if option == APPROVE else Choice.REJECT
    if any((vote.voter, vote.choice) == (person.id, choice) for vote in request.votes):
        return request
    return people.vote(belay, request.id, choice, person=person, reason=reason, via="airflow", digest=digest)


def _vetoed(belay: Services, request: RequestState) -> bool:
    if request.promotes:
        return request.status is RequestStatus.REJECTED
    return belay.ledger.state().optimizations[request.optimization].status is Status.VETOED
