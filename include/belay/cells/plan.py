"""What will be measured, fixed before the data is seen.

The plan is the pre-registration: metrics, margins, error rates, the period of constant scope and the planned
end. Two looks with the same plan and the same data give the same findings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from belay.cells.documents import to_plain
from belay.domain.metrics import Metric, PrimaryRule
from belay.domain.proposal import CONTROL

SRM_ALPHA = 0.001
"""Error rate of the sample ratio check: an alarm stops everything, so it must be rare."""


ANYTIME_SHARE = 0.2
"""Share of each test's error rate that is kept for looks before and after the planned one."""


def spend(alpha: float, *, anytime: bool) -> float:
    """Return the part of ``alpha`` that one rule may use, so that both together keep it.

    The fixed-horizon test at the planned end gets most of it; the confidence sequence, which may speak
    at every other look, the rest.
    """
    return alpha * (ANYTIME_SHARE if anytime else 1.0 - ANYTIME_SHARE)


class Role(StrEnum):
    """What a metric is for in this plan."""

    PRIMARY = "primary"
    GUARDRAIL = "guardrail"


def naive_utc(moment: datetime) -> datetime:
    """Return ``moment`` as the warehouse stores it: UTC without a time zone."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def whole_ms(moment: datetime) -> datetime:
    """Return the moment of a look as the statements count: naive UTC in whole milliseconds.

    Rounded up: a look is taken when its newest row arrived, and that row belongs to it.
    """
    moment = naive_utc(moment)
    return moment + timedelta(microseconds=-moment.microsecond % 1000)


@dataclass(frozen=True, slots=True)
class Phase:
    """A period of constant scope, in data time.

    Attributes
    ----------
    index : int
        Which of the optimization's periods it is, from 0.
    start : datetime
        Its first moment; it lasts until the look.
    scope : int
        Units exposed to a treatment, in basis points.
    shares : Mapping[str, float]
        Expected share of each arm, ``control`` included; they sum to 1, because the holdout, which is logged
        as well, is no arm.

    Raises
    ------
    ValueError
        When the shares are not shares.
    """

    index: int
    start: datetime
    scope: int
    shares: Mapping[str, float]

    def __post_init__(self) -> None:
        if any(share < 0 for share in self.shares.values()) or not math.isclose(
            sum(self.shares.values()), 1.0, abs_tol=1e-6
        ):
            raise ValueError(f"phase {self.index}: the arms' shares must sum to 1: {dict(self.shares)}")


@dataclass(frozen=True, slots=True)
class PlannedMetric:
    """One metric and what it must show.

    Attributes
    ----------
    metric : Metric
        What is measured.
    role : Role
        Primary or guardrail.
    margin : float
        Relative margin in the bad direction (0.02 = 2 % of the control's value).
    rule : PrimaryRule
        What it must show; guardrails must be non-inferior.
    minimum_effect : float
        Relative effect worth having; 0 for guardrails.
    """

    metric: Metric
    role: Role
    margin: float
    rule: PrimaryRule
    minimum_effect: float = 0.0


@dataclass(frozen=True, slots=True)
class Earlier:
    """What daily effects were like in earlier optimizations of the same surface, on the same metric.

    Attributes
    ----------
    between : float
        Variance of relative daily effects beyond chance.
    draws : float
        How many days it counts as.
    optimizations : int
        How many optimizations it was seen in.
    """

    between: float
    draws: float
    optimizations: int


@dataclass(frozen=True, slots=True)
class MeasurementPlan:
    """Everything a look needs to know, frozen before the first one.

    Attributes
    ----------
    capability, optimization, surface : str
        What is measured, and where.
    arms : tuple[str, ...]
        ``control`` first, then every treatment.
    phase : Phase | None
        The period of constant scope that is judged; None while nothing is exposed. One step is judged on one
        period: a unit that a later widening moves from control to treatment is not counted on both sides.
    metrics : tuple[PlannedMetric, ...]
        The primary first.
    segments : tuple[str, ...]
        Columns of the exposures table; each is judged on its own, not in combination.
    filters : Mapping[str, str]
        Column of the exposures table to the value it must have (``is_bot: "false"``), and the word
        ``duplicate_events: drop``, which counts an outcome event once.
    alpha, power : float
        One-sided error rate and power of the decision.
    primary_alpha : float
        Level of the primary test; smaller than ``alpha`` when the capability's portfolio has spent some.
    minimum_units : int
        Units in the smallest treatment arm before a decision.
    minimum_end, planned_end : datetime | None
        When the phase has its minimum and its pre-registered duration (data time).
    looks : int
        Planned looks until the planned end.
    planned_units : int | None
        Units expected by the planned end, all arms together and without the holdout; None when traffic was
        not estimated.
    policy : str
        Digest of the policy in force.
    pooled : tuple[str, ...]
        Optimizations read as one change, against their holdout; empty for a plan of one optimization.
    earlier : Mapping[str, Earlier]
        By metric, how much daily effects scattered in the surface's earlier optimizations, where known.
    """

    capability: str
    optimization: str
    surface: str
    arms: tuple[str, ...]
    phase: Phase | None
    metrics: tuple[PlannedMetric, ...]
    segments: tuple[str, ...]
    filters: Mapping[str, str]
    alpha: float
    power: float
    primary_alpha: float
    minimum_units: int
    minimum_end: datetime | None
    planned_end: datetime | None
    looks: int
    planned_units: int | None
    policy: str
    pooled: tuple[str, ...] = ()
    earlier: Mapping[str, Earlier] = field(default_factory=dict)

    @property
    def treatments(self) -> tuple[str, ...]:
        """Every arm but control."""
        return self.arms[1:]

    @property
    def primary(self) -> PlannedMetric:
        """The primary metric."""
        return self.metrics[0]

    @property
    def start(self) -> datetime | None:
        """First moment whose exposures count."""
        return naive_utc(self.phase.start) if self.phase else None

    def decision_alpha(self, planned: PlannedMetric, *, anytime: bool) -> float:
        """Return the one-sided level of the interval that decides about ``planned``."""
        return spend(self.primary_alpha if planned.role is Role.PRIMARY else self.alpha, anytime=anytime)

    @property
    def overall_alpha(self) -> float:
        """Error rate of all overall harm tests together: half of ``alpha`` where segments are watched too."""
        return self.alpha / 2 if self.segments else self.alpha

    @property
    def segment_alpha(self) -> float:
        """Error rate of all segment harm tests together."""
        return self.alpha / 2

    @property
    def overall_tests(self) -> int:
        """Overall harm tests: every metric in every treatment."""
        return len(self.metrics) * len(self.treatments)

    @property
    def grace(self) -> timedelta:
        """How long after the planned end a look still counts as the planned one: a look interval, or 5 %."""
        if self.start is None or self.planned_end is None:
            return timedelta(0)
        return (self.planned_end - self.start) / min(max(self.looks, 1), 20)

    def planned_information(self, arm: str) -> float:
        """Return the planned information of ``arm`` against control: units, on an even split's scale."""
        shares: Mapping[str, float] = self.phase.shares if self.phase else {}
        treated, control = shares.get(arm, 0.0), shares.get(CONTROL, 0.0)
        if treated <= 0 or control <= 0:
            return float(max(4 * self.minimum_units, 1))
        units = self.planned_units or math.ceil(self.minimum_units / min(treated, control))
        return max(4.0 * units * treated * control / (treated + control), 1.0)

    def to_document(self) -> dict[str, Any]:
        """Return the plan as plain data."""
        document: dict[str, Any] = to_plain(self)
        return document


@dataclass(frozen=True, slots=True)
class Sight:
    """One optimization to be read: its plan, at the scope it has now, and until when."""

    plan: MeasurementPlan
    until: datetime


EXPOSED = "exposed"
"""The arm of everybody who is not held out, when a whole capability is compared with its holdout."""
