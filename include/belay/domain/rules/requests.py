"""Requests for oversight: what they bind, who counts, and how they end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from belay.domain import commands as c
from belay.domain import events as e
from belay.domain.actors import ActorKind
from belay.domain.capability import CapabilityPolicy
from belay.domain.digest import sha256_of
from belay.domain.gates import Gate
from belay.domain.identity import same_people
from belay.domain.oversight import Oversight, OversightDecision, required_oversight, step_kind
from belay.domain.request_state import RequestState, RequestStatus, Vote
from belay.domain.rules.answer import Answer, Asked, Refusal
from belay.domain.rules.roster import conflicted_in
from belay.domain.state import OptimizationState, State, Step
from belay.domain.vocabulary import Rule


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
        cautioned=optimization.results.cautioned_at is not None and step.from_scope == 0,
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
        return Refusal(Rule.NO_SUCH_STEP, f"{command.optimization} has no step {command.step} under way")
    if optimization.status.ended:
        return Refusal(
            Rule.ENDED, f"{optimization.id} has ended: {optimization.status}, {optimization.reason}"
        )
    if not step.passed(Gate.ADMIT, Gate.QUALITY, Gate.WINDOW, Gate.REVIEW):
        return Refusal(Rule.REVIEW_FIRST, "oversight is asked after admit, quality, window and review passed")
    policy, capability = command.policy, state.capabilities[optimization.capability]
    if not policy.digest == capability.policy == step.policy:
        return Refusal(
            Rule.POLICY_CHANGED, "the policy changed since this step was admitted: start the step again"
        )
    if step.request and state.requests[step.request].status is not RequestStatus.VOID:
        return ()
    if optimization.grant and optimization.grant.step == step.number:
        return ()
    if optimization.pending or optimization.scope != step.from_scope:
        return Refusal(
            Rule.SCOPE_MOVED, "the scope has changed since this step was admitted: start the step again"
        )
    decision = step_oversight(state, optimization, step, policy)
    if decision.oversight is Oversight.FORBIDDEN:
        return Refusal(Rule.STAGE_FORBIDS, f"at stage {capability.stage} nothing is shown to anybody")
    times = deadlines(policy, decision.oversight, asked)
    times_asked = sum(request.optimization == optimization.id for request in state.requests.values())
    digest = step_digest(optimization, step, decision.oversight, times.expires_at.isoformat(), times_asked)
    name = f"{optimization.id}.{step.number}.{digest[:8]}"
    evidence = step.gates[Gate.REVIEW].evidence
    rules = tuple(map(str, decision.rules))
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
                spoken=decision.rules,
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
            conflicted=conflicted_in(state, [proposal]),
            owner=capability.owner,
            expires_at=times.expires_at,
            remind_at=times.remind_at,
            escalate_at=times.escalate_at,
            escalate_to=policy.approval.escalate_to,
            spoken=decision.rules,
        ),
    )


class Deadlines(NamedTuple):
    """When a question ends, and when, before that, the silent are reminded and stood in for."""

    expires_at: datetime
    remind_at: datetime | None
    escalate_at: datetime | None


def deadlines(policy: CapabilityPolicy, oversight: Oversight, asked: Asked) -> Deadlines:
    """Return the times of a question that is asked now; a share of 1 (or more) never comes."""
    rule = policy.approval
    waits = rule.expires_seconds if oversight is Oversight.APPROVE else rule.notice_seconds

    def after(share: float) -> datetime | None:
        return policy.calendar.after(asked.at, waits * share) if share < 1 else None

    ends = policy.calendar.after(asked.at, waits)
    return Deadlines(ends, after(rule.remind_after), after(rule.escalate_after))


def cast_vote(state: State, command: c.CastVote, asked: Asked) -> Answer:
    """Record an answer, and the grant when it completes the quorum (I2, I4)."""
    request = state.requests.get(command.request)
    if request is None:
        return Refusal(Rule.NO_SUCH_REQUEST, f"there is no request {command.request!r}")
    standing = standing_of(state, request, command, asked)
    if refusal := _may_not_vote(state, request, command, standing, asked):
        return refusal
    voices = same_people(state.people, {asked.by.id, standing.on_behalf_of})
    counted = not voices & set(request.conflicted)
    vote = e.VoteCast(
        request=request.id,
        optimization=request.optimization,
        voter=asked.by.id,
        roles=standing.roles,
        choice=command.choice,
        reason=command.reason,
        via=command.via,
        digest=command.digest,
        counted=counted,
        on_behalf_of=standing.on_behalf_of,
    )
    if command.choice is e.Choice.REJECT:
        reason = f"{asked.by.id} rejected it: {command.reason}"
        return (vote, e.RequestClosed(request.id, request.optimization, RequestStatus.REJECTED, reason))
    votes = (
        *request.votes,
        Vote(
            vote.voter,
            vote.roles,
            vote.choice,
            vote.reason,
            vote.via,
            asked.at,
            counted,
            vote.on_behalf_of,
            tuple(sorted(voices)),
        ),
    )
    # Where notice is enough, an approval only adds a name: silence until the end of the notice
    # decides, so that a veto holder always gets the whole period.
    if request.oversight is Oversight.APPROVE and not missing_for_quorum(request, votes):
        return (vote, _grant(request))
    return (vote,)


@dataclass(frozen=True, slots=True)
class Standing:
    """In which of a request's roles somebody answers, and for whom (empty: for themselves)."""

    roles: tuple[str, ...]
    on_behalf_of: str = ""


def standing_of(state: State, request: RequestState, command: c.CastVote, asked: Asked) -> Standing:
    """Return how the asking person stands to ``request``: in their own roles, else in roles lent to them.

    One person has one voice: who holds a role needed here answers in it, and lends no second voice to it.
    """
    if own := _covered(request, command.roles):
        return Standing(own)
    heard = request.heard
    for given in state.delegated_to(asked.by.id, asked.at):
        still_held = frozenset(given.roles) & command.givers.get(given.giver, frozenset())
        giver = same_people(state.people, {given.giver})
        if not giver & heard and (lent := _covered(request, still_held)):
            return Standing(lent, given.giver)
    return Standing(())


def _covered(request: RequestState, roles: frozenset[str]) -> tuple[str, ...]:
    """Return the roles of the quorum that a holder of ``roles`` answers in: a stand-in, in all of them."""
    if request.escalated and roles & set(request.escalate_to):
        return request.roles
    return tuple(sorted(roles & set(request.roles)))


def _may_not_vote(
    state: State, request: RequestState, command: c.CastVote, standing: Standing, asked: Asked
) -> Refusal | None:
    """Return why this vote is refused, if it is."""
    voter = asked.by
    if voter.kind is not ActorKind.HUMAN:
        return Refusal(Rule.PEOPLE_APPROVE, f"{voter} cannot vote: only people can", kept=True)
    # What a person with the right said too late is kept; a second click is not news.
    me = same_people(state.people, {voter.id})
    late = bool(standing.roles) and not me & request.heard
    if request.status is not RequestStatus.OPEN:
        ended = f"request {request.id} is {request.status}: {request.outcome}".rstrip(": ")
        said = f"; too late: {voter.id} said {command.choice}, {command.reason}" if late else ""
        return Refusal(Rule.REQUEST_CLOSED, ended + said, kept=late)
    if command.digest != request.digest:
        return Refusal(
            Rule.DIGEST, "what was shown is not what is asked any more: open the request again", kept=True
        )
    if asked.at >= request.expires_at:
        message = f"request {request.id} expired at {request.expires_at:%Y-%m-%d %H:%M} UTC"
        return Refusal(Rule.EXPIRED, message, kept=late)
    for vote in request.votes:
        if me & same_people(state.people, {vote.voter}):
            called = "" if vote.voter == voter.id else f", as {vote.voter}"
            return Refusal(
                Rule.VOTED_ALREADY, f"{voter.id} has answered request {request.id} already{called}"
            )
        if vote.on_behalf_of and me & vote.everybody:
            message = f"{vote.voter} has answered request {request.id} for {voter.id} already"
            return Refusal(Rule.VOTED_ALREADY, message)
    if not standing.roles:
        roles = " or ".join(request.answering_roles)
        return Refusal(Rule.ROLE, f"{voter.id} may not answer this: it takes {roles}", kept=True)
    return None


@dataclass(frozen=True, slots=True)
class Tally:
    """How far the approvals of a request go.

    Attributes
    ----------
    given, needed : int
        Approvals that count, and how many it takes.
    roles : tuple[str, ...]
        Roles that no approval was given in yet.
    alone : str
        The capability's owner, where nobody else approved; empty otherwise.
    """

    given: int
    needed: int
    roles: tuple[str, ...]
    alone: str

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return self.given >= self.needed and not self.roles and not self.alone

    def words(self, names: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """Return what is there and what is missing: ``0 of 2 approvals``, ``needs a cx_owner and one more``.

        Empty when it is complete. ``names`` gives people's full names by their ids.
        """
        if self.complete:
            return ()
        needs = [f"{_article(role)} {role}" for role in self.roles]
        more = self.needed - self.given - len(self.roles)
        if more > 0:
            needs.append("one more" if more == 1 else f"{more} more")
        if self.alone and not needs:
            needs.append(f"somebody besides the owner {(names or {}).get(self.alone, self.alone)}")
        listed = " and ".join([", ".join(needs[:-1]), needs[-1]] if needs[1:] else needs)
        return f"{min(self.given, self.needed)} of {self.needed} approvals", f"needs {listed}"


def tally_of(request: RequestState, votes: tuple[Vote, ...]) -> Tally:
    """Return how far ``votes`` go.

    Votes of the proposer and of the agent's owner never count, and the capability's owner never
    completes a quorum alone (I4).
    """
    approvals = [vote for vote in votes if vote.counted and vote.choice is e.Choice.APPROVE]
    roles = tuple(role for role in request.roles if not any(role in vote.roles for vote in approvals))
    alone = bool(approvals) and all(request.owner in vote.everybody for vote in approvals)
    return Tally(len(approvals), max(request.quorum, 1), roles, request.owner if alone else "")


def missing_for_quorum(request: RequestState, votes: tuple[Vote, ...]) -> tuple[str, ...]:
    """Return how far the approvals in ``votes`` go and what they lack, in words; empty when complete."""
    return tally_of(request, votes).words()


def _article(word: str) -> str:
    return "an" if word[:1].lower() in "aeiou" else "a"


def settle_request(state: State, command: c.SettleRequest, asked: Asked) -> Answer:
    """Do what is due: remind, escalate, or close. After a notice silence means yes, after a question no."""
    request = state.requests.get(command.request)
    if request is None:
        return Refusal(Rule.NO_SUCH_REQUEST, f"there is no request {command.request!r}")
    if request.status is not RequestStatus.OPEN:
        return ()
    if asked.at < request.expires_at:
        return tuple(_nudges(request, asked))
    if request.oversight is Oversight.NOTICE:
        return (_grant(request),)
    reason = "nobody completed the quorum in time, and silence means no"
    return (e.RequestClosed(request.id, request.optimization, RequestStatus.EXPIRED, reason),)


def _nudges(request: RequestState, asked: Asked) -> Iterator[e.Event]:
    """Yield what is due before the end, each once: a reminder, and the next role when silence goes on."""
    if request.oversight is not Oversight.APPROVE:
        return
    missing = missing_for_quorum(request, request.votes)
    if request.remind_at and not request.reminded and asked.at >= request.remind_at:
        yield e.RequestReminded(request.id, request.optimization, missing)
    due = request.escalate_at and not request.escalated and asked.at >= request.escalate_at
    if due and request.escalate_to:
        yield e.RequestEscalated(request.id, request.optimization, request.escalate_to, missing)


def open_review(state: State, command: c.OpenReview, asked: Asked) -> Answer:
    """Record that a person opened the review, once a person and request, while it can still be answered."""
    request = state.requests.get(command.request)
    if request is None:
        return Refusal(Rule.NO_SUCH_REQUEST, f"there is no request {command.request!r}")
    if asked.by.kind is not ActorKind.HUMAN:
        return Refusal(Rule.PEOPLE_REVIEW, f"{asked.by} cannot review: only people can")
    if request.status is not RequestStatus.OPEN or asked.by.id in request.opened_by:
        return ()
    return (e.ReviewOpened(request.id, request.optimization),)


def question_open(state: State, request: str | None, asked: Asked) -> Refusal | None:
    """Return why another run may not take over: people are asked, and a run alone takes no question back.

    Its own run goes on with it, also when its task is cleared or it is started again under its name.
    """
    known = state.requests.get(request or "")
    if known is None or known.status is not RequestStatus.OPEN or asked.at >= known.expires_at:
        return None
    return Refusal(
        Rule.QUESTION_OPEN,
        f"people are asked about {known.subject} already ({known.id}, until "
        f"{known.expires_at:%Y-%m-%d %H:%M} UTC): the run that asks goes on when they have answered, and "
        "another one changes nothing; to ask anew, reject that request first",
        kept=True,
    )


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
