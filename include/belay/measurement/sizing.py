"""How many units and days one test needs, and what so many could tell apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from belay.cells.baseline import Baseline
from belay.cells.plan import spend
from belay.domain.capability import CapabilityPolicy
from belay.domain.metrics import Direction, Metric, MetricKind, PrimaryRule
from belay.measurement.compare import MIN_EVENTS
from belay.measurement.tails import normal_quantile

_EXPONENT = 700.0
"""Largest power of e that a double holds, nearly."""

_MOST_DAYS = 366
"""Days that are tried; what takes more is never measured."""

Arrivals = NDArray[np.int64] | NDArray[np.float64]
"""Units that came for the first time, day by day."""


@dataclass(frozen=True, slots=True)
class Sizing:
    """One test that the decision must pass: the relative effect it must tell apart, and its errors."""

    metric: Metric
    distance: float
    factor: float
    alpha: float
    power: float
    primary: bool


def sizings(policy: CapabilityPolicy, primary_alpha: float | None = None) -> list[Sizing]:
    """Return the tests that a decision under ``policy`` must pass."""
    power = 1.0 - (1.0 - policy.errors.power) / (len(policy.guardrails) + 1)
    each = spend(policy.errors.alpha, anytime=False)
    alpha = each if primary_alpha is None else spend(primary_alpha, anytime=False)
    tests = []
    if policy.primary.rule is PrimaryRule.SUPERIOR:
        tests.append(
            Sizing(policy.primary.metric, policy.primary.minimum_effect, 1.0, alpha, power, primary=True)
        )
    else:
        tests.append(_non_inferior(policy.primary.metric, policy.primary.margin, alpha, power, primary=True))
    return tests + [_non_inferior(g.metric, g.margin, each, power, primary=False) for g in policy.guardrails]


def _non_inferior(metric: Metric, margin: float, alpha: float, power: float, *, primary: bool) -> Sizing:
    factor = 1.0 - margin if metric.direction is Direction.INCREASE else 1.0 + margin
    return Sizing(metric, margin, factor, alpha, power, primary)


def units_needed(test: Sizing, baseline: Baseline, treated: float, control: float) -> float:
    """Return the units, all arms together, that ``test`` needs.

    Parameters
    ----------
    test
        What must be told apart.
    baseline
        Mean and variance of one unit.
    treated, control
        Shares of the smallest treatment and of control among all units.
    """
    if (
        treated <= 0
        or control <= 0
        or test.distance <= 0
        or not baseline.mean > 0
        or not math.isfinite(baseline.variance)
    ):
        return math.inf
    quantiles = quantiles_of(test)
    if test.metric.kind is MetricKind.RARE_COUNT:
        lost = test.metric.direction is not Direction.DECREASE
        if lost and test.distance >= 1.0:
            return 0.0  # everything may be lost: there is nothing to show
        gap = abs(math.log1p(-test.distance if lost else test.distance))
        return float(quantiles**2 * (1.0 / treated + 1.0 / control) / baseline.mean / gap**2)
    spread = baseline.variance * (1.0 / treated + test.factor**2 / control)
    units = float(quantiles**2 * spread / (test.distance * baseline.mean) ** 2)
    if test.metric.kind is MetricKind.PROPORTION:
        units = max(units, MIN_EVENTS / (baseline.mean * min(treated, control)))
    return units


def smallest_effect(test: Sizing, baseline: Baseline, treated: float, control: float, units: float) -> float:
    """Return the smallest relative effect (or margin) that ``units`` could tell apart."""
    if units <= 0 or treated <= 0 or control <= 0 or not baseline.mean > 0:
        return math.inf
    quantiles = quantiles_of(test)
    if test.metric.kind is MetricKind.RARE_COUNT:
        size = quantiles * math.sqrt((1.0 / treated + 1.0 / control) / (baseline.mean * units))
        return float(math.expm1(size)) if size < _EXPONENT else math.inf
    if not math.isfinite(baseline.variance):
        return math.inf
    spread = baseline.variance * (1.0 / treated + 1.0 / control) / units
    return float(quantiles * math.sqrt(spread) / baseline.mean)


def days_until(units: float, arrivals: Arrivals) -> float:
    """Return the days until ``units`` have come; after the days seen, the last week's pace goes on."""
    if not math.isfinite(units) or arrivals.sum() <= 0:
        return math.inf
    seen = np.concatenate([[0], np.cumsum(arrivals)]).astype(np.float64)
    if units <= seen[-1]:
        return float(np.interp(units, seen, np.arange(len(seen))))
    pace = float(arrivals[-7:].mean())
    return math.inf if pace <= 0 else len(arrivals) + (units - float(seen[-1])) / pace


def units_after(days: float, arrivals: Arrivals) -> float:
    """Return how many units have come after ``days`` (the inverse of ``days_until``)."""
    seen = np.concatenate([[0], np.cumsum(arrivals)]).astype(np.float64)
    if days <= len(arrivals):
        return float(np.interp(days, np.arange(len(seen)), seen))
    return float(seen[-1]) + (days - len(arrivals)) * (float(arrivals[-7:].mean()) if arrivals.size else 0.0)


def quantiles_of(test: Sizing) -> float:
    """Return the sum of the normal quantiles of the two errors of ``test``."""
    return normal_quantile(test.alpha) + normal_quantile(1.0 - test.power)


def units_and_days(test: Sizing, units: float, arrivals: Arrivals, scatter: float) -> tuple[float, float]:
    """Return the units and days that ``test`` needs where it needs ``units`` with days that are alike.

    ``scatter`` is the variance of relative daily effects beyond chance: it falls with the days, not with the
    units, so a window must have enough of both.
    """
    if scatter <= 0 or not math.isfinite(units):
        return units, days_until(units, arrivals)
    by_days = (quantiles_of(test) / test.distance) ** 2 * scatter
    for days in range(max(math.floor(by_days) + 1, 1), _MOST_DAYS + 1):
        more = units / (1.0 - by_days / days)
        if (until := days_until(more, arrivals)) <= days:
            return more, max(until, float(days - 1))
    return math.inf, math.inf
