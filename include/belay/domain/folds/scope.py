"""How a change of scope changes the state."""

from __future__ import annotations

from datetime import timedelta

from belay.domain import events as e
from belay.domain.actors import ActorKind
from belay.domain.copying import replace
from belay.domain.oversight import Oversight
from belay.domain.recorded import Recorded
from belay.domain.state import (
    PendingScope,
    ScopePhase,
    Status,
)
from belay.domain.tables import Fold, Tables
from belay.domain.vocabulary import HARM, IMPERSONAL, RESUMABLE, Cause

_A_DAY = timedelta(days=1)


def _widening_intended(event: e.WideningIntended, draft: Tables, recorded: Recorded) -> None:
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


def _holdback_intended(event: e.HoldbackIntended, draft: Tables, recorded: Recorded) -> None:
    known = draft.optimizations[event.optimization]
    pending = PendingScope(
        known.scope, event.epoch, widening=False, holdback=event.share, rotation=event.rotation
    )
    draft.change_optimization(event.optimization, epoch=event.epoch, pending=pending)


def _narrowing_intended(event: e.NarrowingIntended, draft: Tables, recorded: Recorded) -> None:
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


def _scope_confirmed(event: e.ScopeConfirmed, draft: Tables, recorded: Recorded) -> None:
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


FOLDS: dict[type, Fold] = {
    e.WideningIntended: _widening_intended,
    e.HoldbackIntended: _holdback_intended,
    e.NarrowingIntended: _narrowing_intended,
    e.ScopeConfirmed: _scope_confirmed,
}
