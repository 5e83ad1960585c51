"""Earning a stage, or keeping it: the gates in order, the question to people, and the grant used once.

AI never promotes. A gate may prepare the question; only votes of people give the grant, and without the grant
nobody promotes, whoever asks.
"""

from __future__ import annotations

from belay.domain import commands as c
from belay.domain import events as e
from belay.domain.actors import ActorKind
from belay.domain.capability_state import CapabilityState, Promotion
from belay.domain.criteria import Standing, judge_record
from belay.domain.digest import sha256_of
from belay.domain.gates import PromotionGate, Verdict
from belay.domain.oversight import Oversight, OversightRule
from belay.domain.record import record_of
from belay.domain.request_state import RequestStatus
from belay.domain.rules.answer import Answer, Asked, Refusal, unknown_capability
from belay.domain.rules.requests import deadlines, question_open, void_open_requests
from belay.domain.rules.roster import conflicted_in
from belay.domain.stages import Stage, lower
from belay.domain.state import State
from belay.domain.vocabulary import Rule

_ORDER = tuple(PromotionGate)
_BEFORE_PEOPLE = _ORDER[:-1]


def start_promotion(state: State, command: c.StartPromotion, asked: Asked) -> Answer:
    """Take up the question, or say why not now. Asked twice by one run, it answers once."""
    capability = state.capabilities.get(command.capability)
    if capability is None:
        return unknown_capability(command.capability)
    if command.run in {one.run for one in (capability.promotion, capability.finished) if one}:
        return ()
    if refusal := _out_of_reach(capability, command.to_stage):
        return refusal
    asked_before = capability.promotion.request if capability.promotion else None
    if refusal := question_open(state, asked_before, asked):
        return refusal
    renews = command.to_stage is capability.stage
    if renews and capability.lease_until is None:
        return Refusal(Rule.NO_LEASE, f"{capability.id} holds no lease at {capability.stage} to renew")
    freezes = list(state.freezes_of(capability.id, capability.surface))
    findings = (
        _rule(
            Rule.POLICY_IN_FORCE,
            command.policy.digest == capability.policy,
            f"policy {command.policy.digest[:12]} is in force",
            "the policy changed meanwhile: run the promotion again",
        ),
        _rule(
            Rule.NO_FREEZE,
            not freezes,
            "no freeze",
            "; ".join(f"{freeze.target} is frozen by {freeze.by}: {freeze.reason}" for freeze in freezes),
        ),
        c.Finding(
            Rule.ONE_STAGE,
            Verdict.PASS,
            f"keeps {capability.stage}" if renews else f"one stage, {capability.stage} → {command.to_stage}",
        ),
        *command.findings,
    )
    against = [finding for finding in findings if finding.verdict is not Verdict.PASS]
    verdict = Verdict.HOLD if against else Verdict.PASS
    sentence = "; ".join(finding.sentence for finding in against or findings[2:])
    return (
        *_void(state, capability, "a new run took up the promotion"),
        e.PromotionStarted(
            capability.id,
            command.run,
            capability.stage,
            command.to_stage,
            command.policy.digest,
            command.asked_by,
        ),
        e.PromotionJudged(
            capability.id, command.run, PromotionGate.ADMIT, verdict, sentence, command.evidence
        ),
    )


def judge_promotion(state: State, command: c.JudgePromotion, _asked: Asked) -> Answer:
    """Record a verdict, in the order of the gates."""
    capability, promotion, refusal = _under_way(state, command.capability, command.run)
    if refusal or capability is None or promotion is None:
        return refusal or ()
    if command.gate is PromotionGate.ADMIT:
        return Refusal(
            Rule.ADMITTED_ONCE, "a promotion is admitted when it starts: start it again", kept=True
        )
    for gate in _ORDER[: _ORDER.index(command.gate)]:
        if not promotion.passed(gate):
            message = f"{command.gate} comes after {gate}, which has not passed"
            return Refusal(Rule.GATES_IN_ORDER, message, kept=True)
    passes = command.verdict is Verdict.PASS
    if command.gate is PromotionGate.APPROVAL and passes and capability.grant is None:
        return Refusal(Rule.NO_GRANT, "the ledger holds no grant of people for this promotion", kept=True)
    known = promotion.gates.get(command.gate)
    if known and known.verdict is command.verdict and (known.evidence == command.evidence or passes):
        return ()
    judged = e.PromotionJudged(
        capability.id, command.run, command.gate, command.verdict, command.sentence, command.evidence
    )
    if known:
        return (judged, *_void(state, capability, f"{command.gate} was judged again: {command.sentence}"))
    return (judged,)


def request_promotion(state: State, command: c.RequestPromotion, asked: Asked) -> Answer:
    """Ask people, when the record meets every criterion: it is computed here, from the state alone."""
    capability, promotion, refusal = _under_way(state, command.capability, command.run)
    if refusal or capability is None or promotion is None:
        return refusal or ()
    policy = command.policy
    if not promotion.passed(*_BEFORE_PEOPLE):
        return Refusal(Rule.REVIEW_FIRST, "people are asked after admit, quality, record and review passed")
    if not policy.digest == capability.policy == promotion.policy:
        return Refusal(
            Rule.POLICY_CHANGED, "the policy changed since this promotion was admitted: run it again"
        )
    if promotion.request and state.requests[promotion.request].status is not RequestStatus.VOID:
        return ()
    if capability.grant is not None:
        return ()
    record = record_of(state, policy, asked.at)
    criteria = judge_record(record, policy, promotion.to_stage)
    lacking = [criterion for criterion in criteria if criterion.standing is not Standing.MET]
    if lacking or not criteria:
        said = "; ".join(f"{criterion.name}: {criterion.sentence}" for criterion in lacking)
        return Refusal(Rule.CRITERIA, said or f"no criteria are given for {promotion.to_stage}", kept=True)
    roles, quorum = policy.promotion_quorum
    times = deadlines(policy, Oversight.APPROVE, asked)
    times_asked = sum(request.capability == capability.id for request in state.requests.values())
    evidence = promotion.gates[PromotionGate.REVIEW].evidence
    digest = promotion_digest(capability, promotion, evidence, times.expires_at.isoformat(), times_asked)
    always = OversightRule(Rule.PROMOTION, Oversight.APPROVE, "people decide, always")
    rules = (
        str(always),
        *(f"{criterion.name}: met ({criterion.sentence})" for criterion in criteria),
    )
    return (
        e.OversightRequested(
            request=f"{capability.id}.{promotion.to_stage}.{digest[:8]}",
            optimization="",
            step=0,
            from_scope=0,
            to_scope=0,
            oversight=Oversight.APPROVE,
            rules=rules,
            digest=digest,
            evidence=evidence,
            roles=roles,
            quorum=quorum,
            conflicted=conflicted(state, capability),
            owner=capability.owner,
            expires_at=times.expires_at,
            remind_at=times.remind_at,
            escalate_at=times.escalate_at,
            escalate_to=policy.approval.escalate_to,
            capability=capability.id,
            from_stage=promotion.from_stage,
            to_stage=promotion.to_stage,
            spoken=(always,),
        ),
    )


def promotion_digest(
    capability: CapabilityState, promotion: Promotion, evidence: str | None, expires_at: str, times_asked: int
) -> str:
    """Return the digest of what people are asked about: stages, record, policy, answer and expiry."""
    return sha256_of(
        {
            "capability": capability.id,
            "from_stage": promotion.from_stage,
            "to_stage": promotion.to_stage,
            "since": capability.stage_since.isoformat(),
            "evidence": evidence,
            "policy": promotion.policy,
            "oversight": Oversight.APPROVE,
            "expires_at": expires_at,
            "times_asked": times_asked,
        }
    )


def promote(state: State, command: c.Promote, asked: Asked) -> Answer:
    """Use the grant: one stage, never past the ceiling, or another lease (I1, I4, I8)."""
    capability = state.capabilities.get(command.capability)
    if capability is None:
        return unknown_capability(command.capability)
    if asked.by.kind is ActorKind.AGENT:
        return Refusal(Rule.PEOPLE_PROMOTE, f"{asked.by} cannot promote: only people can", kept=True)
    if refusal := _out_of_reach(capability, command.to_stage):
        return refusal
    grant, promotion = capability.grant, capability.promotion
    if grant is None or promotion is None:
        message = "the ledger holds no unused grant of people for this promotion: run `belay promote`"
        return Refusal(Rule.NO_GRANT, message, kept=True)
    bound = (grant.from_stage, grant.to_stage, grant.policy)
    if bound != (capability.stage, command.to_stage, capability.policy) or not promotion.passed(
        *_BEFORE_PEOPLE
    ):
        return Refusal(Rule.GRANT_VOID, "what was granted is not what would be promoted now", kept=True)
    harmed = [
        known.id
        for known in state.optimizations.values()
        if known.capability == capability.id
        and known.results.harmed_at is not None
        and known.results.harmed_at >= promotion.started_at
    ]
    if harmed:
        message = f"{', '.join(harmed)} did harm since people were asked: the record is not what they saw"
        return Refusal(Rule.HARM_SINCE, message, kept=True)
    for freeze in state.freezes_of(capability.id, capability.surface):
        return Refusal(Rule.FREEZE, f"{freeze.target} is frozen by {freeze.by}: {freeze.reason}", kept=True)
    if promotion.renews:
        return (e.LeaseRenewed(capability.id, capability.stage, grant.id, command.reason, command.evidence),)
    return (
        e.StagePromoted(
            capability.id,
            capability.stage,
            command.to_stage,
            command.reason,
            command.evidence,
            grant=grant.id,
        ),
    )


def _out_of_reach(capability: CapabilityState, to_stage: Stage) -> Refusal | None:
    """Return why ``to_stage`` cannot be asked for, whatever the record says (I1, I8)."""
    if to_stage not in (capability.stage, capability.stage.above):
        return Refusal(
            Rule.ONE_STAGE_AT_A_TIME,
            f"{capability.id} is at {capability.stage}; it cannot go to {to_stage} in one step",
            kept=True,
        )
    if to_stage.rank > lower(capability.ceiling, capability.decision_class.ceiling).rank:
        return Refusal(
            Rule.CEILING,
            f"{capability.id} never passes {capability.ceiling} ({capability.decision_class})",
            kept=True,
        )
    return None


def conflicted(state: State, capability: CapabilityState) -> tuple[str, ...]:
    """Return whose vote does not count: who proposed for the capability, and who answers for its agents."""
    known = state.optimizations.values()
    return conflicted_in(state, [one.proposal for one in known if one.capability == capability.id])


def _under_way(
    state: State, capability: str, run: str
) -> tuple[CapabilityState | None, Promotion | None, Refusal | None]:
    known = state.capabilities.get(capability)
    if known is None:
        return None, None, unknown_capability(capability)
    if known.promotion is None or known.promotion.run != run:
        message = f"{capability} has no promotion under way by run {run}"
        return None, None, Refusal(Rule.NO_SUCH_PROMOTION, message)
    if known.promotion.from_stage is not known.stage:
        message = f"{capability} is not at {known.promotion.from_stage} any more"
        return None, None, Refusal(Rule.STAGE_MOVED, message)
    return known, known.promotion, None


def _void(state: State, capability: CapabilityState, reason: str) -> tuple[e.Event, ...]:
    """Void the open question about the capability's stage, and no other."""
    open_ones = void_open_requests(state, reason, capability=capability.id)
    return tuple(event for event in open_ones if state.requests[event.request].promotes)


def _rule(name: str, ok: bool, good: str, bad: str) -> c.Finding:  # noqa: FBT001 - reads as a sentence
    return c.Finding(name, Verdict.PASS if ok else Verdict.HOLD, good if ok else bad)
