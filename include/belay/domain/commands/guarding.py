"""What the guard and the kill switch ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from belay.domain.gates import Estimate


@dataclass(frozen=True, slots=True)
class Freeze:
    """Let nothing widen in ``target``: ``all``, ``surface:NAME`` or ``capability:NAME``.

    ``known`` is what the policy files name: it can be frozen before the first proposal of it.
    """

    target: str
    reason: str
    known: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Unfreeze:
    """Lift a freeze: ``roles`` and ``givers`` are the asking person's, as for a veto.

    ``holders`` are the veto roles that policy files name there, for where nothing is in force yet.
    """

    target: str
    reason: str
    roles: frozenset[str] = frozenset()
    givers: Mapping[str, frozenset[str]] = field(default_factory=dict)
    holders: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Stop:
    """Pull the kill switch on ``all``, ``surface:NAME`` or ``capability:NAME``.

    ``epochs`` says under which epoch each optimization is served at zero already: the flags come first,
    and the ledger follows them. ``stop`` names the pull.
    """

    stop: str
    target: str
    reason: str
    via: str
    pulled_at: datetime
    epochs: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contain:
    """The flag system shows what was not decided: record the incident, and narrow.

    ``by_hand`` means that what it shows cannot be known, because somebody else wrote it. ``decided_epoch`` is
    the ledger's when it was compared: what has moved since is compared again later.
    """

    optimization: str
    served_scope: int
    served_epoch: int
    target: str
    detail: str
    by_hand: bool = False
    decided_epoch: int | None = None


@dataclass(frozen=True, slots=True)
class ReportBlind:
    """The guard cannot see what ``target`` covers, since ``since`` (data time), because of ``source``."""

    source: str
    target: str
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True)
class ReportSighted:
    """The guard sees again what ``source`` hid."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Shrink:
    """Take an optimization that was not seen for longer than its budget to what was shown harmless."""

    optimization: str
    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class ShrinkAll:
    """Shrink what one look found unseen for too long: one act, however many changes."""

    shrinks: tuple[Shrink, ...]


@dataclass(frozen=True, slots=True)
class RecordHarmless:
    """Record that the guard has shown ``scope`` harmless."""

    optimization: str
    scope: int
    sentence: str
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class RecordInteraction:
    """Record that two live changes interact; the one that went live later is held."""

    optimization: str
    other: str
    sentence: str
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class RecordRealised:
    """Record what a complete change does in the turn of the hold-back under way."""

    optimization: str
    rotation: int
    found: Estimate
    sentence: str
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class SpendHarm:
    """Freeze everything when the harm of the last week, ``limit`` days of a surface's traffic, is spent."""

    limit: float
