"""The overall criterion of a capability against its holdout: did all of it together do any good?

Local gains can lower overall value, and the sum of claimed lifts flatters itself (the winner's curse). Units
that never see any optimization of the capability say what all of them together did.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from belay.domain import commands as c
from belay.domain.capability import CapabilityPolicy
from belay.domain.gates import Estimate
from belay.domain.metrics import Direction
from belay.domain.record import shown_together
from belay.domain.scope import FULL_SCOPE, percent
from belay.execution import execute

if TYPE_CHECKING:
    from belay.measurement.decision import Findings
    from belay.services import Services


def recompute_oec(belay: Services, policy: CapabilityPolicy) -> tuple[Estimate | None, str]:
    """Read the overall criterion, keep it in the ledger, and return it (or None) with a sentence about it.

    It is read at every promotion, so its interval is the one that stays valid under looking.
    """
    from belay.cells.planning import holdout_plan
    from belay.measurement.decision import decide_effects
    from belay.warehouse.look import read_cells

    state = belay.ledger.state()
    known = state.capabilities[policy.id]
    if not known.holdout:
        return None, f"{policy.id} has no holdout: its overall criterion is unknown"
    pooled = shown_together(state, known)
    if not pooled:
        return None, f"nothing was shown at stage {known.stage} yet: the overall criterion is unknown"
    since = min(phase.start for o in pooled for phase in o.phases if phase.scope) + belay.settings.flag_settle
    until = belay.data_now()
    names = [o.id for o in pooled]
    plan = holdout_plan(
        policy, names, since=_naive(since), until=_naive(until), holdout=known.holdout / FULL_SCOPE
    )
    try:
        findings = decide_effects(read_cells(belay.warehouse, plan, _naive(until)), plan, extended=True)
    except Exception as error:  # noqa: BLE001 - every driver has its own errors; whatever it is, it is unknown
        return None, f"the overall criterion cannot be read: {error}"
    found, sentence = _found(findings, policy)
    if found is None:
        return None, sentence
    document: dict[str, Any] = {
        "kind": "oec",
        "capability": policy.id,
        "optimizations": names,
        "holdout": percent(known.holdout),
        "sentence": sentence,
        "findings": findings.to_document(),
        "plan": plan.to_document(),
    }
    evidence = belay.ledger.put_evidence(document)
    execute(belay, c.RecordOec(policy.id, found, since, until, sentence, evidence), by="oec")
    return found, sentence


def _found(findings: Findings, policy: CapabilityPolicy) -> tuple[Estimate | None, str]:
    """Return the effect, more being better, where it can be believed, and a sentence about it."""
    if not findings.arms:
        return None, f"the overall criterion is unknown: {findings.sentence}"
    if findings.split.alarm or findings.split.mismatch:
        return None, f"the overall criterion cannot be believed: {findings.split.sentence}"
    effect = findings.arms[0].primary
    if None in (effect.effect, effect.low, effect.high):
        return None, f"the overall criterion is unknown: {effect.sentence}"
    # Rounded: a warehouse that adds up in parallel differs in the last digits from one reading to the next.
    low, middle, high = (round(value, 9) for value in (effect.low, effect.effect, effect.high))
    found = Estimate(middle, low, high)
    if policy.primary.metric.direction is Direction.DECREASE:
        found = Estimate(-middle, -high, -low)
    if not found.sound:
        return None, f"the overall criterion is unknown: {effect.sentence}"
    return found, f"all of it together, against the holdout: {effect.sentence}"


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
