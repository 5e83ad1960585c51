"""Promotion: the same gates with other questions. Has the capability earned a stage, or its lease anew?

admit → quality → record → review → approval → promote. Each gate answers once a run; asked again it says the
same. People decide, always: the gates only prepare what they are asked about.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from belay.analysis.oec import recompute_oec
from belay.analysis.shadow import measure_shadows
from belay.domain import commands as c
from belay.domain.capability import CapabilityPolicy
from belay.domain.capability_state import CapabilityState, Promotion
from belay.domain.criteria import Criterion, Standing, judge_record
from belay.domain.gates import PromotionGate, Verdict
from belay.domain.oversight import StepKind
from belay.domain.record import record_of
from belay.domain.request_state import RequestState, RequestStatus
from belay.domain.rules.answer import Refusal
from belay.domain.stages import Stage
from belay.domain.vocabulary import Rule
from belay.execution import RefusedError, execute
from belay.gates.promotion_due import due_findings, next_stage
from belay.oversight.active_policy import adopt_first_policy, file_in_force, in_force_beside, policy_in_force

if TYPE_CHECKING:
    from belay.services import Services


@dataclass(frozen=True, slots=True)
class PromotionOutcome:
    """A gate's verdict on a promotion: a sentence for people, a digest for those who want to know why."""

    gate: PromotionGate
    verdict: Verdict
    sentence: str
    capability: str
    run: str
    to_stage: Stage
    evidence: str | None = None

    def to_document(self) -> dict[str, Any]:
        """Return it as plain JSON (for XCom, the CLI and logs)."""
        return {name: value if value is None else str(value) for name, value in asdict(self).items()}


def admit_promotion(
    belay: Services, capability: str, run: str, *, asked_by: str = "", to_stage: Stage | None = None
) -> PromotionOutcome:
    """Take up the question for ``run``, or hold it and say why. Asked twice by one run it answers once.

    Parameters
    ----------
    asked_by
        The person who asked for it; a schedule, which is nobody, takes it up only when it is due.
    to_stage
        The stage asked for; by default what is next.

    Raises
    ------
    RefusedError
        When the stage cannot be asked for at all (ceiling, a stage skipped, no lease).
    PolicyBrokenError
        When the capability's policy cannot be used.
    """
    file = belay.policy(capability)
    adopt_first_policy(belay, file)
    policy = in_force_beside(belay, file)
    state, now = belay.ledger.state(), belay.now()
    known = state.capabilities[capability]
    if (promotion := _promotion_of(known, run)) is not None:
        return _spoken(promotion, known.id, PromotionGate.ADMIT)
    wanted = to_stage or next_stage(known, policy, now)
    findings = (
        file_in_force(known, file),
        *due_findings(state, policy, wanted, belay.roster(), now, asked=bool(asked_by)),
    )
    command = c.StartPromotion(capability, wanted, run, policy, findings, asked_by=asked_by)
    known = execute(belay, command, by="admit").state.capabilities[capability]
    if known.promotion is None or known.promotion.run != run:
        message = f"another run took up {capability} meanwhile"
        raise RefusedError(Refusal(Rule.OVERTAKEN, message))
    return _spoken(known.promotion, known.id, PromotionGate.ADMIT)


def judge_quality(belay: Services, capability: str, run: str) -> PromotionOutcome:
    """Check the surface's data: what the record was measured on has to be sound today too."""
    from belay.gates.quality import check_surface

    known, promotion = promotion_under_way(belay, capability, run)
    if PromotionGate.QUALITY in promotion.gates:
        return _spoken(promotion, known.id, PromotionGate.QUALITY)
    report = check_surface(belay, policy_in_force(belay, capability))
    evidence = belay.ledger.put_evidence(report.to_document())
    return _judge(
        belay,
        PromotionOutcome(
            PromotionGate.QUALITY,
            report.verdict,
            report.sentence,
            capability,
            run,
            promotion.to_stage,
            evidence,
        ),
    )


def judge_the_record(belay: Services, capability: str, run: str) -> PromotionOutcome:
    """Read the overall criterion and the shadows, compute the record, and hold it to the criteria."""
    known, promotion = promotion_under_way(belay, capability, run)
    if PromotionGate.RECORD in promotion.gates:
        return _spoken(promotion, known.id, PromotionGate.RECORD)
    policy = policy_in_force(belay, capability)
    overall, told = recompute_oec(belay, policy)
    measure_shadows(belay, policy)
    record = record_of(belay.ledger.state(), policy, belay.now())
    if overall is None:  # what an earlier reading showed is not known to hold today
        record = replace(record, oec=None)
    criteria = judge_record(record, policy, promotion.to_stage)
    lacking = [criterion for criterion in criteria if criterion.standing is not Standing.MET]
    sentence = _summary(criteria, lacking)
    document = {
        "kind": "record",
        "capability": capability,
        "from_stage": str(promotion.from_stage),
        "to_stage": str(promotion.to_stage),
        "policy": promotion.policy,
        "sentence": sentence,
        "criteria": [_plain(criterion) for criterion in criteria],
        "overall": told,
        "record": record.to_document(),
    }
    evidence = belay.ledger.put_evidence(document)
    verdict = Verdict.HOLD if lacking or not criteria else Verdict.PASS
    return _judge(
        belay,
        PromotionOutcome(
            PromotionGate.RECORD, verdict, sentence, capability, run, promotion.to_stage, evidence
        ),
    )


def review_promotion(belay: Services, capability: str, run: str) -> PromotionOutcome:
    """Put together what people are asked about: the record, what would change, can it be traced."""
    from belay.ledger.verify import verify

    known, promotion = promotion_under_way(belay, capability, run)
    if PromotionGate.REVIEW in promotion.gates:
        return _spoken(promotion, known.id, PromotionGate.REVIEW)
    policy, told = policy_in_force(belay, capability), promotion.gates[PromotionGate.RECORD]
    record = belay.ledger.get_evidence(told.evidence) if told.evidence else {}
    traced = verify(belay.ledger)
    changes = _changes(policy, promotion)
    sentence = f"{_question(known, promotion)} {told.sentence} {' '.join(changes)}".strip()
    verdict = Verdict.PASS
    if not traced.ok:
        verdict, sentence = Verdict.HOLD, f"what it rests on cannot be traced: {traced}"
    live = [
        {"optimization": o.id, "title": o.proposal.title, "scope": o.scope, "status": str(o.status)}
        for o in belay.ledger.state().optimizations.values()
        if o.capability == capability and o.live
    ]
    document = {
        "kind": "promotion",
        "capability": {
            "id": policy.id,
            "title": policy.title,
            "surface": policy.surface,
            "owner": policy.owner,
        },
        "from_stage": str(promotion.from_stage),
        "to_stage": str(promotion.to_stage),
        "policy": promotion.policy,
        "sentence": sentence,
        "changes": changes,
        "criteria": record.get("criteria", []),
        "record": record.get("record", {}),
        "record_evidence": told.evidence,
        "ledger": {"entries": traced.entries, "head": traced.head, "ok": traced.ok},
        "live": live,
    }
    evidence = belay.ledger.put_evidence(document)
    return _judge(
        belay,
        PromotionOutcome(
            PromotionGate.REVIEW, verdict, sentence, capability, run, promotion.to_stage, evidence
        ),
    )


@dataclass(frozen=True, slots=True)
class PromotionStatus:
    """Where the answer of people stands; ``outcome`` is None while they are waited for."""

    outcome: PromotionOutcome | None
    request: RequestState | None
    missing: tuple[str, ...] = ()


def promotion_approval(belay: Services, capability: str, run: str) -> PromotionStatus:
    """Ask people if nobody asked yet, settle what has run out of time, and say where it stands.

    Raises
    ------
    RefusedError
        When people cannot be asked: a gate has not passed, a criterion is not met, the policy changed.
    """
    from belay.domain.rules.requests import missing_for_quorum

    known, promotion = promotion_under_way(belay, capability, run)
    request = _request_of(belay, promotion)
    if PromotionGate.APPROVAL in promotion.gates:
        return PromotionStatus(_spoken(promotion, known.id, PromotionGate.APPROVAL), request)
    if request is None or request.status is RequestStatus.VOID:
        command: c.Command = c.RequestPromotion(capability, run, policy_in_force(belay, capability))
        execute(belay, command, by="approval")
    elif request.status is RequestStatus.OPEN:
        execute(belay, c.SettleRequest(request.id), by="approval")
    known, promotion = promotion_under_way(belay, capability, run)
    request = _request_of(belay, promotion)
    if request is None or request.status is RequestStatus.OPEN:
        return PromotionStatus(None, request, missing_for_quorum(request, request.votes) if request else ())
    if known.grant is not None:
        names = ", ".join(vote.voter for vote in request.votes if vote.counted)
        verdict, sentence = Verdict.PASS, f"approved by {names}"
    else:
        verdict, sentence = Verdict.HOLD, f"not approved ({request.status}): {request.outcome}"
    gate = PromotionGate.APPROVAL
    return PromotionStatus(
        _judge(
            belay,
            PromotionOutcome(gate, verdict, sentence, capability, run, promotion.to_stage, request.evidence),
        ),
        request,
    )


def promote(belay: Services, capability: str, run: str) -> PromotionOutcome:
    """Use the grant of people; asked again after it was used, it says the same.

    Raises
    ------
    RefusedError
        When the ledger holds no grant for exactly this promotion; the attempt is recorded.
    """
    known, promotion = promotion_under_way(belay, capability, run)
    request = _request_of(belay, promotion)
    names = ", ".join(vote.voter for vote in request.votes if vote.counted) if request else "nobody"
    what = "its lease is renewed" if promotion.renews else f"it goes to {promotion.to_stage}"
    sentence = f"{what}, approved by {names}"
    review = promotion.gates.get(PromotionGate.REVIEW)
    evidence = review.evidence if review else None
    if promotion is known.finished:
        sentence = f"{sentence}; that was done before, and its stage is {known.stage} now"
    else:
        execute(belay, c.Promote(capability, promotion.to_stage, sentence, evidence), by="promoter")
    return PromotionOutcome(
        PromotionGate.APPROVAL, Verdict.PASS, sentence, capability, run, promotion.to_stage, evidence
    )


def go_through(
    belay: Services, capability: str, run: str, *, asked_by: str = "", to_stage: Stage | None = None
) -> tuple[list[PromotionOutcome], PromotionStatus | None]:
    """Take a promotion as far as it goes now, without Airflow: through the gates, to people, and on.

    Returns what the gates said, and where the answer of people stands once they were asked. Called again with
    the same run it goes on where it stopped.
    """
    said = [admit_promotion(belay, capability, run, asked_by=asked_by, to_stage=to_stage)]
    for gate in (judge_quality, judge_the_record, review_promotion):
        if said[-1].verdict is not Verdict.PASS:
            return said, None
        said.append(gate(belay, capability, run))
    if said[-1].verdict is not Verdict.PASS:
        return said, None
    status = promotion_approval(belay, capability, run)
    if status.outcome is not None:
        said.append(status.outcome)
        if status.outcome.verdict is Verdict.PASS:
            said.append(promote(belay, capability, run))
    return said, status


def promotion_under_way(belay: Services, capability: str, run: str) -> tuple[CapabilityState, Promotion]:
    """Return a capability and the promotion that ``run`` takes, or took, through the gates.

    Raises
    ------
    RefusedError
        When it is neither under way nor the one that was used last: the capability changed stage or policy,
        or another run took over.
    """
    known = belay.ledger.state().capabilities.get(capability)
    if known is not None and (promotion := _promotion_of(known, run)) is not None:
        return known, promotion
    message = (
        f"{capability} has no promotion by run {run} under way: it is over, another run took it up, "
        "or the capability's stage or policy changed meanwhile"
    )
    raise RefusedError(Refusal(Rule.NO_SUCH_PROMOTION, message))


def _promotion_of(known: CapabilityState, run: str) -> Promotion | None:
    """Return the promotion of ``run``: under way, or used, where a task that is run again says the same."""
    of_run = (one for one in (known.promotion, known.finished) if one is not None and one.run == run)
    return next(of_run, None)


# -- what the gates ask ---------------------------------------------------------------------------


def _summary(criteria: tuple[Criterion, ...], lacking: list[Criterion]) -> str:
    if not criteria:
        return "the policy has no criteria for this stage"
    met = f"{len(criteria) - len(lacking)} of {len(criteria)} criteria are met."
    if not lacking:
        return met
    words = {Standing.NOT_MET: "not met", Standing.UNKNOWN: "unknown, which is not met"}
    said = [f"{one.name.replace('_', ' ')} ({words[one.standing]}): {one.sentence}" for one in lacking]
    return f"{met} Missing: {'; '.join(said)}."


def _question(known: CapabilityState, promotion: Promotion) -> str:
    if promotion.renews:
        return f"May {known.title} keep stage {promotion.to_stage}?"
    return f"May {known.title} go from {promotion.from_stage} to {promotion.to_stage}?"


def _changes(policy: CapabilityPolicy, promotion: Promotion) -> list[str]:
    """Return what people give away, in sentences: the cells of the oversight table that would change."""
    if promotion.renews:
        lease = policy.autonomy.leases.get(promotion.to_stage, 0.0) / 86_400
        return [f"Its lease would run for another {lease:g} days."]
    before, after = policy.oversight[promotion.from_stage], policy.oversight[promotion.to_stage]
    names = {
        StepKind.CANARY: "A first exposure",
        StepKind.WITHIN_FREE_SCOPE: f"Widening up to {policy.free_scope / 100:g} %",
        StepKind.BEYOND_FREE_SCOPE: f"Widening beyond {policy.free_scope / 100:g} %",
    }
    return [
        f"{names[kind]} would take {after[kind]} instead of {before[kind]}."
        for kind in StepKind
        if after[kind] is not before[kind]
    ]


def _plain(criterion: Criterion) -> dict[str, str]:
    return {"name": criterion.name, "standing": str(criterion.standing), "sentence": criterion.sentence}


def _judge(belay: Services, said: PromotionOutcome) -> PromotionOutcome:
    """Record what a gate says, and return it."""
    command = c.JudgePromotion(
        said.capability, said.run, said.gate, said.verdict, said.sentence, said.evidence
    )
    execute(belay, command, by=str(said.gate))
    return said


def _spoken(promotion: Promotion, capability: str, gate: PromotionGate) -> PromotionOutcome:
    said = promotion.gates[gate]
    return PromotionOutcome(
        gate, said.verdict, said.sentence, capability, promotion.run, promotion.to_stage, said.evidence
    )


def _request_of(belay: Services, promotion: Promotion) -> RequestState | None:
    return belay.ledger.state().requests.get(promotion.request) if promotion.request else None
