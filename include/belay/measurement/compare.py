"""One treatment against control on one metric in one segment: the figures that every judgement rests on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from belay.domain.metrics import Direction, MetricKind
from belay.domain.proposal import CONTROL
from belay.measurement.cells import Cells
from belay.measurement.counts import log_e_counts, rate_ratio_bounds
from belay.measurement.plan import MeasurementPlan, PlannedMetric
from belay.measurement.sequences import critical_one_sided, critical_two_sided, log_e, tuning
from belay.measurement.strata import Contrast, Pieces, contrast, pieces
from belay.measurement.tails import normal_quantile, root

Floats = NDArray[np.float64]

MIN_EVENTS = 25.0
"""Events expected in the smaller arm before a normal approximation speaks; exact tests need none."""
MAX_UNUSABLE = 0.01
"""Share of missing or broken values above which a metric cannot be shown harmless."""


def expected_events(events: Floats, units: Floats, *, proportion: bool) -> Floats:
    """Return the events that the smaller arm would have under no effect.

    Expected, not seen: a treatment that stops all conversions must not silence its own monitor.

    Parameters
    ----------
    events, units
        Units with an event, and units, shape (…, 2).
    proportion
        Count what is rarer: events, or units without one.
    """
    total = units.sum(axis=-1)
    seen = events.sum(axis=-1)
    if proportion:
        seen = np.minimum(seen, total - seen)
    found: Floats = seen * units.min(axis=-1) / np.maximum(total, 1.0)
    return found


def log_e_harm(found: Contrast, expected: Floats, *, increase_is_good: bool, rho2: float) -> Floats:
    """Return the log e-value of harm at every look; 0 (no evidence) while events are too few to speak.

    Parameters
    ----------
    found
        The comparison at each look.
    expected
        From ``expected_events``.
    increase_is_good
        Whether more of the metric is better.
    rho2
        From ``sequences.tuning``.
    """
    harm = -found.z_null if increase_is_good else found.z_null
    speaks = expected >= MIN_EVENTS
    return np.where(speaks, log_e(harm, np.where(speaks, found.information, 0.0), rho2), 0.0)


def pair(
    cells: Cells, planned: PlannedMetric, arm: int, segment: int
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return units, means, scatter and events by stratum of (treatment ``arm``, control)."""
    metric = cells.metrics[planned.metric.id]
    arms = [arm, 0]
    return (
        cells.units[segment][:, arms],
        metric.mean[segment][:, arms],
        metric.scatter[segment][:, arms],
        metric.events[segment][:, arms],
    )


@dataclass(frozen=True)
class Comparison:
    """A treatment against control on one metric in one segment.

    Relative effects are oriented as measured (treatment/control − 1); ``good`` turns them so that more
    is better.
    """

    plan: MeasurementPlan
    planned: PlannedMetric
    arm: str
    sums: Pieces
    found: Contrast
    units: tuple[float, float]
    events: tuple[float, float]
    phase_events: Floats
    phase_units: Floats
    phase_shares: Floats
    unusable: float

    @property
    def rare(self) -> bool:
        """Whether the exact test for counts applies."""
        return self.planned.metric.kind is MetricKind.RARE_COUNT

    @property
    def increase_is_good(self) -> bool:
        """Whether more is better."""
        return self.planned.metric.direction is Direction.INCREASE

    @property
    def treatment(self) -> float:
        """The treatment's value, in the metric's unit per unit."""
        return float(self.found.treatment)

    @property
    def control(self) -> float:
        """Control's value."""
        return float(self.found.control)

    @property
    def effect(self) -> float:
        """Relative effect; NaN when control is not positive."""
        return self.treatment / self.control - 1.0 if self.control > 0 else math.nan

    @cached_property
    def expected_events(self) -> float:
        """Events that the smaller arm would have under no effect."""
        proportion = self.planned.metric.kind is MetricKind.PROPORTION
        return float(expected_events(np.array(self.events), np.array(self.units), proportion=proportion))

    @property
    def why_silent(self) -> str | None:
        """Why nothing can be said yet, or None."""
        if self.units[0] <= 0 or self.units[1] <= 0:
            empty = self.arm if self.units[0] <= 0 else CONTROL
            return f"no unit of {empty} was measured"
        if sum(self.events) == 0:
            spoilt = f"{100 * self.unusable:.0f} % of its values are missing or no finite numbers"
            return spoilt if self.unusable > MAX_UNUSABLE else "every value is zero in both arms"
        if self.rare:
            return None
        if self.expected_events < MIN_EVENTS:
            return (
                f"too few events: {sum(self.events):,.0f} in both arms, "
                f"{self.expected_events:,.1f} expected in the smaller one, {MIN_EVENTS:.0f} needed"
            )
        if not (math.isfinite(float(self.found.null_variance)) and float(self.found.null_variance) > 0):
            return "the values do not vary, or are too large to add up"
        if self.control <= 0:
            return "control's value is not positive, so a relative effect has no meaning"
        return None

    def log_e_harm(self, alpha: float) -> float:
        """Return the log e-value of harm, valid at every look; 0 (no evidence) while nothing can be said.

        Parameters
        ----------
        alpha
            Level of this one test; it only tunes where the monitor is sharpest.
        """
        if self.why_silent is not None and not (self.rare and sum(self.events) > 0):
            return 0.0
        if self.rare:
            used = (self.phase_shares > 0) & (self.phase_shares < 1)
            shares, seen = self.phase_shares[used], self.phase_events[used]
            logs = log_e_counts(seen[:, 0], seen[:, 1], shares, more=not self.increase_is_good)
            return float(logs.sum())
        expected = np.asarray(self.expected_events)
        rho2, good = self.rho2(alpha), self.increase_is_good
        return float(log_e_harm(self.found, expected, increase_is_good=good, rho2=rho2))

    def rho2(self, alpha: float, sided: int = 1) -> float:
        """Return the mixture's tuning: sharpest at half of the planned information."""
        return tuning(alpha, self.plan.planned_information(self.arm) / 2.0, sided=sided)

    def bounds(self, alpha: float, *, anytime: bool) -> tuple[float, float]:
        """Return the interval of the relative effect, each side at ``alpha``.

        Parameters
        ----------
        alpha
            One-sided error rate of each bound.
        anytime
            Valid at every look (confidence sequence), or at the one planned look only.
        """
        if self.why_silent is not None:
            return -math.inf, math.inf
        if self.rare:
            low, high = self._rate_bounds(alpha, anytime=anytime)
            return low - 1.0, high - 1.0
        information = float(self.found.information)
        critical = (
            float(critical_one_sided(information, self.rho2(alpha), alpha))
            if anytime
            else normal_quantile(alpha)
        )
        lower, upper = self.found.relative(critical)
        return float(lower), float(upper)

    def _rate_bounds(self, alpha: float, *, anytime: bool) -> tuple[float, float]:
        used = (self.phase_units[:, 0] > 0) & (self.phase_units[:, 1] > 0)
        seen, units = self.phase_events[used], self.phase_units[used]
        odds = units[:, 0] / units[:, 1]
        if not anytime:
            return rate_ratio_bounds(seen[:, 0], seen[:, 1], odds, alpha)

        def excess(log_rate: float, *, more: bool) -> float:
            share = odds * math.exp(log_rate) / (1.0 + odds * math.exp(log_rate))
            return float(log_e_counts(seen[:, 0], seen[:, 1], share, more=more).sum()) + math.log(alpha)

        low = _crossing(lambda rate: excess(rate, more=True), rising=False)
        high = _crossing(lambda rate: excess(rate, more=False), rising=True)
        return (0.0 if low is None else math.exp(low)), (math.inf if high is None else math.exp(high))

    def good(self, bounds: tuple[float, float]) -> tuple[float, float]:
        """Return ``bounds`` turned so that more is better."""
        low, high = bounds
        return (low, high) if self.increase_is_good else (-high, -low)

    @property
    def good_effect(self) -> float:
        """The relative effect turned so that more is better."""
        return self.effect if self.increase_is_good else -self.effect


def _crossing(function: Callable[[float], float], *, rising: bool) -> float | None:
    """Return where an e-value test starts or stops rejecting a log rate ratio; None when it never does."""
    low, high = -12.0, 12.0
    edge = high if rising else low
    if function(edge) <= 0:
        return None
    other = low if rising else high
    if function(other) > 0:
        return other
    return root(function, low, high)


def compare(
    cells: Cells, plan: MeasurementPlan, planned: PlannedMetric, arm: int, segment: int = 0
) -> Comparison:
    """Return the comparison of treatment ``arm`` (its position in the plan) with control.

    Parameters
    ----------
    cells
        One look.
    plan
        Its plan.
    planned
        The metric.
    arm
        Position of the treatment in ``plan.arms``, from 1.
    segment
        Position in ``cells.segments``; 0 is everybody.
    """
    n, mean, scatter, events = pair(cells, planned, arm, segment)
    metric = cells.metrics[planned.metric.id]
    sums = pieces(n, mean, scatter).total()
    name = plan.arms[arm]
    phases = range(len(plan.phases))
    member = np.array([stratum.phase for stratum in cells.strata])
    shares = [(phase.shares.get(name, 0.0), phase.shares.get(CONTROL, 0.0)) for phase in plan.phases]
    totals = n.sum(axis=0)
    return Comparison(
        plan,
        planned,
        name,
        sums,
        contrast(sums, ratio=metric.ratio, covariate=metric.covariate),
        (float(totals[0]), float(totals[1])),
        (float(events[:, 0].sum()), float(events[:, 1].sum())),
        np.array([events[member == p].sum(axis=0) for p in phases]),
        np.array([n[member == p].sum(axis=0) for p in phases]),
        np.array([t / (t + c) if t + c > 0 else 0.0 for t, c in shares]),
        (metric.missing + metric.broken) / metric.rows if metric.rows else 0.0,
    )


def sequence(
    comparison: Comparison, sums: Pieces, cells: Cells, alpha: float
) -> tuple[Floats, Floats, Floats]:
    """Return the relative effect and its two-sided confidence sequence, for each of the running ``sums``."""
    metric = cells.metrics[comparison.planned.metric.id]
    found = contrast(sums, ratio=metric.ratio, covariate=metric.covariate)
    critical = critical_two_sided(found.information, comparison.rho2(alpha, sided=2), alpha)
    low, high = found.relative(np.where(np.isfinite(critical), critical, 1e6))
    with np.errstate(divide="ignore", invalid="ignore"):
        effect = np.where(found.control > 0, found.treatment / found.control - 1.0, np.nan)
    return effect, low, high
