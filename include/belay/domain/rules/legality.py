"""Is a history legal (I12)? Every widening has its earlier, unused grant, every grant its votes, every event
a decision that could have led to it.

A chain of hashes says that nothing was changed since it was written. It does not say that what was written
was decided: whoever can write to the database can append. So each event is held against the state that the
entries before it lead to, by what every version of the rules has asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from belay.domain import events as e
from belay.domain.actors import ActorKind
from belay.domain.capability import CapabilityPolicy
from belay.domain.capability_state import CapabilityState
from belay.domain.evolve import Draft
from belay.domain.gates import Gate, PromotionGate
from belay.domain.oversight import Oversight, required_oversight, step_kind
from belay.domain.recorded import Recorded
from belay.domain.request_state import RequestState, RequestStatus
from belay.domain.rules.requests import missing_for_quorum
from belay.domain.scope import percent
from belay.domain.stages import lower
from belay.domain.state import OptimizationState, Step

_GATES = (Gate.ADMIT, Gate.QUALITY, Gate.WINDOW, Gate.REVIEW)
_PROMOTION_GATES = (
    PromotionGate.ADMIT,
    PromotionGate.QUALITY,
    PromotionGate.RECORD,
    PromotionGate.REVIEW,
)
_BY_PEOPLE = (e.VoteCast, e.Vetoed, e.KillSwitchPulled, e.ProposalJudged, e.DelegationGiven, e.ReviewOpened)
_NOT_BY_AGENTS = (
    e.PolicyAdopted,
    e.StagePromoted,
    e.LeaseRenewed,
    e.PromotionStarted,
    e.PromotionJudged,
    e.StepStarted,
    e.GateJudged,
    e.LookTaken,
    e.OversightRequested,
    e.OversightGranted,
    e.WideningIntended,
    e.HoldbackIntended,
    e.ScopeConfirmed,
    e.ShownHarmless,
    e.ShadowMeasured,
    e.OecMeasured,
    e.RealisedMeasured,
    e.GuardBlinded,
    e.GuardSighted,
    e.ServedWider,
)


class Legality:
    """Holds events against the state before them.

    Parameters
    ----------
    policies
        The policies whose text was kept, by the digest of their document: what they say about roles and
        quorum is held against what was asked.
    """

    def __init__(self, policies: Mapping[str, CapabilityPolicy] | None = None) -> None:
        self._policies = policies or {}
        self._rules: dict[type, Callable[[Any, Draft, Recorded], str]] = {
            e.PolicyAdopted: self._adopted,
            e.StepStarted: self._step_started,
            e.OversightRequested: self._requested,
            e.VoteCast: self._voted,
            e.OversightGranted: self._granted,
            e.WideningIntended: self._widening,
            e.HoldbackIntended: self._holdback,
            e.NarrowingIntended: self._narrowing,
            e.ScopeConfirmed: self._confirmed,
            e.StagePromoted: self._promoted,
            e.LeaseRenewed: self._renewed,
            e.StageDemoted: self._demoted,
        }

    def problem(self, draft: Draft, recorded: Recorded) -> str:
        """Return why ``recorded`` was not decided on ``draft``, the state before it; else nothing."""
        event, by = recorded.event, recorded.by
        if isinstance(event, _BY_PEOPLE) and by.kind is not ActorKind.HUMAN:
            return f"{by} is no person, and only people do that"
        if isinstance(event, _NOT_BY_AGENTS) and by.kind is ActorKind.AGENT:
            return f"{by} is an agent, and agents may propose and narrow"
        rule = self._rules.get(type(event))
        return "" if rule is None else rule(event, draft, recorded)

    def _adopted(self, event: e.PolicyAdopted, draft: Draft, recorded: Recorded) -> str:
        known = draft.capabilities.get(event.capability)
        if known is None or known.policy == event.digest or recorded.by.kind is ActorKind.HUMAN:
            return ""
        if not recorded.command:  # before entries knew their command, older rules held
            return ""
        return f"{recorded.by} changed the policy of {event.capability}, and a change takes a person"

    def _step_started(self, event: e.StepStarted, draft: Draft, _recorded: Recorded) -> str:
        known = draft.optimizations[event.optimization]
        if known.status.ended:
            return f"a step begins, and {known.id} has ended"
        if event.from_scope != known.scope or event.to_scope <= event.from_scope:
            step = f"{percent(event.from_scope)} → {percent(event.to_scope)}"
            return f"a step {step} begins at {percent(known.scope)}"
        policy = self._policy(draft.capabilities[known.capability])
        if policy is None or policy.digest != event.policy:  # taken up under another: its gates hold it
            return ""
        following = policy.ramp.step_after(event.from_scope)
        if following == event.to_scope:
            return ""
        ramp = "no step" if following is None else percent(following)
        return (
            f"a step to {percent(event.to_scope)}, and after {percent(event.from_scope)} the ramp has {ramp}"
        )

    def _requested(self, event: e.OversightRequested, draft: Draft, _recorded: Recorded) -> str:
        if event.to_stage is not None:
            return self._promotion_requested(event, draft)
        known = draft.optimizations[event.optimization]
        if wrong := _unready(known, event) or _too_weak(known, draft, event.oversight):
            return wrong
        policy = self._policy(draft.capabilities[known.capability])
        asked = (event.roles, event.quorum)
        if policy is not None and asked != (policy.approval.roles, policy.approval.quorum):
            return "it asks other roles, or fewer people, than the policy in force says"
        return _unrestrained(event, known.proposal.conflicted)

    def _promotion_requested(self, event: e.OversightRequested, draft: Draft) -> str:
        capability = draft.capabilities[event.capability]
        promotion = capability.promotion
        if promotion is None or not promotion.passed(*_PROMOTION_GATES):
            return "it asks about a promotion whose gates have not passed"
        if (event.from_stage, event.to_stage) != (promotion.from_stage, promotion.to_stage):
            return "it asks about other stages than those that were taken up"
        if event.oversight is not Oversight.APPROVE:
            return "a promotion takes approval, always"
        return ""

    def _voted(self, event: e.VoteCast, draft: Draft, recorded: Recorded) -> str:
        request = draft.requests[event.request]
        if request.status is not RequestStatus.OPEN:
            return f"a vote on {request.id}, which is {request.status}"
        if event.voter != recorded.by.id:
            return f"{recorded.by} votes as {event.voter}"
        if event.digest != request.digest:
            return "a vote on something else than what was asked"
        if event.counted and {event.voter, event.on_behalf_of} & set(request.conflicted):
            return f"the vote of {event.voter} counts, who proposed or owns the change"
        if any(vote.voter == event.voter for vote in request.votes):
            return f"a second vote of {event.voter}"
        if not set(event.roles) <= set(request.roles):
            return f"{event.voter} votes in roles that were not asked"
        lent = any(d.giver == event.on_behalf_of and d.to == event.voter for d in draft.delegations.values())
        return "" if lent or not event.on_behalf_of else f"{event.on_behalf_of} lent {event.voter} no voice"

    def _granted(self, event: e.OversightGranted, draft: Draft, recorded: Recorded) -> str:
        if event.request is not None:
            if wrong := _unanswered(event, draft.requests.get(event.request), recorded):
                return wrong
        elif event.to_stage is not None or event.oversight is not Oversight.INFORM:
            return "a grant of oversight that nobody was asked for"
        if event.to_stage is not None:
            capability = draft.capabilities[event.capability]
            same = event.from_stage is capability.stage
            return "" if same else f"a grant to leave stage {event.from_stage}, and it is {capability.stage}"
        known = draft.optimizations[event.optimization]
        if wrong := _unready(known, event):
            return wrong
        return _too_weak(known, draft, event.oversight) if event.request is None else ""

    def _widening(self, event: e.WideningIntended, draft: Draft, _recorded: Recorded) -> str:
        known = draft.optimizations[event.optimization]
        grant = known.grant
        if grant is None or grant.id != event.grant or grant.step != event.step:
            return f"no grant {event.grant} of this step comes before it"
        if grant.used:
            return f"grant {event.grant} was used before"
        scopes = (event.from_scope, event.to_scope)
        if scopes != (grant.from_scope, grant.to_scope) or known.scope != event.from_scope:
            return f"grant {event.grant} is of another step than {percent(scopes[0])} → {percent(scopes[1])}"
        if wrong := _unready(known, event):
            return wrong
        if known.status.ended or known.pending is not None:
            return f"{known.id} has ended, or another change of its scope is under way"
        if event.epoch != known.epoch + 1:
            return f"epoch {event.epoch} comes after {known.epoch}"
        targets = ("all", f"surface:{known.surface}", f"capability:{known.capability}")
        held = [target for target in targets if target in draft.freezes]
        held += [blind.source for blind in draft.blind.values() if blind.target in targets]
        return f"{held[0]} lets nothing widen then" if held else ""

    def _holdback(self, event: e.HoldbackIntended, draft: Draft, _recorded: Recorded) -> str:
        known = draft.optimizations[event.optimization]
        return "" if event.epoch == known.epoch + 1 else f"epoch {event.epoch} comes after {known.epoch}"

    def _narrowing(self, event: e.NarrowingIntended, draft: Draft, _recorded: Recorded) -> str:
        known = draft.optimizations[event.optimization]
        if event.to_scope > known.scope:
            return f"it narrows to {percent(event.to_scope)}, and {percent(known.scope)} is shown"
        return "" if event.epoch > known.epoch else f"epoch {event.epoch} comes after {known.epoch}"

    def _confirmed(self, event: e.ScopeConfirmed, draft: Draft, _recorded: Recorded) -> str:
        pending = draft.optimizations[event.optimization].pending
        if pending is None or (pending.to_scope, pending.epoch) != (event.scope, event.epoch):
            return f"{percent(event.scope)} under epoch {event.epoch} was not intended"
        return ""

    def _promoted(self, event: e.StagePromoted, draft: Draft, _recorded: Recorded) -> str:
        known = draft.capabilities[event.capability]
        if wrong := _without_grant(known, event.grant):
            return wrong
        assert known.grant is not None
        if (event.from_stage, event.to_stage) != (known.grant.from_stage, known.grant.to_stage):
            return f"grant {event.grant} is of another promotion"
        highest = lower(event.to_stage, known.ceiling, known.decision_class.ceiling)
        one_up = event.from_stage is known.stage and event.to_stage.below is event.from_stage
        return "" if one_up and highest is event.to_stage else "it skips a stage, or passes the ceiling"

    def _renewed(self, event: e.LeaseRenewed, draft: Draft, _recorded: Recorded) -> str:
        known = draft.capabilities[event.capability]
        wrong = _without_grant(known, event.grant)
        return wrong or ("" if event.stage is known.stage else f"it is at stage {known.stage}")

    def _demoted(self, event: e.StageDemoted, _draft: Draft, _recorded: Recorded) -> str:
        down = lower(event.from_stage, event.to_stage) is event.to_stage is not event.from_stage
        return "" if down else f"{event.from_stage} → {event.to_stage} is no demotion"

    def _policy(self, capability: CapabilityState) -> CapabilityPolicy | None:
        """Return the policy in force, where its text was kept, and is that of the digest in force."""
        policy = self._policies.get(capability.document or "")
        return policy if policy is not None and policy.digest == capability.policy else None


def _unready(
    known: OptimizationState, event: e.OversightRequested | e.OversightGranted | e.WideningIntended
) -> str:
    """Return why the step that ``event`` is about is not one that may be asked about, granted or taken."""
    step: Step | None = known.step
    if step is None or step.number != event.step:
        return f"{known.id} has no step {event.step} under way"
    if (event.from_scope, event.to_scope) != (step.from_scope, step.to_scope):
        return f"step {step.number} goes {percent(step.from_scope)} → {percent(step.to_scope)}"
    return "" if step.passed(*_GATES) else f"not every gate of step {step.number} has passed before it"


def _too_weak(known: OptimizationState, draft: Draft, oversight: Oversight) -> str:
    """Return whether the step takes more oversight than ``oversight``, by the policy and stage in force."""
    capability, step = draft.capabilities[known.capability], known.step
    if not capability.oversight or step is None:  # a policy from before its table was kept
        return ""
    proposal = known.proposal
    needed = required_oversight(
        table=capability.oversight,
        stage=lower(capability.stage, capability.ceiling, capability.decision_class.ceiling),
        decision_class=capability.decision_class,
        kind=step_kind(step.from_scope, step.to_scope, capability.free_scope),
        tags=frozenset(proposal.tags),
        reversible=proposal.reversible,
        measurable=proposal.measurable,
    ).oversight
    return (
        ""
        if oversight.rank >= needed.rank
        else f"{oversight} is less oversight than {needed}, which it takes"
    )


def _unrestrained(event: e.OversightRequested, conflicted: frozenset[str]) -> str:
    missing = sorted(set(conflicted) - set(event.conflicted))
    return f"{', '.join(missing)} could approve a change of their own" if missing else ""


def _unanswered(event: e.OversightGranted, request: RequestState | None, recorded: Recorded) -> str:
    """Return why ``request`` does not bear the grant, if it does not."""
    if request is None:
        return f"there is no request {event.request}"
    if request.status is not RequestStatus.OPEN:
        return f"request {request.id} is {request.status}"
    asked = (request.digest, request.step, request.from_scope, request.to_scope, request.oversight)
    granted = (event.digest, event.step, event.from_scope, event.to_scope, event.oversight)
    if asked != granted or request.to_stage is not event.to_stage:
        return f"what was granted is not what {request.id} asked"
    if request.oversight is Oversight.NOTICE:
        early = recorded.at < request.expires_at
        return "a notice counts as consent before its time was over" if early else ""
    missing = missing_for_quorum(request, request.votes)
    return f"the votes on {request.id} are not complete: {', '.join(missing)}" if missing else ""


def _without_grant(known: CapabilityState, grant: str | None) -> str:
    if known.grant is None or known.grant.id != grant:
        return f"no unused grant {grant or 'of people'} comes before it"
    return ""
