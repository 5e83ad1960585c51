"""What the ledger says is so. ``evolve`` folds events into it; nothing else changes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from belay.domain.calendar import ALWAYS, Calendar
from belay.domain.events import Choice
from belay.domain.gates import Estimate, Gate, PromotionGate, Verdict
from belay.domain.identity import KnownAgent, KnownPerson
from belay.domain.oversight import Oversight, OversightTable
from belay.domain.portfolio import Decision
from belay.domain.proposal import Proposal
from belay.domain.scope import NO_HOLDBACK, HoldbackRule, percent
from belay.domain.stages import DecisionClass, Stage


class Status(StrEnum):
    """Where an optimization stands."""

    PROPOSED = "proposed"
    CLIMBING = "climbing"
    HELD = "held"
    COMPLETED = "completed"
    ROLLED_BACK = "rolled_back"
    STOPPED = "stopped"
    VETOED = "vetoed"
    KILLED = "killed"

    @property
    def ended(self) -> bool:
        """Whether nothing will widen this optimization any more."""
        return self in _ENDED


_ENDED = {Status.COMPLETED, Status.ROLLED_BACK, Status.STOPPED, Status.VETOED, Status.KILLED}


class RequestStatus(StrEnum):
    """Where a request for oversight stands."""

    OPEN = "open"
    GRANTED = "granted"
    REJECTED = "rejected"
    EXPIRED = "expired"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class GateResult:
    """A gate's last verdict on a step; ``seq`` is its entry in the ledger."""

    verdict: Verdict
    sentence: str
    evidence: str | None
    seq: int


@dataclass(frozen=True, slots=True)
class Promotion:
    """The question whether a capability may go to ``to_stage``, and how far it got."""

    run: str
    from_stage: Stage
    to_stage: Stage
    policy: str
    started_at: datetime
    gates: Mapping[PromotionGate, GateResult] = field(default_factory=dict)
    request: str | None = None

    @property
    def renews(self) -> bool:
        """Whether it is about keeping the stage."""
        return self.to_stage is self.from_stage

    def passed(self, *gates: PromotionGate) -> bool:
        """Return whether every one of ``gates`` said pass."""
        return all(gate in self.gates and self.gates[gate].verdict is Verdict.PASS for gate in gates)


@dataclass(frozen=True, slots=True)
class StageGrant:
    """The grant of people for exactly one promotion; it goes when it is used."""

    id: str
    from_stage: Stage
    to_stage: Stage
    policy: str
    digest: str
    seq: int


@dataclass(frozen=True, slots=True)
class OecReading:
    """The overall criterion against the holdout, as read last (data time but ``at``, wall-clock)."""

    found: Estimate
    since: datetime
    until: datetime
    at: datetime
    evidence: str | None


@dataclass(frozen=True, slots=True)
class CapabilityState:
    """A capability: the policy in force and the stage it has earned.

    ``demotions`` says when each rule took a stage last; ``finished`` is the promotion that was used last.
    """

    id: str
    title: str
    owner: str
    surface: str
    decision_class: DecisionClass
    ceiling: Stage
    stage: Stage
    stage_since: datetime
    policy: str
    veto_roles: tuple[str, ...]
    widened_at: tuple[datetime, ...] = ()
    approval_roles: tuple[str, ...] = ()
    oversight: OversightTable = field(default_factory=dict)
    free_scope: int = 0
    leases: Mapping[Stage, float] = field(default_factory=dict)
    lease_until: datetime | None = None
    holdout: int = 0
    promotion: Promotion | None = None
    grant: StageGrant | None = None
    oec: OecReading | None = None
    demotions: Mapping[str, datetime] = field(default_factory=dict)
    finished: Promotion | None = None
    calendar: Calendar = ALWAYS
    decisions: tuple[Decision, ...] = ()
    document: str | None = None
    holdback: HoldbackRule = NO_HOLDBACK


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a ramp under way (scopes in basis points).

    ``level`` is the one-sided level of its primary test, where the portfolio sets one.
    """

    number: int
    run: str
    from_scope: int
    to_scope: int
    policy: str
    started_at: datetime
    gates: Mapping[Gate, GateResult] = field(default_factory=dict)
    looks: int = 0
    request: str | None = None
    last: bool = False
    level: float | None = None

    def passed(self, *gates: Gate) -> bool:
        """Return whether every one of ``gates`` said pass."""
        return all(gate in self.gates and self.gates[gate].verdict is Verdict.PASS for gate in gates)


@dataclass(frozen=True, slots=True)
class Grant:
    """Oversight that was given for exactly one step of one content."""

    id: str
    step: int
    from_scope: int
    to_scope: int
    digest: str
    oversight: Oversight
    seq: int
    used: bool = False


@dataclass(frozen=True, slots=True)
class PendingScope:
    """A change of scope that was intended and is not yet confirmed."""

    to_scope: int
    epoch: int
    widening: bool
    holdback: int = 0
    rotation: int = 0


@dataclass(frozen=True, slots=True)
class ScopePhase:
    """A period of constant scope; it ends where the next one starts (data time).

    ``holdback`` is the share that goes without it all the same, in basis points.
    """

    scope: int
    start: datetime
    holdback: int = 0


@dataclass(frozen=True, slots=True)
class Realised:
    """What a complete change did for one turn of the hold-back."""

    rotation: int
    found: Estimate
    sentence: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a person said about a proposal that nobody had seen."""

    judge: str
    agrees: bool
    at: datetime
    counted: bool


@dataclass(frozen=True, slots=True)
class Results:
    """What an optimization adds to the record of its capability (times are wall-clock).

    Attributes
    ----------
    exposed_at, decided_at, ended_at : datetime | None
        When it was first shown, when people or rules last decided about it, and when it ended.
    harmed_at, overridden_at : datetime | None
        When harm took it down, and when a person said no to it.
    cautioned_at : datetime | None
        When harm so far took it down that was not shown to last.
    narrowed_at : datetime | None
        When the narrowing under way was intended.
    contained_seconds : float | None
        How long the last narrowing took until the flags were read back.
    found, found_at : Estimate | None, datetime | None
        What its last review measured on the primary metric (before it is first shown: its shadow), and when.
    widened_at : tuple[datetime, ...]
        When each step was confirmed.
    quality : tuple[tuple[datetime, bool], ...]
        When the quality gate spoke, and whether it passed.
    judgements : tuple[Judgement, ...]
        What people said about it while nothing was shown.
    """

    exposed_at: datetime | None = None
    decided_at: datetime | None = None
    ended_at: datetime | None = None
    harmed_at: datetime | None = None
    overridden_at: datetime | None = None
    narrowed_at: datetime | None = None
    contained_seconds: float | None = None
    found: Estimate | None = None
    found_at: datetime | None = None
    widened_at: tuple[datetime, ...] = ()
    quality: tuple[tuple[datetime, bool], ...] = ()
    judgements: tuple[Judgement, ...] = ()
    cautioned_at: datetime | None = None

    @property
    def hurt_at(self) -> datetime | None:
        """When harm so far took it down last, whether it was shown to last or not: people met it."""
        return max((at for at in (self.harmed_at, self.cautioned_at) if at is not None), default=None)


@dataclass(frozen=True, slots=True)
class OptimizationState:
    """An optimization: what was proposed, how far it climbed, and what it waits for."""

    id: str
    capability: str
    surface: str
    proposal: Proposal
    digest: str
    status: Status
    proposed_at: datetime
    scope: int = 0
    epoch: int = 0
    shown_harmless: int = 0
    pending: PendingScope | None = None
    step: Step | None = None
    grant: Grant | None = None
    phases: tuple[ScopePhase, ...] = ()
    reason: str = ""
    approved_scope: int = 0
    holdout: int = 0
    results: Results = field(default_factory=Results)
    interacts_with: tuple[str, ...] = ()
    holdback: int = 0
    rotation: int = 0
    realised: tuple[Realised, ...] = ()

    @property
    def live(self) -> bool:
        """Whether any unit sees it, or may see it when a pending change goes through."""
        return self.scope > 0 or (self.pending is not None and self.pending.to_scope > 0)


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


@dataclass(frozen=True, slots=True)
class FreezeState:
    """A freeze in force."""

    target: str
    reason: str
    by: str
    since: datetime


@dataclass(frozen=True, slots=True)
class BlindState:
    """Something that the guard cannot see: from ``since`` on (data time), known ``at`` (wall-clock)."""

    source: str
    target: str
    reason: str
    since: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class State:
    """Everything that decisions rest on, as of ledger entry ``seq``."""

    seq: int = 0
    capabilities: Mapping[str, CapabilityState] = field(default_factory=dict)
    optimizations: Mapping[str, OptimizationState] = field(default_factory=dict)
    requests: Mapping[str, RequestState] = field(default_factory=dict)
    freezes: Mapping[str, FreezeState] = field(default_factory=dict)
    delegations: Mapping[str, DelegationState] = field(default_factory=dict)
    blind: Mapping[str, BlindState] = field(default_factory=dict)
    lifted: Mapping[str, FreezeState] = field(default_factory=dict)
    people: Mapping[str, KnownPerson] = field(default_factory=dict)
    agents: Mapping[str, KnownAgent] = field(default_factory=dict)

    @property
    def budget_from(self) -> datetime | None:
        """When people last lifted the freeze of a spent harm budget: harm before it is answered for."""
        lifted = self.lifted.get("all")
        return None if lifted is None else lifted.since

    def blind_to(self, capability: str, surface: str) -> list[BlindState]:
        """Return what keeps the guard from seeing ``capability`` on ``surface``."""
        targets = ("all", f"surface:{surface}", f"capability:{capability}")
        return [blind for blind in self.blind.values() if blind.target in targets]

    def delegated_to(self, person: str, at: datetime) -> list[DelegationState]:
        """Return the delegations that let ``person`` answer for somebody at ``at``, oldest first."""
        mine = [d for d in self.delegations.values() if d.to == person and d.since <= at < d.until]
        return sorted(mine, key=lambda delegation: (delegation.since, delegation.id))

    def freezes_of(self, capability: str, surface: str) -> Iterable[FreezeState]:
        """Return the freezes that hold ``capability`` on ``surface``."""
        targets = ("all", f"surface:{surface}", f"capability:{capability}")
        return [self.freezes[target] for target in targets if target in self.freezes]

    def neighbours(self, optimization: OptimizationState) -> list[str]:
        """Return what else is live on the optimization's surface; what is complete counts as the product."""
        return [
            other.id
            for other in self.optimizations.values()
            if other.surface == optimization.surface
            and other.id != optimization.id
            and other.live
            and other.status is not Status.COMPLETED
        ]

    def holdout_of(self, optimization: OptimizationState) -> int:
        """Return the share of units that ``optimization`` is held out from, in basis points.

        Fixed at the first exposure: a unit in treatment stays in it, whatever a later policy says.
        """
        if optimization.phases:
            return optimization.holdout
        return self.capabilities[optimization.capability].holdout

    def open_requests(self) -> list[RequestState]:
        """Return the requests that wait for an answer, oldest first."""
        waiting = [r for r in self.requests.values() if r.status is RequestStatus.OPEN]
        return sorted(waiting, key=lambda request: request.asked_at)
