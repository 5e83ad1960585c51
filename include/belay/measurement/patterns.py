"""Patterns that people should see beside the verdict: novelty, reversals, and the effect over time."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from belay.cells.cells import ALL, Cells
from belay.cells.plan import MeasurementPlan, PlannedMetric
from belay.domain.figures import signed_percent
from belay.measurement.compare import Comparison, compare, pair, sequence
from belay.measurement.strata import contrast, pieces
from belay.measurement.tails import chi_square_tail, normal_tail

Floats = NDArray[np.float64]

PICTURE_ALPHA = 0.05
"""Error rate of the confidence sequence in the picture (two-sided)."""
_NOTICEABLE = 0.025
"""Level of the trend; that days differ at all is asked at the dispersion's own."""
_MIN_DAYS = 3


@dataclass(frozen=True, slots=True)
class Drift:
    """A trend and the heterogeneity of daily effects.

    Attributes
    ----------
    slope : float
        Change of the effect per day, in the metric's unit.
    z, p : float
        Standardised slope and its two-sided p-value.
    q, q_p : float
        Cochran's Q and its p-value.
    days : int
        Days that were compared.
    """

    slope: float
    z: float
    p: float
    q: float
    q_p: float
    days: int


def drift(day: Floats, effect: Floats, variance: Floats) -> Drift:
    """Return slope and heterogeneity of independent daily effects, weighted by their precision.

    Days are independent because each unit belongs to the day of its first exposure.
    """
    weight = 1.0 / variance
    centre = (weight * day).sum() / weight.sum()
    spread = (weight * (day - centre) ** 2).sum()
    slope = float((weight * (day - centre) * effect).sum() / spread) if spread > 0 else 0.0
    z = slope * math.sqrt(spread)
    mean = (weight * effect).sum() / weight.sum()
    q = float((weight * (effect - mean) ** 2).sum())
    return Drift(slope, z, 2.0 * normal_tail(abs(z)), q, chi_square_tail(q, len(day) - 1), len(day))


@dataclass(frozen=True, slots=True)
class Novelty:
    """Whether the effect of one treatment on the primary metric changes with the exposure day."""

    arm: str
    metric: str
    drift: Drift | None
    noticeable: bool
    sentence: str


def novelty(cells: Cells, plan: MeasurementPlan) -> tuple[Novelty, ...]:
    """Return, per treatment, whether the primary effect drifts or differs between exposure days."""
    return tuple(_novelty(cells, plan, arm) for arm in range(1, len(plan.arms)))


def _novelty(cells: Cells, plan: MeasurementPlan, arm: int) -> Novelty:
    planned = plan.primary
    name, metric = plan.arms[arm], cells.metrics[planned.metric.id]
    n, mean, scatter, _ = pair(cells, planned, arm, 0)
    found = contrast(pieces(n, mean, scatter), ratio=metric.ratio, covariate=metric.covariate)
    day = np.array([day.toordinal() for day in cells.days], dtype=np.float64)
    variance = found.null_variance
    used = np.isfinite(variance) & (variance > 0)
    if used.sum() < _MIN_DAYS:
        sentence = f"{planned.metric.title}: fewer than {_MIN_DAYS} exposure days to compare."
        return Novelty(name, planned.metric.id, None, noticeable=False, sentence=sentence)
    result = drift(day[used], found.difference[used], variance[used])
    # One question, one answer: whether days differ is the dispersion's to say, here and in the interval.
    days = compare(cells, plan, planned, arm).dispersion
    result = replace(result, q=days.q, q_p=days.p)
    noticeable = result.p < _NOTICEABLE or days.noticed
    if result.p < _NOTICEABLE:
        sign = 1.0 if planned.metric.direction.value == "increase" else -1.0
        way = "shrinks" if sign * result.slope < 0 else "grows"
        said = f"the effect {way} from exposure day to exposure day (p = {result.p:.3f}): novelty or learning"
    elif noticeable:
        said = f"the effect differs between exposure days (p = {days.p:.3f})"
    else:
        said = f"the effect is steady over {result.days} exposure days"
    return Novelty(name, planned.metric.id, result, noticeable, f"{planned.metric.title}: {said}.")


@dataclass(frozen=True, slots=True)
class Reversal:
    """A figure and its parts that disagree in sign (Simpson's paradox)."""

    arm: str
    metric: str
    column: str
    sentence: str


def reversals(cells: Cells, plan: MeasurementPlan) -> tuple[Reversal, ...]:
    """Return where pooled and stratified effects disagree, or the whole and every one of its segments."""
    found = []
    for arm in range(1, len(plan.arms)):
        for planned in plan.metrics:
            whole = compare(cells, plan, planned, arm)
            if whole.why_silent is not None:
                continue
            found += _over_days(cells, plan, planned, arm, whole)
            found += _over_segments(cells, plan, planned, arm, whole)
    return tuple(found)


def _significant(comparison: Comparison) -> float:
    """Return the effect where it is more than noise (two standard errors), else 0."""
    z = float(comparison.found.z_null)
    return comparison.effect if abs(z) > 2 and math.isfinite(comparison.effect) else 0.0


def _over_days(
    cells: Cells, plan: MeasurementPlan, planned: PlannedMetric, arm: int, whole: Comparison
) -> list[Reversal]:
    n, mean, _, _ = pair(cells, planned, arm, 0)
    totals = (n[..., None] * mean).sum(axis=0) / n.sum(axis=0)[:, None]
    metric = cells.metrics[planned.metric.id]
    level = totals[:, 0] / totals[:, 1] if metric.ratio else totals[:, 0]
    if not (np.all(np.isfinite(level)) and level[1] > 0):
        return []
    pooled = float(level[0] / level[1] - 1.0)
    within = _significant(whole)
    if within * pooled >= 0:
        return []
    sentence = (
        f"{planned.metric.title}: pooled over days {plan.arms[arm]} looks {signed_percent(pooled)}, within "
        f"days it is {signed_percent(whole.effect)}; the split moved with the base rate: believe the latter."
    )
    return [Reversal(plan.arms[arm], planned.metric.id, "day", sentence)]


def _over_segments(
    cells: Cells, plan: MeasurementPlan, planned: PlannedMetric, arm: int, whole: Comparison
) -> list[Reversal]:
    found = []
    for column in plan.segments:
        parts = [
            compare(cells, plan, planned, arm, g)
            for g, segment in enumerate(cells.segments)
            if segment.column == column and column != ALL
        ]
        effects = [part.effect for part in parts if part.why_silent is None and math.isfinite(part.effect)]
        if len(effects) < 2 or not _significant(whole):
            continue
        if all(effect * whole.effect < 0 for effect in effects):
            said = ", ".join(signed_percent(effect) for effect in effects)
            sentence = (
                f"{planned.metric.title}: {signed_percent(whole.effect)} over all units, but the opposite "
                f"in every {column} ({said}): the arms hold different mixes of {column}."
            )
            found.append(Reversal(plan.arms[arm], planned.metric.id, column, sentence))
    return found


@dataclass(frozen=True, slots=True)
class Point:
    """The effect on units first exposed up to ``day``: relative, with its 95 % confidence sequence."""

    arm: str
    metric: str
    day: date
    units: int
    effect: float
    low: float
    high: float


def over_time(cells: Cells, plan: MeasurementPlan) -> tuple[Point, ...]:
    """Return the running effect and confidence sequence of every metric in every treatment."""
    points = []
    for arm in range(1, len(plan.arms)):
        for planned in plan.metrics:
            n, mean, scatter, _ = pair(cells, planned, arm, 0)
            whole = compare(cells, plan, planned, arm)
            effect, low, high = sequence(whole, pieces(n, mean, scatter).running(), cells, PICTURE_ALPHA)
            seen = n.sum(axis=1).cumsum()
            points += [
                Point(
                    plan.arms[arm],
                    planned.metric.id,
                    day,
                    int(seen[h]),
                    float(effect[h]),
                    float(low[h]),
                    float(high[h]),
                )
                for h, day in enumerate(cells.days)
            ]
    return tuple(points)
