"""What the board shows: every capability, what is live, who is waited for, and what happened last."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from belay.domain.rules.requests import missing_for_quorum
from belay.domain.stages import Stage
from belay.domain.state import OptimizationState, RequestState, State
from belay.ledger.store import LedgerError

if TYPE_CHECKING:
    from belay.services import Services

_RECENT = 12


def board(belay: Services) -> dict[str, Any]:
    """Return the board as plain data: the page shows it, the API serves it."""
    state, policies = belay.ledger.state(), belay.policies()
    names = {person.id: person.name for person in policies.roster.people}
    known = [
        _capability(state, name, policy.title, policy.owner, names)
        for name, policy in sorted(policies.capabilities.items())
    ]
    seq, head = belay.ledger.head()
    return {
        "capabilities": known,
        "broken": [
            {"id": name, "errors": [str(error) for error in errors]}
            for name, errors in sorted(policies.broken.items())
        ],
        "requests": [_request(request, state, names, belay.now()) for request in state.open_requests()],
        "freezes": [
            {"target": f.target, "reason": f.reason, "by": f.by, "since": f.since.isoformat()}
            for f in state.freezes.values()
        ],
        "recent": [
            {"seq": e.seq, "at": e.at[:19], "kind": e.kind, "actor": e.actor, "optimization": e.optimization}
            for e in reversed(list(belay.ledger.entries(last=_RECENT)))
        ],
        "ledger": {"entries": seq, "head": head},
    }


def _capability(state: State, name: str, title: str, owner: str, names: Mapping[str, str]) -> dict[str, Any]:
    in_ledger = state.capabilities.get(name)
    optimizations = [o for o in state.optimizations.values() if o.capability == name]
    optimizations.sort(key=lambda o: o.proposed_at, reverse=True)
    return {
        "id": name,
        "title": title,
        "owner": names.get(owner, owner),
        "decision_class": in_ledger.decision_class if in_ledger else None,
        "stage": in_ledger.stage if in_ledger else None,
        "ladder": [
            {
                "stage": stage.value,
                "reached": in_ledger is not None and stage.rank <= in_ledger.stage.rank,
                "allowed": in_ledger is None or stage.rank <= in_ledger.ceiling.rank,
            }
            for stage in Stage
        ],
        "optimizations": [_optimization(o) for o in optimizations[:5]],
    }


def _optimization(known: OptimizationState) -> dict[str, Any]:
    step = known.step
    last = list(step.gates.items())[-1] if step and step.gates else None
    return {
        "id": known.id,
        "title": known.proposal.title,
        "status": known.status.value,
        "scope": known.scope,
        "live": known.live,
        "pending": known.pending is not None,
        "step": step.number if step else None,
        "run": step.run if step else None,
        "gates": [
            {"gate": gate.value, "verdict": result.verdict.value}
            for gate, result in (step.gates if step else {}).items()
        ],
        "sentence": known.reason or (last[1].sentence if last else "not started yet"),
    }


def _request(request: RequestState, state: State, names: Mapping[str, str], now: datetime) -> dict[str, Any]:
    left = (request.expires_at - now).total_seconds()
    return {
        "id": request.id,
        "digest": request.digest,
        "optimization": request.optimization,
        "title": state.optimizations[request.optimization].proposal.title,
        "step": request.step,
        "oversight": request.oversight.value,
        "from_scope": request.from_scope,
        "to_scope": request.to_scope,
        "missing": list(missing_for_quorum(request, request.votes)),
        "votes": [
            {
                "voter": names.get(v.voter, v.voter),
                "choice": v.choice.value,
                "reason": v.reason,
                "counted": v.counted,
            }
            for v in request.votes
        ],
        "expires_at": request.expires_at.isoformat(),
        "minutes_left": max(0, round(left / 60)),
    }


def review_document(belay: Services, optimization: str, step: int) -> tuple[str, Mapping[str, Any]] | None:
    """Return the name and document of a step's review, or None when there was none."""
    from belay.domain.events import GateJudged
    from belay.domain.gates import Gate

    found: str | None = None
    for entry in belay.ledger.history(optimization=optimization):
        event = entry.event
        if isinstance(event, GateJudged) and event.gate is Gate.REVIEW and event.step == step:
            found = event.evidence
    if found is None:
        return None
    try:
        return found, belay.ledger.get_evidence(found)
    except LedgerError:
        return None
