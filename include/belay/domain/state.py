"""What the ledger says is so. ``evolve`` folds events into it; nothing else changes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from belay.domain.capability_state import CapabilityState, GateResult
from belay.domain.gates import Estimate, Gate, Verdict
from belay.domain.identity import KnownAgent, KnownPerson
from belay.domain.oversight import Oversight
from belay.domain.proposal import Proposal
from belay.domain.request_state import DelegationState, RequestState, RequestStatus


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
