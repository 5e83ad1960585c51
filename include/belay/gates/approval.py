"""Approval: the oversight that the step needs, asked for, waited for, and read from the ledger alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from belay.domain import commands as c
from belay.domain.gates import Gate, Verdict
from belay.domain.oversight import Oversight
from belay.domain.request_state import RequestState, RequestStatus
from belay.domain.rules.requests import missing_for_quorum
from belay.domain.state import OptimizationState
from belay.execution import execute
from belay.gates.outcome import GateOutcome, recorded, step_under_way
from belay.oversight.active_policy import policy_in_force, policy_moved
from belay.oversight.roster import note_roster

if TYPE_CHECKING:
    from belay.services import Services


@dataclass(frozen=True, slots=True)
class ApprovalStatus:
    """Where a step's approval stands.

    ``outcome`` is None while people are being waited for: then ``request`` says who was asked, and
    ``missing`` what the quorum lacks.
    """

    outcome: GateOutcome | None
    request: RequestState | None
    missing: tuple[str, ...] = ()

    @property
    def expires_at(self) -> datetime | None:
        """When waiting ends, wall-clock."""
        return self.request.expires_at if self.request else None


def approval(belay: Services, optimization: str, step: int) -> ApprovalStatus:
    """Ask if nobody was asked yet, settle what has run out of time, and say where it stands.

    Safe to call at any time, any number of times; the answer comes from the ledger.

    Raises
    ------
    RefusedError
        When oversight cannot be asked for: the step is not the one under way, or a gate before has
        not passed.
    """
    note_roster(belay, belay.roster())
    known, _ = step_under_way(belay, optimization, step)
    if (spoken := recorded(known, Gate.APPROVAL)) is not None:
        return ApprovalStatus(spoken, _request_of(belay, known))
    if known.status.ended:
        return ApprovalStatus(_ended(known), _request_of(belay, known))
    request = _request_of(belay, known)
    if policy_moved(belay, known):
        return _status(belay, known)
    if request is None or request.status is RequestStatus.VOID:
        policy = policy_in_force(belay, known.capability)
        execute(belay, c.RequestOversight(optimization, step, policy), by="approval")
    elif request.status is RequestStatus.OPEN:
        execute(belay, c.SettleRequest(request.id), by="approval")
    known, _ = step_under_way(belay, optimization, step)
    return _status(belay, known)


def _status(belay: Services, known: OptimizationState) -> ApprovalStatus:
    request, step = _request_of(belay, known), known.step
    number = step.number if step else 0
    if moved := policy_moved(belay, known):
        verdict, sentence = Verdict.HOLD, moved
    elif known.grant is not None and known.grant.step == number:
        verdict, sentence = Verdict.PASS, _granted(request)
    elif request is None or request.status is RequestStatus.OPEN:
        missing = missing_for_quorum(request, request.votes) if request else ()
        return ApprovalStatus(None, request, missing)
    else:
        verdict, sentence = Verdict.HOLD, f"not approved ({request.status}): {request.outcome}"
    evidence = request.evidence if request else None
    execute(belay, c.JudgeGate(known.id, number, Gate.APPROVAL, verdict, sentence, evidence), by="approval")
    outcome = GateOutcome(Gate.APPROVAL, verdict, sentence, known.id, number, evidence)
    return ApprovalStatus(outcome, request)


def _granted(request: RequestState | None) -> str:
    if request is None:
        return "people are informed; this step needs no answer"
    if request.oversight is Oversight.NOTICE:
        return "the notice period passed without a veto"
    names = ", ".join(vote.voter for vote in request.votes if vote.counted)
    return f"approved by {names}"


def _ended(known: OptimizationState) -> GateOutcome:
    sentence = f"{known.id} ended while people were asked: {known.status}, {known.reason}"
    return GateOutcome(
        Gate.APPROVAL, Verdict.FAIL, sentence, known.id, known.step.number if known.step else 0
    )


def _request_of(belay: Services, known: OptimizationState) -> RequestState | None:
    name = known.step.request if known.step else None
    return belay.ledger.state().requests.get(name) if name else None
