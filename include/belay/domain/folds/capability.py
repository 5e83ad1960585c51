"""How the events of a capability change the state."""

from __future__ import annotations

from datetime import datetime, timedelta

from belay.domain import events as e
from belay.domain.capability_state import CapabilityState, GateResult, OecReading, Promotion
from belay.domain.copying import replace
from belay.domain.gates import Estimate
from belay.domain.recorded import Recorded
from belay.domain.request_state import RequestStatus
from belay.domain.stages import Stage, lower
from belay.domain.tables import Fold, Tables


def _policy_adopted(event: e.PolicyAdopted, draft: Tables, recorded: Recorded) -> None:
    known = draft.capabilities.get(event.capability)
    ceiling = lower(event.ceiling, event.decision_class.ceiling)
    stage = lower(known.stage if known else event.initial_stage, ceiling)
    fresh = CapabilityState(
        id=event.capability,
        title=event.title,
        owner=event.owner,
        surface=event.surface,
        decision_class=event.decision_class,
        ceiling=ceiling,
        stage=stage,
        stage_since=recorded.at,
        policy=event.digest,
        veto_roles=event.veto_roles,
        approval_roles=event.approval_roles,
        oversight=event.oversight,
        free_scope=event.free_scope,
        leases=event.leases,
        holdout=event.holdout,
        calendar=event.calendar,
        document=event.document,
        holdback=event.holdback,
    )
    fresh = replace(fresh, lease_until=_lease_end(fresh, recorded.at))
    if known is not None:
        fresh = replace(
            fresh,
            widened_at=known.widened_at,
            oec=known.oec,
            demotions=known.demotions,
            finished=known.finished,
            decisions=known.decisions,
        )
        if known.stage is stage:
            # A policy can end a lease earlier, never prolong it: that takes evidence and people.
            ends = [end for end in (known.lease_until, fresh.lease_until) if end is not None]
            fresh = replace(fresh, stage_since=known.stage_since, lease_until=min(ends, default=None))
    draft.put("capabilities", event.capability, fresh)
    _void_unused_grants(draft, event.capability, "the policy changed")


def _stage_promoted(event: e.StagePromoted, draft: Tables, recorded: Recorded) -> None:
    promoted = _at_stage(draft, event.capability, event.to_stage, recorded)
    finished = draft.capabilities[event.capability].promotion
    draft.put("capabilities", event.capability, replace(promoted, finished=finished))


def _stage_demoted(event: e.StageDemoted, draft: Tables, recorded: Recorded) -> None:
    lowered = _at_stage(draft, event.capability, event.to_stage, recorded)
    demotions = {**lowered.demotions, event.rule: recorded.at}
    draft.put("capabilities", event.capability, replace(lowered, demotions=demotions))
    _void_unused_grants(draft, event.capability, "the capability was demoted")


def _lease_renewed(event: e.LeaseRenewed, draft: Tables, recorded: Recorded) -> None:
    known = draft.capabilities[event.capability]
    renewed = replace(known, lease_until=_lease_end(known, recorded.at), promotion=None, grant=None)
    draft.put("capabilities", event.capability, replace(renewed, finished=known.promotion))


def _at_stage(draft: Tables, capability: str, stage: Stage, recorded: Recorded) -> CapabilityState:
    moved = replace(
        draft.capabilities[capability], stage=stage, stage_since=recorded.at, promotion=None, grant=None
    )
    return replace(moved, lease_until=_lease_end(moved, recorded.at))


def _lease_end(capability: CapabilityState, at: datetime) -> datetime | None:
    seconds = capability.leases.get(capability.stage)
    return None if seconds is None else at + timedelta(seconds=seconds)


def _promotion_started(event: e.PromotionStarted, draft: Tables, recorded: Recorded) -> None:
    promotion = Promotion(event.run, event.from_stage, event.to_stage, event.policy, recorded.at)
    draft.change("capabilities", event.capability, promotion=promotion, grant=None)


def _promotion_judged(event: e.PromotionJudged, draft: Tables, recorded: Recorded) -> None:
    known = draft.capabilities[event.capability]
    promotion = known.promotion
    if promotion is None or promotion.run != event.run:
        return
    result = GateResult(event.verdict, event.sentence, event.evidence, recorded.seq)
    promotion = replace(promotion, gates={**promotion.gates, event.gate: result})
    draft.change("capabilities", event.capability, promotion=promotion)


def _oec_measured(event: e.OecMeasured, draft: Tables, recorded: Recorded) -> None:
    found = Estimate(event.effect, event.low, event.high)
    reading = OecReading(found, event.since, event.until, recorded.at, event.evidence)
    draft.change("capabilities", event.capability, oec=reading)


def _void_unused_grants(draft: Tables, capability: str, reason: str) -> None:
    """Take back what was granted under less oversight than the steps may need now (I2)."""
    for known in [o for o in draft.optimizations.values() if o.capability == capability]:
        grant = known.grant
        if grant is None or grant.used:
            continue
        draft.change_optimization(known.id, grant=None)
        if request := draft.requests.get(grant.id):
            draft.change("requests", request.id, status=RequestStatus.VOID, outcome=reason)


FOLDS: dict[type, Fold] = {
    e.PolicyAdopted: _policy_adopted,
    e.StagePromoted: _stage_promoted,
    e.StageDemoted: _stage_demoted,
    e.LeaseRenewed: _lease_renewed,
    e.PromotionStarted: _promotion_started,
    e.PromotionJudged: _promotion_judged,
    e.OecMeasured: _oec_measured,
}
