"""Where a question to people stands: its answers, and the roles lent to who answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from belay.domain.events import Choice
from belay.domain.oversight import Oversight
from belay.domain.scope import percent
from belay.domain.stages import Stage


class RequestStatus(StrEnum):
    """Where a request for oversight stands."""

    OPEN = "open"
    GRANTED = "granted"
    REJECTED = "rejected"
    EXPIRED = "expired"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Vote:
    """One recorded answer."""

    voter: str
    roles: tuple[str, ...]
    choice: Choice
    reason: str
    via: str
    at: datetime
    counted: bool
    on_behalf_of: str = ""
    also: tuple[str, ...] = ()

    @property
    def everybody(self) -> frozenset[str]:
        """Every id of the people whose voice it is: the voter's, and where they were lent it, the giver's.

        A delegate's vote that does not count leaves the giver's voice to the giver.
        """
        given = {self.principal} if self.counted else set()
        return frozenset({self.voter, *self.also} | given)

    @property
    def principal(self) -> str:
        """Whose answer it is: the person who delegated, or the voter."""
        return self.on_behalf_of or self.voter


@dataclass(frozen=True, slots=True)
class RequestState:
    """A request for oversight and its votes."""

    id: str
    optimization: str
    capability: str
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
    asked_at: datetime
    expires_at: datetime
    status: RequestStatus = RequestStatus.OPEN
    votes: tuple[Vote, ...] = ()
    outcome: str = ""
    from_stage: Stage | None = None
    to_stage: Stage | None = None
    settled_at: datetime | None = None
    remind_at: datetime | None = None
    escalate_at: datetime | None = None
    escalate_to: tuple[str, ...] = ()
    reminded: bool = False
    escalated: bool = False
    opened_by: tuple[str, ...] = ()

    @property
    def answering_roles(self) -> tuple[str, ...]:
        """Roles whose holders may answer now: the quorum's, and after escalation those that stand in."""
        return (*self.roles, *self.escalate_to) if self.escalated else self.roles

    @property
    def heard(self) -> frozenset[str]:
        """Every id of those whose voice is among the answers already."""
        return frozenset(name for vote in self.votes for name in vote.everybody)

    @property
    def promotes(self) -> bool:
        """Whether it asks about a capability's stage (or its lease), and not about a step."""
        return self.to_stage is not None

    @property
    def renews(self) -> bool:
        """Whether it asks about another lease of the stage that the capability has."""
        return self.to_stage is not None and self.to_stage is self.from_stage

    @property
    def move(self) -> str:
        """What is asked for, in words: ``1 % → 5 %``, ``suggest → supervised``, ``keep supervised``."""
        if self.to_stage is None:
            return f"{percent(self.from_scope)} → {percent(self.to_scope)}"
        return f"keep {self.to_stage}" if self.renews else f"{self.from_stage} → {self.to_stage}"

    @property
    def veto_target(self) -> str:
        """What a veto on it names: the optimization that it would widen, or the promotion itself."""
        return self.id if self.promotes else self.optimization

    @property
    def subject(self) -> str:
        """What it is about: the optimization, or the capability."""
        return self.capability if self.promotes else self.optimization


@dataclass(frozen=True, slots=True)
class DelegationState:
    """A person's roles lent to another person until ``until`` (wall-clock)."""

    id: str
    giver: str
    to: str
    roles: tuple[str, ...]
    since: datetime
    until: datetime
    reason: str
