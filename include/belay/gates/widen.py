"""Widen: intent in the ledger, then the flag system, then read back, then confirmed in the ledger.

Interrupted at any point and run again it ends in the same state: the intent is spent once, applying
an epoch twice changes nothing, and a late writer's epoch is refused by both the flags and the ledger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from belay.domain import commands as c
from belay.domain.state import OptimizationState
from belay.flags.target import FlagsUnavailable, ServedFlag
from belay.gates.outcome import execute

if TYPE_CHECKING:
    from belay.services import Services


def widen(belay: Services, optimization: str, step: int) -> OptimizationState:
    """Take the step: ask the ledger for its grant, then show the wider scope.

    Raises
    ------
    RefusedError
        When the ledger holds no grant for exactly this step; the attempt is recorded.
    FlagsUnavailable
        When the flag system cannot be written or does not show what was written. Nothing is lost:
        run it again.
    """
    execute(belay, c.IntendWidening(optimization, step), by="flag-writer")
    return settle_scope(belay, optimization)


def settle_scope(belay: Services, optimization: str) -> OptimizationState:
    """Make the flag system show the scope that the ledger intends, and confirm what it shows."""
    known = belay.ledger.state().optimizations[optimization]
    if known.pending is None:
        return known
    intended = known.pending
    belay.flags.apply(served_flag(known, intended.to_scope, intended.epoch))
    served = belay.flags.read(optimization)
    if served is None or (served.scope, served.epoch) != (intended.to_scope, intended.epoch):
        raise FlagsUnavailable(
            f"{belay.flags.name} does not show what was written for {optimization}: "
            f"wanted scope {intended.to_scope} epoch {intended.epoch}, read {served}"
        )
    confirm = c.ConfirmScope(
        optimization,
        scope=intended.to_scope,
        epoch=intended.epoch,
        target=belay.flags.name,
        effective_at=belay.data_now(),
    )
    execute(belay, confirm, by="flag-writer")
    return belay.ledger.state().optimizations[optimization]


def roll_back(
    belay: Services, optimization: str, *, cause: str, reason: str, evidence: str | None = None
) -> OptimizationState:
    """Take an optimization down to zero at once; it needs no grant."""
    execute(belay, c.RollBack(optimization, cause, reason, evidence=evidence), by="flag-writer")
    return settle_scope(belay, optimization)


def served_flag(optimization: OptimizationState, scope: int, epoch: int) -> ServedFlag:
    """Return the flag that shows ``optimization`` at ``scope`` (basis points) under ``epoch``."""
    proposal = optimization.proposal
    return ServedFlag(
        key=optimization.id,
        scope=scope,
        variants=proposal.variants,
        rollback=proposal.rollback,
        epoch=epoch,
        holdout=0,
        holdout_salt=optimization.capability,
        audience=proposal.audience,
        surface=optimization.surface,
    )
