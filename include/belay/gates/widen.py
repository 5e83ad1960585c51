"""Widen: the ledger is asked for the grant of exactly this step, then the wider scope is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from belay.actuation.flag_writer import require_entry, settle_scope
from belay.actuation.guard_presence import require_guard
from belay.domain import commands as c
from belay.domain.state import OptimizationState
from belay.execution import execute

if TYPE_CHECKING:
    from belay.services import Services


def widen(belay: Services, optimization: str, step: int) -> OptimizationState:
    """Take the step: ask the ledger for its grant, then show the wider scope.

    Raises
    ------
    RefusedError
        When the ledger holds no grant for exactly this step; the attempt is recorded.
    GuardMissing
        When nobody watches what would be shown: run it again when somebody does.
    FlagsUnavailable
        When the flag system cannot be written or does not show what was written. Nothing is lost:
        run it again.
    """
    require_guard(belay)
    known = belay.ledger.state().optimizations.get(optimization)
    if known is not None and known.grant is not None and not known.grant.used:
        require_entry(belay, known)
    execute(belay, c.IntendWidening(optimization, step), by="flag-writer")
    return settle_scope(belay, optimization)
