"""How questions, answers, loans and grants change the state."""

from __future__ import annotations

from belay.domain import events as e
from belay.domain.actors import ActorKind
from belay.domain.capability_state import StageGrant
from belay.domain.copying import replace
from belay.domain.identity import KnownAgent, KnownPerson, same_people
from belay.domain.recorded import Recorded
from belay.domain.request_state import DelegationState, RequestState, RequestStatus, Vote
from belay.domain.state import (
    Grant,
    Status,
)
from belay.domain.tables import Fold, Tables


def _roster_noted(event: e.RosterNoted, draft: Tables, recorded: Recorded) -> None:
    for name, names in event.people.items():
        before = draft.people[name].names if name in draft.people else ()
        draft.put("people", name, KnownPerson(name, tuple(sorted({*before, *names}))))
    for name in draft.agents.keys() - event.agents.keys():
        draft.drop("agents", name)
    for name, owner in event.agents.items():
        draft.put("agents", name, KnownAgent(name, owner))
    for request in [one for one in draft.requests.values() if one.status is RequestStatus.OPEN]:
        _as_of_today(draft, request)


def _as_of_today(draft: Tables, request: RequestState) -> None:
    """Let an open request know who is who by now: a conflict since then counts, one person votes once."""
    if request.promotes:
        about = [o.proposal for o in draft.optimizations.values() if o.capability == request.capability]
    else:
        about = [draft.optimizations[request.optimization].proposal]
    bots = {proposal.proposed_by.id for proposal in about if proposal.proposed_by.kind is ActorKind.AGENT}
    owners = {draft.agents[name].owner for name in bots & draft.agents.keys()}
    conflicted = same_people(draft.people, {*request.conflicted, *owners})
    votes: list[Vote] = []
    for vote in (_with_every_name(draft, vote) for vote in request.votes):
        heard = {name for other in votes if other.counted for name in other.everybody}
        counted = vote.counted and not vote.everybody & (conflicted | heard)
        votes.append(replace(vote, counted=counted))
    draft.change("requests", request.id, conflicted=tuple(sorted(conflicted)), votes=tuple(votes))


def _with_every_name(draft: Tables, vote: Vote) -> Vote:
    """Return a vote with the other ids of whose voice it is."""
    voices = {vote.voter, *([vote.on_behalf_of] if vote.on_behalf_of and vote.counted else [])}
    return replace(vote, also=tuple(sorted(same_people(draft.people, voices) - voices)))


def _oversight_requested(event: e.OversightRequested, draft: Tables, recorded: Recorded) -> None:
    optimization = draft.optimizations.get(event.optimization)
    draft.put(
        "requests",
        event.request,
        RequestState(
            id=event.request,
            optimization=event.optimization,
            capability=optimization.capability if optimization else event.capability,
            step=event.step,
            from_scope=event.from_scope,
            to_scope=event.to_scope,
            oversight=event.oversight,
            rules=event.rules,
            digest=event.digest,
            evidence=event.evidence,
            roles=event.roles,
            quorum=event.quorum,
            conflicted=event.conflicted,
            owner=event.owner,
            asked_at=recorded.at,
            expires_at=event.expires_at,
            from_stage=event.from_stage,
            to_stage=event.to_stage,
            remind_at=event.remind_at,
            escalate_at=event.escalate_at,
            escalate_to=event.escalate_to,
        ),
    )
    if optimization is None:
        known = draft.capabilities[event.capability]
        if known.promotion is not None:
            promotion = replace(known.promotion, request=event.request)
            draft.change("capabilities", known.id, promotion=promotion)
    elif optimization.step is not None:
        draft.change_step(event.optimization, request=event.request)


def _vote_cast(event: e.VoteCast, draft: Tables, recorded: Recorded) -> None:
    request = draft.requests[event.request]
    vote = Vote(
        event.voter,
        event.roles,
        event.choice,
        event.reason,
        event.via,
        recorded.at,
        event.counted,
        event.on_behalf_of,
    )
    draft.change("requests", event.request, votes=(*request.votes, _with_every_name(draft, vote)))


def _delegation_given(event: e.DelegationGiven, draft: Tables, recorded: Recorded) -> None:
    given = DelegationState(
        id=event.delegation,
        giver=recorded.by.id,
        to=event.to,
        roles=event.roles,
        since=recorded.at,
        until=event.until,
        reason=event.reason,
    )
    draft.put("delegations", event.delegation, given)


def _delegation_ended(event: e.DelegationEnded, draft: Tables, recorded: Recorded) -> None:
    draft.drop("delegations", event.delegation)


def _request_reminded(event: e.RequestReminded, draft: Tables, recorded: Recorded) -> None:
    draft.change("requests", event.request, reminded=True)


def _request_escalated(event: e.RequestEscalated, draft: Tables, recorded: Recorded) -> None:
    draft.change("requests", event.request, escalated=True, escalate_to=event.roles)


def _review_opened(event: e.ReviewOpened, draft: Tables, recorded: Recorded) -> None:
    request = draft.requests[event.request]
    opened = tuple(dict.fromkeys((*request.opened_by, recorded.by.id)))
    draft.change("requests", event.request, opened_by=opened)


def _request_closed(event: e.RequestClosed, draft: Tables, recorded: Recorded) -> None:
    request = draft.requests[event.request]
    status = RequestStatus(event.outcome)
    draft.change("requests", event.request, status=status, outcome=event.reason, settled_at=recorded.at)
    if request.promotes:
        known = draft.capabilities[request.capability]
        if known.grant is not None and known.grant.id == request.id:
            draft.change("capabilities", known.id, grant=None)
    elif status is RequestStatus.REJECTED:
        draft.add_results(request.optimization, decided_at=recorded.at, overridden_at=recorded.at)


def _oversight_granted(event: e.OversightGranted, draft: Tables, recorded: Recorded) -> None:
    if event.request is not None:
        draft.change("requests", event.request, status=RequestStatus.GRANTED, settled_at=recorded.at)
    if event.to_stage is not None and event.from_stage is not None:
        known = draft.capabilities[event.capability]
        promotes = StageGrant(
            event.grant, event.from_stage, event.to_stage, known.policy, event.digest, recorded.seq
        )
        draft.change("capabilities", known.id, grant=promotes)
        return
    grant = Grant(
        id=event.grant,
        step=event.step,
        from_scope=event.from_scope,
        to_scope=event.to_scope,
        digest=event.digest,
        oversight=event.oversight,
        seq=recorded.seq,
    )
    draft.change_optimization(event.optimization, grant=grant)
    draft.add_results(event.optimization, decided_at=recorded.at)


def _vetoed(event: e.Vetoed, draft: Tables, recorded: Recorded) -> None:
    if event.target in draft.optimizations:
        draft.change_optimization(event.target, status=Status.VETOED, grant=None, reason=event.reason)
        draft.add_results(event.target, decided_at=recorded.at, overridden_at=recorded.at)


FOLDS: dict[type, Fold] = {
    e.RosterNoted: _roster_noted,
    e.OversightRequested: _oversight_requested,
    e.VoteCast: _vote_cast,
    e.DelegationGiven: _delegation_given,
    e.DelegationEnded: _delegation_ended,
    e.RequestReminded: _request_reminded,
    e.RequestEscalated: _request_escalated,
    e.ReviewOpened: _review_opened,
    e.RequestClosed: _request_closed,
    e.OversightGranted: _oversight_granted,
    e.Vetoed: _vetoed,
}
