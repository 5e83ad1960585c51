"""Where a capability stands: its policy, its stage, its promotion, its grant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from belay.domain.calendar import ALWAYS, Calendar
from belay.domain.gates import Estimate, PromotionGate, Verdict
from belay.domain.oversight import OversightTable
from belay.domain.portfolio import Decision
from belay.domain.scope import NO_HOLDBACK, HoldbackRule
from belay.domain.stages import DecisionClass, Stage


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
