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

from belay.cells.baseline import Baseline, Traffic
from belay.cells.documents import to_plain
from belay.cells.plan import Earlier
from belay.cells.planning import shares_at
from belay.domain.capability import CapabilityPolicy
from belay.domain.figures import signed_percent
from belay.domain.metrics import MetricKind
from belay.domain.proposal import CONTROL
from belay.domain.scope import FULL_SCOPE, percent
from belay.measurement.sizing import (
    Arrivals,
    Sizing,
    days_until,
    quantiles_of,
    sizings,
    smallest_effect,
    units_after,
    units_and_days,
    units_needed,
)

_DAY = 86_400.0


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
    units, days = units_and_days(test, units_needed(test, baseline, treated, control), arrivals, scatter)
    smallest = smallest_effect(test, baseline, treated, control, units_after(maximum, arrivals))
    smallest = math.hypot(smallest, quantiles_of(test) * math.sqrt(scatter / max(maximum, 1.0)))
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
        size = signed_percent(test.distance).lstrip("+")
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
            units_and_days(
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
        wishes = ", ".join(f"{need.title} {signed_percent(need.smallest)}" for need in short)
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
