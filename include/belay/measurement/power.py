"""Power before exposure: how long a step must be watched, and what would make it measurable.

Every test is sized for power 1 − β/(G+1), G guardrails: all of them must pass together, so each must
be surer than the whole (Schultzberg, Ankargren, Frånberg 2024, arXiv 2402.11609).

Only units that take part count: control and treatments share what the capability's holdout leaves. Units that
go without a complete change (its hold-back) are its control, and take part in any other change's step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from belay.cells.baseline import Baseline, Traffic
from belay.cells.documents import to_plain
from belay.cells.plan import Earlier, spend
from belay.cells.planning import shares_at
from belay.domain.capability import CapabilityPolicy
from belay.domain.metrics import Direction, Metric, MetricKind, PrimaryRule
from belay.domain.proposal import CONTROL
from belay.domain.scope import FULL_SCOPE, percent
from belay.measurement.compare import MIN_EVENTS
from belay.measurement.tails import normal_quantile
from belay.measurement.words import relative

_DAY = 86_400.0
_EXPONENT = 700.0
"""Largest power of e that a double holds, nearly."""

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


@dataclass(frozen=True, slots=True)
class MetricPower:
    """What one metric needs.

    Attributes
    ----------
    metric, title : str
        Which metric.
    distance : float
        Relative effect (primary) or margin (guardrail) that must be told apart.
    units_needed : float
        Units, all arms together; infinite when no number is enough.
    days_needed : float
        Days at the traffic seen; infinite when it never suffices.
    smallest : float
        Smallest relative effect or margin that the maximum window could tell apart.
    sentence : str
        The same for people.
    superior : bool
        Whether ``distance`` is an effect that must be shown; a margin that must be kept otherwise.
    alpha, power : float
        One-sided error rate and power that the test is sized for.
    """

    metric: str
    title: str
    distance: float
    units_needed: float
    days_needed: float
    smallest: float
    sentence: str
    superior: bool = False
    alpha: float = math.nan
    power: float = math.nan


@dataclass(frozen=True, slots=True)
class Measurability:
    """Whether a step can be measured within its maximum window.

    Attributes
    ----------
    measurable : bool
        Whether every metric can.
    scope : int
        Scope at which it is measured (basis points).
    holdout : int
        Units that take no part (basis points): every other number of units is without them.
    units_needed, days_needed : float
        What the most demanding metric needs.
    units_expected : int
        Units, all arms together, expected within the maximum window.
    maximum_days : float
        The maximum window.
    window_days : float
        How long to measure: what is needed, but no less than the minimum and no more than the maximum.
    planned_units : int
        Units, all arms together, expected within ``window_days``.
    metrics : tuple[MetricPower, ...]
        Each metric's need, the primary first.
    suggestions : tuple[str, ...]
        What would make it measurable; empty when it is.
    sentence : str
        The same for people.
    """

    measurable: bool
    scope: int
    holdout: int
    units_needed: float
    days_needed: float
    units_expected: int
    maximum_days: float
    window_days: float
    planned_units: int
    metrics: tuple[MetricPower, ...]
    suggestions: tuple[str, ...]
    sentence: str

    def to_document(self) -> dict[str, Any]:
        """Return it as plain data."""
        document: dict[str, Any] = to_plain(self)
        return document


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
    quantiles = normal_quantile(test.alpha) + normal_quantile(1.0 - test.power)
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
    quantiles = normal_quantile(test.alpha) + normal_quantile(1.0 - test.power)
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


def measurability(
    policy: CapabilityPolicy,
    scope: int,
    shares: Mapping[str, float],
    traffic: Traffic,
    *,
    holdout: int = 0,
    primary_alpha: float | None = None,
    earlier: Mapping[str, Earlier] | None = None,
) -> Measurability:
    """Return whether a step of ``policy`` can be measured at ``scope`` within its maximum window.

    Parameters
    ----------
    policy
        The capability's policy.
    scope
        Scope at which the step is measured (basis points); 0 when nothing is exposed yet.
    shares
        Expected share of each arm among the units that take part, ``control`` included.
    traffic
        Of the policy's surface, from ``warehouse.traffic.read_traffic``.
    holdout
        Share of units that are held out (basis points).
    primary_alpha
        Level of the primary test, where the portfolio sets one.
    earlier
        By metric, how much daily effects scattered in earlier optimizations of the surface.
    """
    baselines, arrivals = traffic.baselines, traffic.arrivals
    taking_part = arrivals.astype(np.float64) * (1.0 - holdout / FULL_SCOPE)
    maximum = policy.window.maximum_seconds / _DAY
    expected = units_after(maximum, taking_part)

    def found(
        units: float, days: float, needs: tuple[MetricPower, ...], suggestions: tuple[str, ...], sentence: str
    ) -> Measurability:
        window = min(max(days, policy.window.minimum_seconds / _DAY), maximum)
        planned = int(units_after(window, taking_part))
        return Measurability(
            measurable=days <= maximum,
            scope=scope,
            holdout=holdout,
            units_needed=units,
            days_needed=days,
            units_expected=int(expected),
            maximum_days=maximum,
            window_days=window,
            planned_units=planned,
            metrics=needs,
            suggestions=suggestions,
            sentence=sentence,
        )

    if scope == 0:
        sentence = "Nothing is exposed yet, so there is nothing to measure before this step."
        return found(0.0, 0.0, (), (), sentence)
    treated = min((share for arm, share in shares.items() if arm != CONTROL), default=0.0)
    control = shares.get(CONTROL, 0.0)
    tests = sizings(policy, primary_alpha)
    before = earlier or {}
    scatter = {t.metric.id: before[t.metric.id].between if t.metric.id in before else 0.0 for t in tests}
    needs = tuple(
        _need(
            test, baselines[test.metric.id], (treated, control), taking_part, maximum, scatter[test.metric.id]
        )
        for test in tests
    )
    floor = policy.window.minimum_units / treated if treated > 0 else math.inf
    units = max([need.units_needed for need in needs] + [floor])
    days = max([need.days_needed for need in needs] + [days_until(floor, taking_part)])
    hardest = max(needs, key=lambda need: need.units_needed)
    arrived = f"{arrivals.sum():,} units in the {len(arrivals)} days read"
    if holdout:
        arrived += f"; without the holdout's {percent(holdout)}, {taking_part.sum():,.0f} take part"
    where = f"at {percent(scope)} of the traffic ({arrived})"
    if not arrivals.sum():
        sentence = (
            f"Not measurable: there are no exposures of surface {policy.surface} in the {len(arrivals)} days "
            "read, so no number of days is enough. Does the product log them, under this name?"
        )
        return found(units, math.inf, needs, (), sentence)
    if days <= maximum:
        sentence = (
            f"Measurable: {units:,.0f} units, {days:.1f} days {where}; the maximum is {maximum:.1f} days."
        )
        return found(units, days, needs, (), sentence)
    suggestions = _suggestions(
        policy, scope, shares, tests, baselines, taking_part, maximum, days, needs, scatter
    )
    sentence = f"Not measurable within {maximum:.1f} days {where}: {hardest.sentence}" + (
        f" What would help: {'; or '.join(suggestions)}." if suggestions else ""
    )
    return found(units, days, needs, suggestions, sentence)


def _need(
    test: Sizing,
    baseline: Baseline,
    shares: tuple[float, float],
    arrivals: Arrivals,
    maximum: float,
    scatter: float,
) -> MetricPower:
    treated, control = shares
    units, days = _units_and_days(test, units_needed(test, baseline, treated, control), arrivals, scatter)
    smallest = smallest_effect(test, baseline, treated, control, units_after(maximum, arrivals))
    smallest = math.hypot(smallest, _quantiles(test) * math.sqrt(scatter / max(maximum, 1.0)))
    superior = test.primary and test.factor == 1.0
    what = "an effect" if superior else "a margin"
    if baseline.problem:
        said = f"{test.metric.title} cannot be sized: {baseline.problem}."
    elif not baseline.mean > 0:
        said = f"{test.metric.title} was zero or missing in the {baseline.units:,} units read."
    elif math.isinf(units) and scatter:
        said = f"{test.metric.title} differs so much from day to day that no number of days is enough."
    elif math.isinf(units):
        said = f"{test.metric.title} cannot be compared without units in both arms."
    else:
        size = relative(test.distance).lstrip("+")
        lasts = "never" if math.isinf(days) else f"{days:.1f} days"
        said = f"{test.metric.title} needs {units:,.0f} units ({lasts}) for {what} of {size}"
        said += ", with days as different as in earlier optimizations." if scatter else "."
    return MetricPower(
        test.metric.id,
        test.metric.title,
        test.distance,
        units,
        days,
        smallest,
        said,
        superior,
        test.alpha,
        test.power,
    )


_MOST_DAYS = 366
"""Days that are tried; what takes more is never measured."""


def _quantiles(test: Sizing) -> float:
    return normal_quantile(test.alpha) + normal_quantile(1.0 - test.power)


def _units_and_days(test: Sizing, units: float, arrivals: Arrivals, scatter: float) -> tuple[float, float]:
    """Return the units and days that ``test`` needs where it needs ``units`` with days that are alike.

    ``scatter`` is the variance of relative daily effects beyond chance: it falls with the days, not with the
    units, so a window must have enough of both.
    """
    if scatter <= 0 or not math.isfinite(units):
        return units, days_until(units, arrivals)
    by_days = (_quantiles(test) / test.distance) ** 2 * scatter
    for days in range(max(math.floor(by_days) + 1, 1), _MOST_DAYS + 1):
        more = units / (1.0 - by_days / days)
        if (until := days_until(more, arrivals)) <= days:
            return more, max(until, float(days - 1))
    return math.inf, math.inf


def _suggestions(
    policy: CapabilityPolicy,
    scope: int,
    shares: Mapping[str, float],
    tests: list[Sizing],
    baselines: Mapping[str, Baseline],
    arrivals: Arrivals,
    maximum: float,
    days: float,
    needs: tuple[MetricPower, ...],
    scatter: Mapping[str, float],
) -> tuple[str, ...]:
    treatments = [arm for arm in shares if arm != CONTROL]
    said = []
    for step in policy.ramp.steps:
        wider = shares_at(step, treatments)
        if step <= scope or wider[CONTROL] <= 0:
            continue
        longest = max(
            _units_and_days(
                test,
                units_needed(test, baselines[test.metric.id], wider[treatments[0]], wider[CONTROL]),
                arrivals,
                scatter[test.metric.id],
            )[1]
            for test in tests
        )
        if longest <= maximum:
            said.append(f"a bigger step: at {percent(step)} it takes {longest:.1f} days")
            break
    if math.isfinite(days):
        said.append(f"a longer window: {days:.1f} days")
    short = [need for need in needs if need.days_needed > maximum and math.isfinite(need.smallest)]
    if short:
        wishes = ", ".join(f"{need.title} {relative(need.smallest)}" for need in short)
        said.append(f"a larger effect or margin to tell apart: {wishes}")
    expected = units_after(maximum, arrivals)
    for need, test in zip(needs, tests, strict=True):
        reduction = 1.0 - expected / need.units_needed if need.units_needed > 0 else 0.0
        if (
            need in short
            and test.metric.covariate is None
            and reduction < 0.75
            and test.metric.kind
            in {
                MetricKind.MEAN,
                MetricKind.RATIO,
            }
        ):
            said.append(
                f"a pre-exposure covariate for {need.title} (CUPED) "
                f"that correlates at {math.sqrt(reduction):.2f} or more"
            )
    return tuple(said)
