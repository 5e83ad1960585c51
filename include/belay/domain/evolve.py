"""Fold events into state: total, pure, without opinions. Whether an event may happen was decided before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import singledispatch
from typing import Any

from belay.domain import events as e
from belay.domain.actors import Actor
from belay.domain.gates import Gate, Verdict
from belay.domain.stages import lower
from belay.domain.state import (
    CapabilityState,
    FreezeState,
    GateResult,
    Grant,
    OptimizationState,
    PendingScope,
    RequestState,
    RequestStatus,
    ScopePhase,
    State,
    Status,
    Step,
    Vote,
)

_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event as the ledger keeps it: numbered, dated, and with its actor."""

    seq: int
    at: datetime
    by: Actor
    event: e.Event


class Draft:
    """A state being folded. It remembers which entities changed, so that projections follow cheaply."""

    def __init__(self, state: State) -> None:
        self.seq = state.seq
        self.capabilities = dict(state.capabilities)
        self.optimizations = dict(state.optimizations)
        self.requests = dict(state.requests)
        self.freezes = dict(state.freezes)
        self.touched: set[tuple[str, str]] = set()

    def put(self, table: str, key: str, entity: Any) -> None:
        """Store ``entity`` under ``key`` of ``table``."""
        getattr(self, table)[key] = entity
        self.touched.add((table, key))

    def drop(self, table: str, key: str) -> None:
        """Remove ``key`` from ``table``."""
        getattr(self, table).pop(key, None)
        self.touched.add((table, key))

    def change_optimization(self, key: str, **changes: Any) -> None:
        """Replace fields of one optimization."""
        self.put("optimizations", key, replace(self.optimizations[key], **changes))

    def apply(self, recorded: Recorded) -> None:
        """Fold one recorded event."""
        _apply(recorded.event, self, recorded)
        self.seq = recorded.seq

    def state(self) -> State:
        """Return the folded state."""
        return State(self.seq, self.capabilities, self.optimizations, self.requests, self.freezes)


def evolve(state: State, recorded: Recorded) -> State:
    """Return ``state`` after ``recorded``."""
    return fold([recorded], state)


def fold(history: Iterable[Recorded], start: State | None = None) -> State:
    """Return the state after ``history``, from ``start`` or from nothing."""
    draft = Draft(start or State())
    for recorded in history:
        draft.apply(recorded)
    return draft.state()


@singledispatch
def _apply(event: Any, draft: Draft, recorded: Recorded) -> None:
    raise TypeError(f"no rule to fold {type(event).__name__} (entry {recorded.seq})")


def _folds(kind: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return _apply.register(kind)


@_folds(e.PolicyAdopted)
def _(event: e.PolicyAdopted, draft: Draft, recorded: Recorded) -> None:
    known = draft.capabilities.get(event.capability)
    ceiling = lower(event.ceiling, event.decision_class.ceiling)
    stage = lower(known.stage if known else event.initial_stage, ceiling)
    since = known.stage_since if known and known.stage is stage else recorded.at
    draft.put(
        "capabilities",
        event.capability,
        CapabilityState(
            id=event.capability,
            title=event.title,
            owner=event.owner,
            surface=event.surface,
            decision_class=event.decision_class,
            ceiling=ceiling,
            stage=stage,
            stage_since=since,
            policy=event.digest,
            veto_roles=event.veto_roles,
            widened_at=known.widened_at if known else (),
        ),
    )
    _void_unused_grants(draft, event.capability, "the policy changed")


@_folds(e.StagePromoted)
def _(event: e.StagePromoted, draft: Draft, recorded: Recorded) -> None:
    known = draft.capabilities[event.capability]
    draft.put("capabilities", event.capability, replace(known, stage=event.to_stage, stage_since=recorded.at))


@_folds(e.StageDemoted)
def _(event: e.StageDemoted, draft: Draft, recorded: Recorded) -> None:
    known = draft.capabilities[event.capability]
    draft.put("capabilities", event.capability, replace(known, stage=event.to_stage, stage_since=recorded.at))
    _void_unused_grants(draft, event.capability, "the capability was demoted")


def _void_unused_grants(draft: Draft, capability: str, reason: str) -> None:
    """Take back what was granted under less oversight than the steps may need now (I2)."""
    for known in [o for o in draft.optimizations.values() if o.capability == capability]:
        if known.grant is None or known.grant.used:
            continue
        draft.change_optimization(known.id, grant=None)
        if request := draft.requests.get(known.grant.id):
            draft.put("requests", request.id, replace(request, status=RequestStatus.VOID, outcome=reason))


@_folds(e.Frozen)
def _(event: e.Frozen, draft: Draft, recorded: Recorded) -> None:
    freeze = FreezeState(event.target, event.reason, str(recorded.by), recorded.at)
    draft.put("freezes", event.target, freeze)


@_folds(e.Unfrozen)
def _(event: e.Unfrozen, draft: Draft, recorded: Recorded) -> None:
    draft.drop("freezes", event.target)


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
    )
    draft.change_optimization(event.optimization, status=Status.CLIMBING, step=step, reason="")


@_folds(e.GateJudged)
def _(event: e.GateJudged, draft: Draft, recorded: Recorded) -> None:
    optimization = draft.optimizations[event.optimization]
    step = optimization.step
    if step is None or step.number != event.step:
        return
    result = GateResult(event.verdict, event.sentence, event.evidence, recorded.seq)
    step = replace(step, gates={**step.gates, event.gate: result})
    changes: dict[str, Any] = {"step": step}
    if event.verdict is not Verdict.PASS and not optimization.status.ended:
        changes |= {"status": Status.HELD, "reason": event.sentence}
    elif optimization.status is Status.HELD and step.passed(*step.gates):
        changes |= {"status": Status.CLIMBING, "reason": ""}
    if event.gate is Gate.REVIEW and event.verdict is Verdict.PASS:
        changes["shown_harmless"] = max(optimization.shown_harmless, optimization.scope)
    draft.change_optimization(event.optimization, **changes)


@_folds(e.LookTaken)
def _(event: e.LookTaken, draft: Draft, recorded: Recorded) -> None:
    step = draft.optimizations[event.optimization].step
    if step is not None and step.number == event.step:
        draft.change_optimization(event.optimization, step=replace(step, looks=event.look))


@_folds(e.OversightRequested)
def _(event: e.OversightRequested, draft: Draft, recorded: Recorded) -> None:
    optimization = draft.optimizations[event.optimization]
    draft.put(
        "requests",
        event.request,
        RequestState(
            id=event.request,
            optimization=event.optimization,
            capability=optimization.capability,
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
        ),
    )
    if optimization.step is not None:
        step = replace(optimization.step, request=event.request)
        draft.change_optimization(event.optimization, step=step)


@_folds(e.VoteCast)
def _(event: e.VoteCast, draft: Draft, recorded: Recorded) -> None:
    request = draft.requests[event.request]
    vote = Vote(event.voter, event.roles, event.choice, event.reason, event.via, recorded.at, event.counted)
    draft.put("requests", event.request, replace(request, votes=(*request.votes, vote)))


@_folds(e.RequestClosed)
def _(event: e.RequestClosed, draft: Draft, recorded: Recorded) -> None:
    request = draft.requests[event.request]
    status = RequestStatus(event.outcome)
    draft.put("requests", event.request, replace(request, status=status, outcome=event.reason))


@_folds(e.OversightGranted)
def _(event: e.OversightGranted, draft: Draft, recorded: Recorded) -> None:
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
    if event.request is not None:
        request = draft.requests[event.request]
        draft.put("requests", event.request, replace(request, status=RequestStatus.GRANTED))


@_folds(e.Vetoed)
def _(event: e.Vetoed, draft: Draft, recorded: Recorded) -> None:
    if event.target in draft.optimizations:
        draft.change_optimization(event.target, status=Status.VETOED, grant=None, reason=event.reason)


@_folds(e.WideningIntended)
def _(event: e.WideningIntended, draft: Draft, recorded: Recorded) -> None:
    grant = draft.optimizations[event.optimization].grant
    draft.change_optimization(
        event.optimization,
        epoch=event.epoch,
        pending=PendingScope(event.to_scope, event.epoch, widening=True),
        grant=replace(grant, used=True) if grant else None,
    )


@_folds(e.NarrowingIntended)
def _(event: e.NarrowingIntended, draft: Draft, recorded: Recorded) -> None:
    draft.change_optimization(
        event.optimization,
        epoch=event.epoch,
        pending=PendingScope(event.to_scope, event.epoch, widening=False),
        grant=None,
    )


@_folds(e.ScopeConfirmed)
def _(event: e.ScopeConfirmed, draft: Draft, recorded: Recorded) -> None:
    optimization = draft.optimizations[event.optimization]
    widened = event.scope > optimization.scope
    draft.change_optimization(
        event.optimization,
        scope=event.scope,
        pending=None,
        phases=(*optimization.phases, ScopePhase(event.scope, event.effective_at)),
    )
    if widened:
        capability = draft.capabilities[optimization.capability]
        recent = tuple(at for at in capability.widened_at if at > recorded.at - _A_DAY)
        draft.put("capabilities", capability.id, replace(capability, widened_at=(*recent, recorded.at)))


@_folds(e.OptimizationEnded)
def _(event: e.OptimizationEnded, draft: Draft, recorded: Recorded) -> None:
    draft.change_optimization(event.optimization, status=Status(event.outcome), reason=event.reason)


@_folds(e.CommandRefused)
def _(event: e.CommandRefused, draft: Draft, recorded: Recorded) -> None:
    """Refusals change nothing; they are kept for those who ask later."""
