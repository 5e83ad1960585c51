"""What is measured, as data: metrics, guardrails and their margins.

A metric is declared once in the shared catalogue and chosen by the capabilities. The measurement
compiles it to SQL; nothing here knows how.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MetricKind(StrEnum):
    """How the outcomes of one unit become one number, and which statistics fit it."""

    PROPORTION = "proportion"
    """0 or 1 per unit: did it happen within the outcome window?"""
    MEAN = "mean"
    """Sum of a column per unit (revenue per visitor)."""
    RATIO = "ratio"
    """Sum of one column over sum of another (delta method over units)."""
    RARE_COUNT = "rare_count"
    """0 or 1 per unit, judged by an exact test because events are few."""


class Direction(StrEnum):
    """Which way is good."""

    INCREASE = "increase"
    DECREASE = "decrease"


class Grain(StrEnum):
    """How finely the times of a metric's outcomes are written."""

    TIME = "time"
    """When it happened: what a unit did before its first exposure does not count."""
    DAY = "day"
    """On which day (UTC) it happened: the day of the first exposure counts whole, in every arm alike."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of the catalogue.

    Attributes
    ----------
    id : str
        Name in the catalogue.
    title : str
        Name for people.
    kind : MetricKind
        How outcomes become one number per unit.
    unit : str
        Unit shown beside every figure: ``%``, ``EUR``, ``tickets per 1,000``.
    direction : Direction
        Which way is good.
    source : str
        Table of the warehouse with one row per outcome event.
    value : str
        Column that is summed per unit (for a proportion or rare count: any value > 0 counts as 1).
    denominator : str | None
        Column of a ratio's denominator.
    cap : float | None
        Winsorising cap per unit, frozen with the policy; in the metric's own unit.
    covariate : str | None
        Pre-exposure column of the units table, for CUPED.
    outcome_days : float | None
        Days after a unit's first exposure in which outcomes count; None counts all until the look.
    grain : Grain
        Whether the times of its outcomes are moments or days.
    """

    id: str
    title: str
    kind: MetricKind
    unit: str
    direction: Direction
    source: str
    value: str
    denominator: str | None = None
    cap: float | None = None
    covariate: str | None = None
    outcome_days: float | None = None
    grain: Grain = Grain.TIME


class PrimaryRule(StrEnum):
    """What the primary metric must show before scope widens."""

    SUPERIOR = "superior"
    NON_INFERIOR = "non_inferior"


@dataclass(frozen=True, slots=True)
class Primary:
    """The primary metric of a capability, and what it must show.

    ``margin`` is relative (0.02 = 2 % of the control's value) and used when the rule is
    non-inferiority; ``minimum_effect`` is the relative effect that is worth having, and the one
    that power is computed for.
    """

    metric: Metric
    rule: PrimaryRule
    minimum_effect: float
    margin: float


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A metric that must be shown non-inferior within ``margin`` (relative, in the bad direction)."""

    metric: Metric
    margin: float
