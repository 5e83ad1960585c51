"""What the guard and the kill switch did, and what they saw."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from belay.domain.gates import Estimate


@dataclass(frozen=True, slots=True)
class Frozen:
    """Nothing widens in ``target``: ``all``, ``surface:NAME`` or ``capability:NAME``."""

    kind: ClassVar[str] = "freeze.set"
    target: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unfrozen:
    """A freeze was lifted."""

    kind: ClassVar[str] = "freeze.lifted"
    target: str
    reason: str


@dataclass(frozen=True, slots=True)
class KillSwitchPulled:
    """A person took everything of ``target`` down at ``pulled_at``; the ledger may have heard of it later.

    ``stop`` names the pull: it is recorded once, however often its completion is tried.
    """

    kind: ClassVar[str] = "stop.pulled"
    stop: str
    target: str
    reason: str
    via: str
    pulled_at: datetime


@dataclass(frozen=True, slots=True)
class ServedWider:
    """An incident: the flag system showed more than was decided, or something that Belay did not write."""

    kind: ClassVar[str] = "incident.served_wider"
    optimization: str
    served_scope: int
    served_epoch: int
    decided_scope: int
    decided_epoch: int
    target: str
    detail: str


@dataclass(frozen=True, slots=True)
class GuardBlinded:
    """The guard cannot see what ``target`` covers: nothing there widens until it can (one a ``source``).

    ``since`` is the data time up to which it could.
    """

    kind: ClassVar[str] = "guard.blind"
    source: str
    target: str
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True)
class GuardSighted:
    """The guard sees again what ``source`` hid."""

    kind: ClassVar[str] = "guard.sighted"
    source: str
    target: str
    reason: str


@dataclass(frozen=True, slots=True)
class ShownHarmless:
    """The guard has shown every metric within its margin at a scope, valid at every look."""

    kind: ClassVar[str] = "guard.harmless"
    optimization: str
    scope: int
    sentence: str
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class InteractionFound:
    """Two live changes do more, or less, together than each alone: the later one is held."""

    kind: ClassVar[str] = "guard.interaction"
    optimization: str
    other: str
    sentence: str
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class RealisedMeasured:
    """What a complete change does for one turn of the hold-back, beside what its last review claimed."""

    kind: ClassVar[str] = "guard.realised"
    optimization: str
    rotation: int
    found: Estimate
    sentence: str
    evidence: str | None = None
