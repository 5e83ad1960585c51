"""What people are asked, answer, lend and veto."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from belay.domain.capability import CapabilityPolicy
from belay.domain.events import Choice


@dataclass(frozen=True, slots=True)
class RequestOversight:
    """Ask for the oversight that the step under way needs."""

    optimization: str
    step: int
    policy: CapabilityPolicy


@dataclass(frozen=True, slots=True)
class CastVote:
    """Answer a request. ``digest`` is the digest of what the voter was shown.

    ``givers`` has the roles that those who delegated to the voter hold in the roster now: who left, or
    lost a role, lends nothing any more.
    """

    request: str
    choice: Choice
    reason: str
    roles: frozenset[str]
    digest: str
    via: str
    givers: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SettleRequest:
    """Do what is due for a request now: remind, escalate, or close it (notice passed, or expired)."""

    request: str


@dataclass(frozen=True, slots=True)
class Delegate:
    """Let ``to`` answer in ``roles``, the asking person's own, until ``until`` (wall-clock, UTC, aware)."""

    to: str
    roles: frozenset[str]
    until: datetime
    reason: str
    via: str


@dataclass(frozen=True, slots=True)
class EndDelegation:
    """End a delegation before its time."""

    delegation: str
    reason: str


@dataclass(frozen=True, slots=True)
class OpenReview:
    """Record that the asking person opened the review a request rests on."""

    request: str


@dataclass(frozen=True, slots=True)
class Veto:
    """Stop ``target`` (an optimization's id, or ``capability:NAME``) at once."""

    target: str
    reason: str
    roles: frozenset[str]
    via: str
    givers: Mapping[str, frozenset[str]] = field(default_factory=dict)
