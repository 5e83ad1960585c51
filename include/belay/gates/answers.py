"""An answer on Airflow's Required Actions page becomes a vote or a veto in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from belay.domain.events import Choice
from belay.domain.rules.answer import Refusal
from belay.domain.state import RequestState, RequestStatus
from belay.gates import people
from belay.gates.outcome import RefusedError

if TYPE_CHECKING:
    from belay.services import Services

APPROVE, REJECT, VETO = "Approve", "Reject", "Veto"
"""The options of a request."""


def request_of_run(belay: Services, run_id: str) -> RequestState | None:
    """Return the request that the run's step waits for, or asked last."""
    state = belay.ledger.state()
    for optimization in state.optimizations.values():
        step = optimization.step
        if step is not None and step.run == run_id and step.request:
            return state.requests[step.request]
    return None


def record_answer(belay: Services, run_id: str, airflow_user: str, option: str, reason: str) -> None:
    """Record what an Airflow user answered. Answering the same again changes nothing.

    Raises
    ------
    RefusedError
        When the user is nobody of the roster, or may not answer this.
    """
    request = request_of_run(belay, run_id)
    person = belay.roster().by_airflow_user(airflow_user)
    if request is None:
        raise RefusedError(Refusal("no-such-request", f"run {run_id} asks nobody anything"))
    if person is None:
        roles = " or ".join(request.roles)
        message = f"Airflow user {airflow_user!r} is nobody of the roster; this takes {roles}"
        raise RefusedError(Refusal("roster", message))
    if any(vote.voter == person.id for vote in request.votes) and option != VETO:
        return
    if option == VETO:
        if request.status is RequestStatus.OPEN:
            people.veto(belay, request.optimization, person=person, reason=reason, via="airflow")
        return
    choice = Choice.APPROVE if option == APPROVE else Choice.REJECT
    people.vote(belay, request.id, choice, person=person, reason=reason, via="airflow")
