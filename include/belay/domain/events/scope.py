"""How far a change is shown: intended, read back, confirmed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class WideningIntended:
    """The flag system is about to be asked for more scope, under ``epoch`` (a fencing token)."""

    kind: ClassVar[str] = "scope.widening"
    optimization: str
    step: int
    grant: str
    from_scope: int
    to_scope: int
    epoch: int
    holdout: int = 0
    holdback: int = 0


@dataclass(frozen=True, slots=True)
class HoldbackIntended:
    """Others are about to be held back from a complete change, or nobody any more (``share`` 0)."""

    kind: ClassVar[str] = "scope.holdback"
    optimization: str
    share: int
    rotation: int
    epoch: int
    reason: str


@dataclass(frozen=True, slots=True)
class NarrowingIntended:
    """The flag system is about to be asked for less scope; it needs no grant."""

    kind: ClassVar[str] = "scope.narrowing"
    optimization: str
    from_scope: int
    to_scope: int
    epoch: int
    cause: str
    reason: str
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class ScopeConfirmed:
    """The flag system was read back and shows this scope; ``effective_at`` is in data time."""

    kind: ClassVar[str] = "scope.confirmed"
    optimization: str
    scope: int
    epoch: int
    target: str
    effective_at: datetime
