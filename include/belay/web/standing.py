"""How a capability stands: its lease, its record, and what each criterion says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from belay.domain.criteria import judge_record
from belay.domain.record import record_of
from belay.gates.promotion_due import next_stage
from belay.ledger.store import LedgerError
from belay.policy.alone import alone

if TYPE_CHECKING:
    from datetime import datetime

    from belay.domain.capability import CapabilityPolicy
    from belay.domain.state import State
    from belay.services import Services


def standing(state: State, policy: CapabilityPolicy, now: datetime) -> dict[str, Any]:
    """Return what the board shows of a capability's autonomy, as plain data."""
    known = state.capabilities[policy.id]
    to_stage = next_stage(known, policy, now)
    renews = to_stage is known.stage
    record = record_of(state, policy, now)
    criteria = () if renews and known.lease_until is None else judge_record(record, policy, to_stage)
    return {
        "stage": str(known.stage),
        "alone": alone(policy, known.stage),
        "since": known.stage_since.isoformat(),
        "lease_until": known.lease_until.isoformat() if known.lease_until else None,
        "to_stage": str(to_stage),
        "renews": renews,
        "top": renews and known.lease_until is None,
        "holdout": known.holdout,
        "met": sum(one.standing == "met" for one in criteria),
        "criteria": [
            {
                "name": one.name.replace("_", " ").replace("oec", "OEC"),
                "standing": str(one.standing),
                "sentence": one.sentence,
            }
            for one in criteria
        ],
        "record": record.to_document(),
    }


def promotion(belay: Services, capability: str) -> dict[str, Any] | None:
    """Return the promotion under way: how far it came, and what people are asked; None without one."""
    state = belay.ledger.state()
    known = state.capabilities[capability].promotion
    if known is None:
        return None
    request = state.requests.get(known.request or "")
    document = None
    if request is not None and request.evidence is not None:
        try:
            document = belay.ledger.get_evidence(request.evidence)
        except LedgerError:
            document = None
    return {
        "from_stage": str(known.from_stage),
        "to_stage": str(known.to_stage),
        "renews": known.renews,
        "gates": [
            {
                "gate": str(gate),
                "verdict": str(result.verdict),
                "sentence": result.sentence,
                "evidence": result.evidence,
            }
            for gate, result in known.gates.items()
        ],
        "request": request.id if request else None,
        "status": str(request.status) if request else None,
        "changes": (document or {}).get("changes", []),
    }
