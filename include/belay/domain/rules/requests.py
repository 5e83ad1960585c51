"""Requests for oversight: what they bind, who counts, and how they end."""

from __future__ import annotations

from datetime import timedelta

from belay.domain import commands as c
from belay.domain import events as e
from belay.domain.actors import ActorKind
from belay.domain.capability import CapabilityPolicy
from belay.domain.digest import sha256_of
from belay.domain.gates import Gate
from belay.domain.oversight import Oversight, OversightDecision, required_oversight, step_kind
from belay.domain.rules.answer import Answer, Asked, Refusal
from belay.domain.state import OptimizationState, RequestState, RequestStatus, State, Step, Vote


def step_oversight(
    state: State, optimization: OptimizationState, step: Step, policy: CapabilityPolicy
) -> OversightDecision:
    """Return the oversight that the step under way needs, and every rule that spoke."""
    proposal, capability = optimization.proposal, state.capabilities[optimization.capability]
    return required_oversight(
        table=policy.oversight,
        stage=policy.capped(capability.stage),
        decision_class=capability.decision_class,
        kind=step_kind(step.from_scope, step.to_scope, policy.free_scope),
        tags=frozenset(proposal.tags),
        reversible=proposal.reversible,
        measurable=proposal.measurable,
    )


def step_digest(
    optimization: OptimizationState, step: Step, oversight: Oversight, expires_at: str, times_asked: int
) -> str:
    """Return the digest of what people are asked about: change, scopes, evidence, policy, answer and expiry.

    ``times_asked`` keeps a question that is asked again apart from the one that became void.
    """
    review = step.gates.get(Gate.REVIEW)
    return sha256_of(
        {
            "optimization": optimization.id,
            "proposal": optimization.digest,
            "step": step.number,
            "from_scope": step.from_scope,
            "to_scope": step.to_scope,
            "evidence": review.evidence if review else None,
            "policy": step.policy,
            "oversight": oversight,
            "expires_at": expires_at,
            "times_asked": times_asked,
        }
    )


def request_oversight(state: State, command: c.RequestOversight, asked: Asked) -> Answer:
    """Ask people about a reviewed step; where oversight is ``inform``, grant it and tell them."""
    optimization = state.optimizations.get(command.optimization)
    step = optimization.step if optimization else None
    if optimization is None or step is None or step.number != command.step:
        return Refusal("no-such-step", f"{command.optimization} has no step {command.step} under way")
    if optimization.status.ended:
        return Refusal("ended", f"{optimization.id} has ended: {optimization.status}, {optimization.reason}")
    if not step.passed(Gate.ADMIT, Gate.QUALITY, Gate.WINDOW, Gate.REVIEW):
        return Refusal("review-first", "oversight is asked after admit, quality, window and review passed")
    policy, capability = command.policy, state.capabilities[optimization.capability]
    if not policy.digest == capability.policy == step.policy:
        return Refusal(
            "policy-changed", "the policy changed since this step was admitted: start the step again"
        )
    if step.request and state.requests[step.request].status is not RequestStatus.VOID:
        return ()
    if optimization.grant and optimization.grant.step == step.number:
        return ()
    if optimization.pending or optimization.scope != step.from_scope:
        return Refusal(
            "scope-moved", "the scope has changed since this step was admitted: start the step again"
        )
    decision = step_oversight(state, optimization, step, policy)
    if decision.oversight is Oversight.FORBIDDEN:
        return Refusal("stage-forbids", f"at stage {capability.stage} nothing is shown to anybody")
    waits = policy.approval.notice_seconds
    if decision.oversight is Oversight.APPROVE:
        waits = policy.approval.expires_seconds
    expires_at = asked.at + timedelta(seconds=waits)
    times_asked = sum(request.optimization == optimization.id for request in state.requests.values())
    digest = step_digest(optimization, step, decision.oversight, expires_at.isoformat(), times_asked)
    name = f"{optimization.id}.{step.number}.{digest[:8]}"
    evidence = step.gates[Gate.REVIEW].evidence
    rules = tuple(f"{rule.name}: {rule.oversight} ({rule.reason})" for rule in decision.rules)
    if decision.oversight is Oversight.INFORM:
        return (
            e.OversightGranted(
                grant=name,
                optimization=optimization.id,
                step=step.number,
                from_scope=step.from_scope,
                to_scope=step.to_scope,
                oversight=decision.oversight,
                digest=digest,
                request=None,
                evidence=evidence,
                rules=rules,
            ),
        )
    proposal = optimization.proposal
    return (
        e.OversightRequested(
            request=name,
            optimization=optimization.id,
            step=step.number,
            from_scope=step.from_scope,
            to_scope=step.to_scope,
            oversight=decision.oversight,
            rules=rules,
            digest=digest,
            evidence=evidence,
            roles=policy.approval.roles,
            quorum=policy.approval.quorum,
            conflicted=tuple(sorted({proposal.proposed_by.id, proposal.agent_owner})),
            owner=capability.owner,
            expires_at=expires_at,
        ),
    )


def cast_vote(state: State, command: c.CastVote, asked: Asked) -> Answer:
    """Record an answer, and the grant when it completes the quorum (I2, I4)."""
    request = state.requests.get(command.request)
    if request is None:
        return Refusal("no-such-request", f"there is no request {command.request!r}")
    if refusal := _may_not_vote(request, command, asked):
        return refusal
    counted = asked.by.id not in request.conflicted
    vote = e.VoteCast(
        request=request.id,
        optimization=request.optimization,
        voter=asked.by.id,
        roles=tuple(sorted(command.roles & set(request.roles))),
        choice=command.choice,
        reason=command.reason,
        via=command.via,
        digest=command.digest,
        counted=counted,
    )
    if command.choice is e.Choice.REJECT:
        reason = f"{asked.by.id} rejected it: {command.reason}"
        return (vote, e.RequestClosed(request.id, request.optimization, RequestStatus.REJECTED, reason))
    votes = (
        *request.votes,
        Vote(vote.voter, vote.roles, vote.choice, vote.reason, vote.via, asked.at, counted),
    )
    # Where notice is enough, an approval only adds a name: silence until the end of the notice
    # decides, so that a veto holder always gets the whole period.
    if request.oversight is Oversight.APPROVE and not missing_for_quorum(request, votes):
        return (vote, _grant(request))
    return (vote,)


def _may_not_vote(request: RequestState, command: c.CastVote, asked: Asked) -> Refusal | None:
    """Return why this vote is refused, if it is."""
    voter = asked.by
    if voter.kind is not ActorKind.HUMAN:
        return Refusal("people-approve", f"{voter} cannot vote: only people can", kept=True)
    if request.status is not RequestStatus.OPEN:
        return Refusal(
            "request-closed", f"request {request.id} is {request.status}: {request.outcome}".rstrip(": ")
        )
    if command.digest != request.digest:
        return Refusal(
            "digest", "what was shown is not what is asked any more: open the request again", kept=True
        )
    if asked.at >= request.expires_at:
        return Refusal("expired", f"request {request.id} expired at {request.expires_at:%Y-%m-%d %H:%M} UTC")
    if not command.roles & set(request.roles):
        roles = " or ".join(request.roles)
        return Refusal("role", f"{voter.id} may not answer this: it takes {roles}", kept=True)
    if any(vote.voter == voter.id for vote in request.votes):
        return Refusal("voted-already", f"{voter.id} has answered request {request.id} already")
    if not command.reason.strip():
        return Refusal("reason", "an answer needs a reason")
    return None


def missing_for_quorum(request: RequestState, votes: tuple[Vote, ...]) -> tuple[str, ...]:
    """Return what the approvals in ``votes`` still lack, in words; empty when the quorum is complete.

    Votes of the proposer and of the agent's owner never count, and the capability's owner never
    completes a quorum alone (I4).
    """
    approvals = [vote for vote in votes if vote.counted and vote.choice is e.Choice.APPROVE]
    lacking = [f"a {role}" for role in request.roles if not any(role in vote.roles for vote in approvals)]
    quorum = max(request.quorum, 1)
    if len(approvals) < quorum:
        lacking.append(f"{quorum - len(approvals)} of {quorum} approvals")
    if approvals and all(vote.voter == request.owner for vote in approvals):
        lacking.append(f"somebody besides the owner {request.owner}")
    return tuple(lacking)


def settle_request(state: State, command: c.SettleRequest, asked: Asked) -> Answer:
    """Close a request whose time has come: after a notice silence means yes, after a question it means no."""
    request = state.requests.get(command.request)
    if request is None:
        return Refusal("no-such-request", f"there is no request {command.request!r}")
    if request.status is not RequestStatus.OPEN or asked.at < request.expires_at:
        return ()
    if request.oversight is Oversight.NOTICE:
        return (_grant(request),)
    reason = "nobody completed the quorum in time, and silence means no"
    return (e.RequestClosed(request.id, request.optimization, RequestStatus.EXPIRED, reason),)


def void_open_requests(
    state: State, reason: str, *, optimization: str | None = None, capability: str | None = None
) -> tuple[e.RequestClosed, ...]:
    """Return the events that void the open requests of an optimization or a capability."""
    return tuple(
        e.RequestClosed(request.id, request.optimization, RequestStatus.VOID, reason)
        for request in state.open_requests()
        if optimization in (None, request.optimization) and capability in (None, request.capability)
    )


def _grant(request: RequestState) -> e.OversightGranted:
    return e.OversightGranted(
        grant=request.id,
        optimization=request.optimization,
        step=request.step,
        from_scope=request.from_scope,
        to_scope=request.to_scope,
        oversight=request.oversight,
        digest=request.digest,
        request=request.id,
        evidence=request.evidence,
        rules=request.rules,
        capability=request.capability if request.promotes else "",
        from_stage=request.from_stage,
        to_stage=request.to_stage,
    )
