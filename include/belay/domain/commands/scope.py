"""What changes how far a change is shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class IntendWidening:
    """Spend the step's grant: the flag writer asks before it widens."""

    optimization: str
    step: int


@dataclass(frozen=True, slots=True)
class RollBack:
    """Narrow an optimization to ``to_scope`` at once; anybody and anything may ask.

    ``above`` is an epoch that the flag system is known to serve: the narrowing goes beyond it.
    """

    optimization: str
    cause: str
    reason: str
    to_scope: int = 0
    evidence: str | None = None
    above: int = 0


@dataclass(frozen=True, slots=True)
class TurnBack:
    """Give up the widening intended under ``epoch``: back to the confirmed scope."""

    optimization: str
    epoch: int
    cause: str
    reason: str


@dataclass(frozen=True, slots=True)
class TurnHoldback:
    """Hold others back from a complete change, or nobody any more, when it is time (data time)."""

    optimization: str
    data_time: datetime


@dataclass(frozen=True, slots=True)
class ConfirmScope:
    """The flag system was read back and shows ``scope`` under ``epoch``."""

    optimization: str
    scope: int
    epoch: int
    target: str
    effective_at: datetime


@dataclass(frozen=True, slots=True)
class ConfirmScopes:
    """Confirm many scopes in one breath; those that come too late are left out."""

    confirmations: tuple[ConfirmScope, ...]
