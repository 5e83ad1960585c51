"""What has happened to a capability: its policy, its stage, its lease, its record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from belay.domain.calendar import ALWAYS, Calendar
from belay.domain.gates import PromotionGate, Verdict
from belay.domain.oversight import OversightTable
from belay.domain.scope import NO_HOLDBACK, HoldbackRule
from belay.domain.stages import DecisionClass, Stage


@dataclass(frozen=True, slots=True)
class PolicyAdopted:
    """A capability's policy came into force; the first one registers the capability."""

    kind: ClassVar[str] = "policy.adopted"
    capability: str
    digest: str
    title: str
    owner: str
    surface: str
    decision_class: DecisionClass
    ceiling: Stage
    initial_stage: Stage
    veto_roles: tuple[str, ...]
    reason: str
    approval_roles: tuple[str, ...] = ()
    oversight: OversightTable = field(default_factory=dict)
    free_scope: int = 0
    leases: Mapping[Stage, float] = field(default_factory=dict)
    holdout: int = 0
    calendar: Calendar = ALWAYS
    document: str | None = None
    holdback: HoldbackRule = NO_HOLDBACK


@dataclass(frozen=True, slots=True)
class StagePromoted:
    """A capability went up one stage, by the people whose ``grant`` it used."""

    kind: ClassVar[str] = "capability.promoted"
    capability: str
    from_stage: Stage
    to_stage: Stage
    reason: str
    evidence: str | None = None
    grant: str | None = None


@dataclass(frozen=True, slots=True)
class LeaseRenewed:
    """A capability keeps its stage for another period, by the people whose ``grant`` it used."""

    kind: ClassVar[str] = "capability.renewed"
    capability: str
    stage: Stage
    grant: str
    reason: str
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class StageDemoted:
    """A capability went down, by a rule or by a person."""

    kind: ClassVar[str] = "capability.demoted"
    capability: str
    from_stage: Stage
    to_stage: Stage
    rule: str
    reason: str
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class PromotionStarted:
    """A run took up the question whether a capability may go up; the same stage twice renews its lease.

    ``asked_by`` is the person who asked for it; empty where a schedule did.
    """

    kind: ClassVar[str] = "promotion.started"
    capability: str
    run: str
    from_stage: Stage
    to_stage: Stage
    policy: str
    asked_by: str = ""


@dataclass(frozen=True, slots=True)
class PromotionJudged:
    """A gate of a promotion gave its verdict; ``evidence`` names the document it rests on."""

    kind: ClassVar[str] = "promotion.judged"
    capability: str
    run: str
    gate: PromotionGate
    verdict: Verdict
    sentence: str
    evidence: str | None


@dataclass(frozen=True, slots=True)
class OecMeasured:
    """The overall criterion of a capability against its holdout: a relative effect, more is better."""

    kind: ClassVar[str] = "oec.measured"
    capability: str
    effect: float
    low: float
    high: float
    since: datetime
    until: datetime
    sentence: str
    evidence: str | None


@dataclass(frozen=True, slots=True)
class RosterNoted:
    """Who is who as the roster says now: what people are known by, and who answers for each agent.

    ``people`` holds those who are new or have a new name, each with digests of all their names; ``agents`` is
    complete.
    """

    kind: ClassVar[str] = "roster.noted"
    people: Mapping[str, tuple[str, ...]]
    agents: Mapping[str, str]
