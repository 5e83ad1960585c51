"""Review: what did it do to people, and is that a reason to widen, to wait, to stop or to take it down?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from belay.actuation.flag_writer import settle_scope
from belay.analysis.reading import BlindError, read
from belay.analysis.registered_plan import portfolio_of, registered
from belay.domain import commands as c
from belay.domain.events import GateJudged, LookTaken, ScopeConfirmed
from belay.domain.gates import Estimate, Gate, ReviewVerdict, Verdict
from belay.domain.state import OptimizationState, Step
from belay.execution import execute
from belay.gates.outcome import GateOutcome, recorded, step_under_way
from belay.gates.quality import check_data
from belay.oversight.active_policy import policy_in_force, policy_moved
from belay.oversight.demotion import apply_demotions

if TYPE_CHECKING:
    from belay.review.verdict import Review
    from belay.services import Services


def review(belay: Services, optimization: str, step: int) -> GateOutcome:
    """Judge the step, keep the report as evidence, and do what the verdict asks for.

    Raises
    ------
    RefusedError
        When the step is not the one under way, or the window has not passed.
    """
    known, under_way = step_under_way(belay, optimization, step)
    if (spoken := recorded(known, Gate.REVIEW)) is not None:
        return spoken
    try:
        judged = _judge(belay, known, under_way)
    except BlindError as blind:
        return _record(belay, known, step, Verdict.HOLD, f"blind: {blind}", None, None)
    evidence = belay.ledger.put_evidence(judged.document)
    verdict, found = judged.verdict, found_effect(judged.document)
    if verdict.gate is Verdict.PASS and (moved := policy_moved(belay, known)):
        return _record(belay, known, step, Verdict.HOLD, moved, evidence, None)
    return _record(
        belay, known, step, verdict.gate, judged.sentence, evidence, verdict, found, caution=judged.caution
    )


def found_effect(document: Mapping[str, Any]) -> Estimate | None:
    """Return what a review measured on the primary metric, where that is a finite interval."""
    found = (document.get("predicted") or {}).get("found") or {}
    if None in (found.get("effect"), found.get("low"), found.get("high")):
        return None
    estimate = Estimate(found["effect"], found["low"], found["high"])
    return estimate if estimate.sound else None


def _judge(belay: Services, known: OptimizationState, step: Step) -> Review:
    from belay.review.verdict import judge, judge_before_exposure

    policy = policy_in_force(belay, known.capability)
    if known.scope == 0:
        quality = _document_of(belay, known, Gate.QUALITY)
        admission = _document_of(belay, known, Gate.ADMIT)
        return judge_before_exposure(
            proposal=known.proposal,
            policy=policy,
            from_scope=step.from_scope,
            to_scope=step.to_scope,
            quality=quality,
            admission=admission,
        )
    from belay.measurement.decision import decide_effects

    plan, extended = registered(belay, known, policy), _reviewed_before(belay, known)
    reading = read(
        belay,
        known,
        policy,
        plan.window,
        planned_units=plan.planned_units,
        earlier=plan.earlier,
        to_planned_end=not extended,
        latest=_decided_at(belay, known),
    )
    return judge(
        plan=reading.plan,
        findings=decide_effects(reading.cells, reading.plan, extended=extended),
        monitoring=reading.monitoring,
        quality=check_data(belay, known, policy).to_document(),
        proposal=known.proposal,
        policy=policy,
        from_scope=step.from_scope,
        to_scope=step.to_scope,
        extended=extended,
        looks=_looks(belay, known, step),
        portfolio=portfolio_of(belay, known, policy),
        units_per_day=((_document_of(belay, known, Gate.ADMIT) or {}).get("plan", {}).get("units_per_day")),
    )


def _reviewed_before(belay: Services, known: OptimizationState) -> bool:
    """Whether the scope now live has been reviewed already: the planned test can be used once only."""
    reviewed = False
    for entry in belay.ledger.history(optimization=known.id):
        event = entry.event
        if isinstance(event, ScopeConfirmed):
            reviewed = False
        elif isinstance(event, GateJudged) and event.gate is Gate.REVIEW and event.evidence:
            reviewed = True
    return reviewed


def _decided_at(belay: Services, known: OptimizationState) -> datetime | None:
    """Return the data time at which the window found everything decided before its end, or None.

    The review of such a window judges exactly what that look saw.
    """
    window = _document_of(belay, known, Gate.WINDOW)
    return datetime.fromisoformat(window["until"]) if window and window.get("early") else None


def _looks(belay: Services, known: OptimizationState, step: Step) -> list[dict[str, Any]]:
    """Return the documents of this step's looks, for the picture of the effect over time."""
    taken = (entry.event for entry in belay.ledger.history(optimization=known.id))
    return [
        belay.ledger.get_evidence(event.evidence)
        for event in taken
        if isinstance(event, LookTaken) and event.step == step.number and event.evidence
    ]


def _document_of(belay: Services, known: OptimizationState, gate: Gate) -> dict[str, Any] | None:
    spoken = recorded(known, gate)
    if spoken is None or spoken.evidence is None:
        return None
    document: dict[str, Any] = belay.ledger.get_evidence(spoken.evidence)
    return {**document, "sha256": spoken.evidence}


def _record(
    belay: Services,
    known: OptimizationState,
    step: int,
    verdict: Verdict,
    sentence: str,
    evidence: str | None,
    decision: ReviewVerdict | None,
    found: Estimate | None = None,
    *,
    caution: bool = False,
) -> GateOutcome:
    command = c.JudgeGate(known.id, step, Gate.REVIEW, verdict, sentence, evidence, decision, found, caution)
    execute(belay, command, by="review")
    if verdict is Verdict.FAIL:
        settle_scope(belay, known.id)
        apply_demotions(belay, only=known.capability)
    return GateOutcome(Gate.REVIEW, verdict, sentence, known.id, step, evidence)
