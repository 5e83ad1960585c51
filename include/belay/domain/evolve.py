"""Fold events into state: total, pure, without opinions. Whether an event may happen was decided before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from belay.domain import events as e
from belay.domain.actors import Actor, ActorKind
from belay.domain.copying import amend, replace
from belay.domain.gates import Estimate, Gate, Verdict
from belay.domain.identity import KnownAgent, KnownPerson, same_people
from belay.domain.oversight import Oversight
from belay.domain.portfolio import Decision, find
from belay.domain.stages import Stage, lower
from belay.domain.state import (
    BlindState,
    CapabilityState,
    DelegationState,
    FreezeState,
    GateResult,
    Grant,
    Judgement,
    OecReading,
    OptimizationState,
    PendingScope,
    Promotion,
    Realised,
    RequestState,
    RequestStatus,
    ScopePhase,
    StageGrant,
    State,
    Status,
    Step,
    Vote,
)
from belay.domain.vocabulary import HARM, IMPERSONAL, RESUMABLE, Cause

_A_DAY = timedelta(days=1)
_GUARD_SET = "service:guard"
"""Who sets the freeze of a harm budget that is spent: lifting that one is what people answer for."""


class Recorded(NamedTuple):
    """An event as the ledger keeps it: numbered, dated, and with its actor.

    ``command`` names what it was appended by: the entries of one command have the same, and no others.
    It is empty in entries from before it was kept.
    """

    seq: int
    at: datetime
    by: Actor
    event: e.Event
    command: str = ""

    @property
    def act(self) -> tuple[object, ...]:
        """What tells one act from another: the command, and in older entries actor and moment."""
        return (self.command,) if self.command else (self.at, self.by)


class Draft:
    """A state being folded. It remembers which entities changed, so that projections follow cheaply.

    An entity is copied at its first change; from then on the draft changes its own copy, until it is shown.
    """

    def __init__(self, state: State) -> None:
        self.seq = state.seq
        self.capabilities = dict(state.capabilities)
        self.optimizations = dict(state.optimizations)
        self.requests = dict(state.requests)
        self.freezes = dict(state.freezes)
        self.delegations = dict(state.delegations)
        self.blind = dict(state.blind)
        self.lifted = dict(state.lifted)
        self.people = dict(state.people)
        self.agents = dict(state.agents)
        self.touched: set[tuple[str, str]] = set()
        self._own: dict[tuple[str, str], Any] = {}

    def put(self, table: str, key: str, entity: Any) -> None:
        """Store ``entity``, made for this draft alone, under ``key`` of ``table``."""
        getattr(self, table)[key] = entity
        self.touched.add((table, key))
        self._own[table, key] = entity

    def drop(self, table: str, key: str) -> None:
        """Remove ``key`` from ``table``."""
        getattr(self, table).pop(key, None)
        self.touched.add((table, key))
        self._own.pop((table, key), None)

    def change(self, table: str, key: str, **changes: Any) -> None:
        """Replace fields of one entity."""
        amend(self._owned(table, key), changes)

    def change_optimization(self, key: str, **changes: Any) -> None:
        """Replace fields of one optimization."""
        amend(self._owned("optimizations", key), changes)

    def change_step(self, key: str, **changes: Any) -> None:
        """Replace fields of the step that one optimization is at."""
        amend(self._owned("optimizations", key).step, changes)

    def add_results(self, key: str, **changes: Any) -> None:
        """Replace fields of what one optimization adds to its capability's record."""
        amend(self._owned("optimizations", key).results, changes)

    def _owned(self, table: str, key: str) -> Any:
        """Return the draft's own copy of an entity, and of the parts of it that are changed in place."""
        entity = self._own.get((table, key))
        if entity is None:
            entity = replace(getattr(self, table)[key])
            if isinstance(entity, OptimizationState):
                step = None if entity.step is None else replace(entity.step)
                amend(entity, {"step": step, "results": replace(entity.results)})
            self.put(table, key, entity)
        return entity

    def apply(self, recorded: Recorded) -> None:
        """Fold one recorded event."""
        _FOLDS[type(recorded.event)](recorded.event, self, recorded)
        self.seq = recorded.seq

    def state(self) -> State:
        """Return the folded state: from now on its entities are never changed in place."""
        self._own.clear()
        return State(
            self.seq,
            self.capabilities,
            self.optimizations,
            self.requests,
            self.freezes,
            self.delegations,
            self.blind,
            self.lifted,
            self.people,
            self.agents,
        )


def evolve(state: State, recorded: Recorded) -> State:
    """Return ``state`` after ``recorded``."""
    return fold([recorded], state)


def fold(history: Iterable[Recorded], start: State | None = None) -> State:
    """Return the state after ``history``, from ``start`` or from nothing."""
    draft = Draft(start or State())
    for recorded in history:
        draft.apply(recorded)
    return draft.state()


_Fold = Callable[[Any, Draft, Recorded], None]
_FOLDS: dict[type, _Fold] = {}
"""How each kind of event is folded."""


def _folds(kind: type) -> Callable[[_Fold], _Fold]:
    def register(fold_one: _Fold) -> _Fold:
        _FOLDS[kind] = fold_one
        return fold_one

    return register


@_folds(e.PolicyAdopted)
def _(event: e.PolicyAdopted, draft: Draft, recorded: Recorded) -> None:
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


@_folds(e.StagePromoted)
def _(event: e.StagePromoted, draft: Draft, recorded: Recorded) -> None:
    promoted = _at_stage(draft, event.capability, event.to_stage, recorded)
    finished = draft.capabilities[event.capability].promotion
    draft.put("capabilities", event.capability, replace(promoted, finished=finished))


@_folds(e.StageDemoted)
def _(event: e.StageDemoted, draft: Draft, recorded: Recorded) -> None:
    lowered = _at_stage(draft, event.capability, event.to_stage, recorded)
    demotions = {**lowered.demotions, event.rule: recorded.at}
    draft.put("capabilities", event.capability, replace(lowered, demotions=demotions))
    _void_unused_grants(draft, event.capability, "the capability was demoted")


@_folds(e.LeaseRenewed)
def _(event: e.LeaseRenewed, draft: Draft, recorded: Recorded) -> None:
    known = draft.capabilities[event.capability]
    renewed = replace(known, lease_until=_lease_end(known, recorded.at), promotion=None, grant=None)
    draft.put("capabilities", event.capability, replace(renewed, finished=known.promotion))


def _at_stage(draft: Draft, capability: str, stage: Stage, recorded: Recorded) -> CapabilityState:
    moved = replace(
        draft.capabilities[capability], stage=stage, stage_since=recorded.at, promotion=None, grant=None
    )
    return replace(moved, lease_until=_lease_end(moved, recorded.at))


def _lease_end(capability: CapabilityState, at: datetime) -> datetime | None:
    seconds = capability.leases.get(capability.stage)
    return None if seconds is None else at + timedelta(seconds=seconds)


@_folds(e.PromotionStarted)
def _(event: e.PromotionStarted, draft: Draft, recorded: Recorded) -> None:
    promotion = Promotion(event.run, event.from_stage, event.to_stage, event.policy, recorded.at)
    draft.change("capabilities", event.capability, promotion=promotion, grant=None)


@_folds(e.PromotionJudged)
def _(event: e.PromotionJudged, draft: Draft, recorded: Recorded) -> None:
    known = draft.capabilities[event.capability]
    promotion = known.promotion
    if promotion is None or promotion.run != event.run:
        return
    result = GateResult(event.verdict, event.sentence, event.evidence, recorded.seq)
    promotion = replace(promotion, gates={**promotion.gates, event.gate: result})
    draft.change("capabilities", event.capability, promotion=promotion)


@_folds(e.ProposalJudged)
def _(event: e.ProposalJudged, draft: Draft, recorded: Recorded) -> None:
    judgements = draft.optimizations[event.optimization].results.judgements
    said = Judgement(event.judge, event.agrees, recorded.at, event.counted)
    draft.add_results(event.optimization, judgements=(*judgements, said))


@_folds(e.ShadowMeasured)
def _(event: e.ShadowMeasured, draft: Draft, recorded: Recorded) -> None:
    draft.add_results(event.optimization, found=event.found, found_at=recorded.at)


@_folds(e.OecMeasured)
def _(event: e.OecMeasured, draft: Draft, recorded: Recorded) -> None:
    found = Estimate(event.effect, event.low, event.high)
    reading = OecReading(found, event.since, event.until, recorded.at, event.evidence)
    draft.change("capabilities", event.capability, oec=reading)


def _void_unused_grants(draft: Draft, capability: str, reason: str) -> None:
    """Take back what was granted under less oversight than the steps may need now (I2)."""
    for known in [o for o in draft.optimizations.values() if o.capability == capability]:
        grant = known.grant
        if grant is None or grant.used:
            continue
        draft.change_optimization(known.id, grant=None)
        if request := draft.requests.get(grant.id):
            draft.change("requests", request.id, status=RequestStatus.VOID, outcome=reason)


@_folds(e.Frozen)
def _(event: e.Frozen, draft: Draft, recorded: Recorded) -> None:
    freeze = FreezeState(event.target, event.reason, str(recorded.by), recorded.at)
    draft.put("freezes", event.target, freeze)


@_folds(e.RosterNoted)
def _(event: e.RosterNoted, draft: Draft, recorded: Recorded) -> None:
    for name, names in event.people.items():
        before = draft.people[name].names if name in draft.people else ()
        draft.put("people", name, KnownPerson(name, tuple(sorted({*before, *names}))))
    for name in draft.agents.keys() - event.agents.keys():
        draft.drop("agents", name)
    for name, owner in event.agents.items():
        draft.put("agents", name, KnownAgent(name, owner))
    for request in [one for one in draft.requests.values() if one.status is RequestStatus.OPEN]:
        _as_of_today(draft, request)


def _as_of_today(draft: Draft, request: RequestState) -> None:
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


def _with_every_name(draft: Draft, vote: Vote) -> Vote:
    """Return a vote with the other ids of whose voice it is."""
    voices = {vote.voter, *([vote.on_behalf_of] if vote.on_behalf_of and vote.counted else [])}
    return replace(vote, also=tuple(sorted(same_people(draft.people, voices) - voices)))


@_folds(e.Unfrozen)
def _(event: e.Unfrozen, draft: Draft, recorded: Recorded) -> None:
    freeze = draft.freezes.get(event.target)
    draft.drop("freezes", event.target)
    if freeze is not None and freeze.by == _GUARD_SET:
        lifted = FreezeState(event.target, event.reason, str(recorded.by), recorded.at)
        draft.put("lifted", event.target, lifted)


@_folds(e.Proposed)
def _(event: e.Proposed, draft: Draft, recorded: Recorded) -> None:
    draft.put(
        "optimizations",
        event.optimization,
        OptimizationState(
            id=event.optimization,
            capability=event.capability,
            surface=event.surface,
            proposal=event.proposal,
            digest=event.digest,
            status=Status.PROPOSED,
            proposed_at=recorded.at,
        ),
    )


@_folds(e.StepStarted)
def _(event: e.StepStarted, draft: Draft, recorded: Recorded) -> None:
    step = Step(
        number=event.step,
        run=event.run,
        from_scope=event.from_scope,
        to_scope=event.to_scope,
        policy=event.policy,
        started_at=recorded.at,
        last=event.last,
        level=event.level,
    )
    draft.change_optimization(event.optimization, status=Status.CLIMBING, step=step, reason="")
    optimization = draft.optimizations[event.optimization]
    known = draft.capabilities[optimization.capability]
    phase = len(optimization.phases)
    if event.level is not None and find(known.decisions, optimization.id, phase) is None:
        begun = (*known.decisions, Decision(optimization.id, phase, event.level))
        draft.change("capabilities", known.id, decisions=begun)


@_folds(e.GateJudged)
def _(event: e.GateJudged, draft: Draft, recorded: Recorded) -> None:
    optimization = draft.optimizations[event.optimization]
    step = optimization.step
    if step is None or step.number != event.step:
        return
    result = GateResult(event.verdict, event.sentence, event.evidence, recorded.seq)
    gates = {**step.gates, event.gate: result}
    draft.change_step(event.optimization, gates=gates)
    if event.verdict is not Verdict.PASS and not optimization.status.ended:
        draft.change_optimization(event.optimization, status=Status.HELD, reason=event.sentence)
    elif optimization.status is Status.HELD and all(gate.verdict is Verdict.PASS for gate in gates.values()):
        draft.change_optimization(event.optimization, status=Status.CLIMBING, reason="")
    if event.gate is Gate.REVIEW and event.verdict is Verdict.PASS:
        harmless = max(optimization.shown_harmless, optimization.scope)
        draft.change_optimization(event.optimization, shown_harmless=harmless)
    if event.gate is Gate.REVIEW and step.level is not None:
        _decided(draft, optimization, shown=event.verdict is Verdict.PASS)
    if event.found is not None:
        draft.add_results(event.optimization, found=event.found, found_at=recorded.at)
    if event.gate is Gate.QUALITY:
        said = (recorded.at, event.verdict is Verdict.PASS)
        draft.add_results(event.optimization, quality=(*optimization.results.quality, said))


def _decided(draft: Draft, optimization: OptimizationState, *, shown: bool) -> None:
    """Note what the review of a step says to the portfolio: a winner earns from now on."""
    known = draft.capabilities[optimization.capability]
    at = find(known.decisions, optimization.id, len(optimization.phases))
    if at is None or shown is (known.decisions[at].shown_at is not None):
        return
    decided = replace(known.decisions[at], shown_at=len(known.decisions) if shown else None)
    decisions = (*known.decisions[:at], decided, *known.decisions[at + 1 :])
    draft.change("capabilities", known.id, decisions=decisions)


@_folds(e.LookTaken)
def _(event: e.LookTaken, draft: Draft, recorded: Recorded) -> None:
    step = draft.optimizations[event.optimization].step
    if step is not None and step.number == event.step:
        draft.change_step(event.optimization, looks=event.look)


@_folds(e.OversightRequested)
def _(event: e.OversightRequested, draft: Draft, recorded: Recorded) -> None:
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


@_folds(e.VoteCast)
def _(event: e.VoteCast, draft: Draft, recorded: Recorded) -> None:
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


@_folds(e.DelegationGiven)
def _(event: e.DelegationGiven, draft: Draft, recorded: Recorded) -> None:
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


@_folds(e.DelegationEnded)
def _(event: e.DelegationEnded, draft: Draft, recorded: Recorded) -> None:
    draft.drop("delegations", event.delegation)


@_folds(e.RequestReminded)
def _(event: e.RequestReminded, draft: Draft, recorded: Recorded) -> None:
    draft.change("requests", event.request, reminded=True)


@_folds(e.RequestEscalated)
def _(event: e.RequestEscalated, draft: Draft, recorded: Recorded) -> None:
    draft.change("requests", event.request, escalated=True, escalate_to=event.roles)


@_folds(e.ReviewOpened)
def _(event: e.ReviewOpened, draft: Draft, recorded: Recorded) -> None:
    request = draft.requests[event.request]
    opened = tuple(dict.fromkeys((*request.opened_by, recorded.by.id)))
    draft.change("requests", event.request, opened_by=opened)


@_folds(e.RequestClosed)
def _(event: e.RequestClosed, draft: Draft, recorded: Recorded) -> None:
    request = draft.requests[event.request]
    status = RequestStatus(event.outcome)
    draft.change("requests", event.request, status=status, outcome=event.reason, settled_at=recorded.at)
    if request.promotes:
        known = draft.capabilities[request.capability]
        if known.grant is not None and known.grant.id == request.id:
            draft.change("capabilities", known.id, grant=None)
    elif status is RequestStatus.REJECTED:
        draft.add_results(request.optimization, decided_at=recorded.at, overridden_at=recorded.at)


@_folds(e.OversightGranted)
def _(event: e.OversightGranted, draft: Draft, recorded: Recorded) -> None:
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


@_folds(e.Vetoed)
def _(event: e.Vetoed, draft: Draft, recorded: Recorded) -> None:
    if event.target in draft.optimizations:
        draft.change_optimization(event.target, status=Status.VETOED, grant=None, reason=event.reason)
        draft.add_results(event.target, decided_at=recorded.at, overridden_at=recorded.at)


@_folds(e.KillSwitchPulled)
def _(event: e.KillSwitchPulled, draft: Draft, recorded: Recorded) -> None:
    """What it sets off follows as events of their own."""


@_folds(e.ServedWider)
def _(event: e.ServedWider, draft: Draft, recorded: Recorded) -> None:
    """As above: the narrowing follows."""


@_folds(e.GuardBlinded)
def _(event: e.GuardBlinded, draft: Draft, recorded: Recorded) -> None:
    blind = BlindState(event.source, event.target, event.reason, event.since, recorded.at)
    draft.put("blind", event.source, blind)


@_folds(e.GuardSighted)
def _(event: e.GuardSighted, draft: Draft, recorded: Recorded) -> None:
    draft.drop("blind", event.source)


@_folds(e.ShownHarmless)
def _(event: e.ShownHarmless, draft: Draft, recorded: Recorded) -> None:
    known = draft.optimizations[event.optimization]
    draft.change_optimization(event.optimization, shown_harmless=max(known.shown_harmless, event.scope))


@_folds(e.InteractionFound)
def _(event: e.InteractionFound, draft: Draft, recorded: Recorded) -> None:
    known = draft.optimizations[event.optimization]
    draft.change_optimization(
        event.optimization,
        interacts_with=(*known.interacts_with, event.other),
        grant=None,
        status=known.status if known.status.ended else Status.HELD,
        reason=event.sentence,
    )


@_folds(e.WideningIntended)
def _(event: e.WideningIntended, draft: Draft, recorded: Recorded) -> None:
    known = draft.optimizations[event.optimization]
    grant, approved = known.grant, known.approved_scope
    if grant is not None and grant.oversight is Oversight.APPROVE:
        approved = event.to_scope
    draft.change_optimization(
        event.optimization,
        epoch=event.epoch,
        pending=PendingScope(event.to_scope, event.epoch, widening=True, holdback=event.holdback),
        grant=replace(grant, used=True) if grant else None,
        approved_scope=approved,
        holdout=event.holdout,
    )


@_folds(e.HoldbackIntended)
def _(event: e.HoldbackIntended, draft: Draft, recorded: Recorded) -> None:
    known = draft.optimizations[event.optimization]
    pending = PendingScope(
        known.scope, event.epoch, widening=False, holdback=event.share, rotation=event.rotation
    )
    draft.change_optimization(event.optimization, epoch=event.epoch, pending=pending)


@_folds(e.RealisedMeasured)
def _(event: e.RealisedMeasured, draft: Draft, recorded: Recorded) -> None:
    known = draft.optimizations[event.optimization]
    realised = (*known.realised, Realised(event.rotation, event.found, event.sentence))
    draft.change_optimization(event.optimization, realised=realised)


@_folds(e.NarrowingIntended)
def _(event: e.NarrowingIntended, draft: Draft, recorded: Recorded) -> None:
    known = draft.optimizations[event.optimization]
    share, turn = (known.holdback, known.rotation) if event.to_scope == known.scope else (0, 0)
    draft.change_optimization(
        event.optimization,
        epoch=event.epoch,
        pending=PendingScope(event.to_scope, event.epoch, widening=False, holdback=share, rotation=turn),
        grant=None,
        approved_scope=min(known.approved_scope, event.to_scope),
    )
    if event.cause in RESUMABLE and (not known.status.ended or known.status is Status.COMPLETED):
        draft.change_optimization(event.optimization, status=Status.HELD, reason=event.reason)
    draft.add_results(event.optimization, decided_at=recorded.at, narrowed_at=recorded.at)
    if recorded.by.kind is ActorKind.HUMAN and event.cause not in IMPERSONAL:
        draft.add_results(event.optimization, overridden_at=recorded.at)
    elif event.cause in HARM and known.scope > 0:
        draft.add_results(event.optimization, harmed_at=recorded.at)
    elif event.cause == Cause.CAUTION and known.scope > 0:
        draft.add_results(event.optimization, cautioned_at=recorded.at)


@_folds(e.ScopeConfirmed)
def _(event: e.ScopeConfirmed, draft: Draft, recorded: Recorded) -> None:
    optimization = draft.optimizations[event.optimization]
    widened = event.scope > optimization.scope
    pending = optimization.pending
    share, turn = (pending.holdback, pending.rotation) if pending else (0, 0)
    draft.change_optimization(
        event.optimization,
        scope=event.scope,
        pending=None,
        phases=(*optimization.phases, ScopePhase(event.scope, event.effective_at, share)),
        holdback=share,
        rotation=turn,
    )
    results = optimization.results
    if results.narrowed_at is not None and not widened:
        took = (recorded.at - results.narrowed_at).total_seconds()
        draft.add_results(event.optimization, narrowed_at=None, contained_seconds=took)
    if widened:
        if results.exposed_at is None:  # what is shown is measured: its shadow is no claim
            draft.add_results(event.optimization, found=None, found_at=None)
        draft.add_results(
            event.optimization,
            exposed_at=results.exposed_at or recorded.at,
            widened_at=(*results.widened_at, recorded.at),
        )
        capability = draft.capabilities[optimization.capability]
        recent = tuple(at for at in capability.widened_at if at > recorded.at - _A_DAY)
        draft.change("capabilities", capability.id, widened_at=(*recent, recorded.at))


@_folds(e.OptimizationEnded)
def _(event: e.OptimizationEnded, draft: Draft, recorded: Recorded) -> None:
    draft.change_optimization(event.optimization, status=Status(event.outcome), reason=event.reason)
    draft.add_results(event.optimization, decided_at=recorded.at, ended_at=recorded.at)
    if event.outcome is e.Outcome.VETOED:
        draft.add_results(event.optimization, overridden_at=recorded.at)


@_folds(e.CommandRefused)
def _(event: e.CommandRefused, draft: Draft, recorded: Recorded) -> None:
    """Refusals change nothing; they are kept for those who ask later."""
