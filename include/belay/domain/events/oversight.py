"""What people were asked, answered, lent and granted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from belay.domain.oversight import Oversight, OversightRule
from belay.domain.stages import Stage


class Choice(StrEnum):
    """What a vote says."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class OversightRequested:
    """People were asked about a step; votes count for ``digest`` only, until ``expires_at``.

    A question about a promotion names ``capability`` and the stages instead of an optimization and scopes.
    ``rules`` are those that ``spoken`` holds, in words, and what a promotion rests on besides; entries from
    before it was kept hold none.
    """

    kind: ClassVar[str] = "approval.requested"
    request: str
    optimization: str
    step: int
    from_scope: int
    to_scope: int
    oversight: Oversight
    rules: tuple[str, ...]
    digest: str
    evidence: str | None
    roles: tuple[str, ...]
    quorum: int
    conflicted: tuple[str, ...]
    owner: str
    expires_at: datetime
    capability: str = ""
    from_stage: Stage | None = None
    to_stage: Stage | None = None
    remind_at: datetime | None = None
    escalate_at: datetime | None = None
    escalate_to: tuple[str, ...] = ()
    spoken: tuple[OversightRule, ...] = ()


@dataclass(frozen=True, slots=True)
class VoteCast:
    """A person answered. ``counted`` is False when segregation of duties keeps it out of the quorum.

    ``on_behalf_of`` names the person whose delegation gave the voter these roles; empty for one's own.
    """

    kind: ClassVar[str] = "approval.voted"
    request: str
    optimization: str
    voter: str
    roles: tuple[str, ...]
    choice: Choice
    reason: str
    via: str
    digest: str
    counted: bool
    on_behalf_of: str = ""


@dataclass(frozen=True, slots=True)
class DelegationGiven:
    """A person (the actor) let ``to`` answer in some of their own roles until ``until``."""

    kind: ClassVar[str] = "delegation.given"
    delegation: str
    to: str
    roles: tuple[str, ...]
    until: datetime
    reason: str
    via: str


@dataclass(frozen=True, slots=True)
class DelegationEnded:
    """A delegation was taken back or given up before its time."""

    kind: ClassVar[str] = "delegation.ended"
    delegation: str
    reason: str


@dataclass(frozen=True, slots=True)
class RequestReminded:
    """It was time to remind the people who have not answered."""

    kind: ClassVar[str] = "approval.reminded"
    request: str
    optimization: str
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RequestEscalated:
    """Nobody completed the quorum in time: holders of ``roles`` may answer now in any missing role."""

    kind: ClassVar[str] = "approval.escalated"
    request: str
    optimization: str
    roles: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReviewOpened:
    """A person (the actor) opened the review that a request rests on, before it was decided."""

    kind: ClassVar[str] = "review.opened"
    request: str
    optimization: str


@dataclass(frozen=True, slots=True)
class RequestClosed:
    """A request ended without a grant: rejected, expired, or void because what was shown changed."""

    kind: ClassVar[str] = "approval.closed"
    request: str
    optimization: str
    outcome: str
    reason: str


@dataclass(frozen=True, slots=True)
class OversightGranted:
    """The oversight that a step (or a promotion) needs was given: bound to a digest, to be used once.

    ``spoken`` are the ``rules`` as data where nobody was asked.
    """

    kind: ClassVar[str] = "approval.granted"
    grant: str
    optimization: str
    step: int
    from_scope: int
    to_scope: int
    oversight: Oversight
    digest: str
    request: str | None
    evidence: str | None
    rules: tuple[str, ...]
    capability: str = ""
    from_stage: Stage | None = None
    to_stage: Stage | None = None
    spoken: tuple[OversightRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Vetoed:
    """A person with the right stopped an optimization or a capability."""

    kind: ClassVar[str] = "veto.cast"
    target: str
    reason: str
    via: str
