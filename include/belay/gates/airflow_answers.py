"""An answer on Airflow's Required Actions page becomes a vote or a veto in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from belay.domain.events import Choice
from belay.domain.request_state import RequestState, RequestStatus
from belay.domain.roster import AirflowUser
from belay.domain.rules.answer import Refusal
from belay.domain.run import Run
from belay.domain.state import State, Status
from belay.domain.vocabulary import Rule
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


def request_of_run(state: State, run: Run) -> RequestState | None:
    """Return the request that a run waits for, or asked last."""
    for request in state.requests.values():
        if request.capability == run.capability and run_that_asks(state, request) == run:
            return request
    return None


def run_that_asks(state: State, request: RequestState) -> Run | None:
    """Return the run that waits for an answer to ``request``; None when none does in Airflow."""
    if request.promotes:
        promotion = state.capabilities[request.capability].promotion
        asks = promotion is not None and promotion.request == request.id
        return Run.of_promotion(request.capability, promotion.run) if promotion and asks else None
    step = state.optimizations[request.optimization].step
    asks = step is not None and step.request == request.id
    return Run.of_rollout(request.capability, step.run) if step and asks else None


def record_answer(
    belay: Services, run: Run, user: AirflowUser, option: str, reason: str, digest: str | None = None
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
    request = request_of_run(belay.ledger.state(), run)
    person = belay.roster().by_airflow_user(user)
    if request is None:
        raise RefusedError(Refusal(Rule.NO_SUCH_REQUEST, f"run {run.run_id} asks nobody anything"))
    if person is None:
        roles = " or ".join(request.roles)
        message = f"Airflow user {str(user)!r} is nobody of the roster; this takes {roles}"
        raise RefusedError(Refusal(Rule.ROSTER, message))
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
