"""One treatment against control on one metric in one segment: the figures that every judgement rests on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from belay.cells.cells import Cells
from belay.cells.plan import MeasurementPlan, PlannedMetric
from belay.cells.presence import MOST_UNUSABLE
from belay.domain.metrics import Direction, MetricKind
from belay.domain.proposal import CONTROL
from belay.measurement.counts import log_e_counts, rate_ratio_bounds
from belay.measurement.dispersion import Dispersion, dispersion_of
from belay.measurement.sequences import critical_one_sided, critical_two_sided, log_e, tuning
from belay.measurement.strata import Contrast, Pieces, contrast, defined, linear, pieces, quotient
from belay.measurement.tails import normal_quantile, root

Floats = NDArray[np.float64]

MIN_EVENTS = 25.0
"""Events expected in the smaller arm before a normal approximation speaks; exact tests need none."""
MAX_UNUSABLE = MOST_UNUSABLE
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
    speaks = (expected >= MIN_EVENTS) & np.isfinite(harm)
    evidence = log_e(np.where(speaks, harm, 0.0), np.where(speaks, found.information, 0.0), rho2)
    return np.where(speaks, evidence, 0.0)


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
    share: float
    unusable: float
    parts: Pieces
    counted: tuple[Floats, Floats]
    spoilt: str | None = None

    @cached_property
    def dispersion(self) -> Dispersion:
        """How much the effects of exposure days scatter."""
        metric = self.planned.metric
        ratio, covariate = metric.kind is MetricKind.RATIO, metric.covariate is not None
        line = linear(self.sums, ratio=ratio, covariate=covariate)
        return dispersion_of(self.parts, line, self.found, self.plan.earlier.get(metric.id))

    @property
    def raw(self) -> tuple[float, float]:
        """The values of treatment and control over all units, without regard to days; NaN where undefined."""
        n, mean = self.counted
        summed = (n[..., None] * mean).sum(axis=0)
        below = n.sum(axis=0)
        if self.planned.metric.kind is MetricKind.RATIO:
            below = np.where(defined(summed[:, 1]), summed[:, 1], np.nan)
        treatment, control = quotient(summed[:, 0], below)
        return float(treatment), float(control)

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
        """Why nothing can be said of the relative effect yet, or None."""
        if (why := self.why_no_evidence) is not None:
            return why
        if not self.rare and not self.control > 0:
            return "control's value is not positive, so a relative effect has no meaning"
        return None

    @property
    def why_no_evidence(self) -> str | None:
        """Why the arms cannot be compared at all yet, or None."""
        if self.units[0] <= 0 or self.units[1] <= 0:
            empty = self.arm if self.units[0] <= 0 else CONTROL
            return f"no unit of {empty} was measured"
        if self.spoilt:
            return self.spoilt
        if self.found.information <= 0:
            return "no exposure day has units of both arms"
        if sum(self.events) == 0:
            spoilt = f"{100 * self.unusable:.0f} % of its values are missing or no finite numbers"
            return spoilt if self.unusable > MAX_UNUSABLE else "every value is zero in both arms"
        if self.rare:
            return None
        if undefined := self._without_denominator():
            return undefined
        if self.expected_events < MIN_EVENTS:
            return (
                f"too few events: {sum(self.events):,.0f} in both arms, "
                f"{self.expected_events:,.1f} expected in the smaller one, {MIN_EVENTS:.0f} needed"
            )
        if not (math.isfinite(float(self.found.null_variance)) and float(self.found.null_variance) > 0):
            return "the values do not vary, or are too large to add up"
        return None

    def _without_denominator(self) -> str | None:
        """Return which arm's ratio is undefined, and for want of what; None where both are defined."""
        metric = self.planned.metric
        if metric.kind is not MetricKind.RATIO:
            return None
        denominators = self.sums.means[:, 1] / self.sums.weight
        empty = [
            name
            for name, ok in zip((self.arm, CONTROL), defined(denominators), strict=True)
            if not ok and np.isfinite(denominators).all()
        ]
        if not empty:
            return None
        return f"no {metric.denominator} in {' and '.join(empty)}: the ratio is undefined"

    def log_e_harm(self, alpha: float) -> float:
        """Return the log e-value of harm, valid at every look; 0 (no evidence) while nothing can be said.

        Parameters
        ----------
        alpha
            Level of this one test; it only tunes where the monitor is sharpest.
        """
        if self.spoilt or (self.why_no_evidence is not None and not (self.rare and sum(self.events) > 0)):
            return 0.0
        if self.rare:
            if not 0 < self.share < 1:
                return 0.0
            return float(log_e_counts(*self.events, self.share, more=not self.increase_is_good))
        expected = np.asarray(self.expected_events)
        rho2, good = self.rho2(alpha), self.increase_is_good
        return float(log_e_harm(self.found, expected, increase_is_good=good, rho2=rho2))

    def rho2(self, alpha: float, sided: int = 1) -> float:
        """Return the mixture's tuning: sharpest at half of the planned information."""
        return tuning(alpha, self.plan.planned_information(self.arm) / 2.0, sided=sided)

    def bounds(
        self, alpha: float, *, anytime: bool, tuned: float | None = None, planned_split: bool = False
    ) -> tuple[float, float]:
        """Return the interval of the relative effect so far: on those exposed so far, each side at ``alpha``.

        Parameters
        ----------
        alpha
            One-sided error rate of each bound.
        anytime
            Valid at every look (confidence sequence), or at the one planned look only.
        tuned
            Level that the sequence's mixture is tuned for; ``alpha`` when None.
        planned_split
            Compare rare counts with the split asked for, as the monitor does, instead of the one seen.
        """
        if self.why_silent is not None:
            return -math.inf, math.inf
        if self.rare:
            low, high = self._rate_bounds(alpha, anytime=anytime, planned=planned_split)
            return low - 1.0, high - 1.0
        lower, upper = self.found.relative(self._critical(alpha, anytime=anytime, tuned=tuned))
        return float(lower), float(upper)

    def expected_bounds(self, alpha: float, *, anytime: bool, cautious: bool = False) -> tuple[float, float]:
        """Return the interval of the relative effect to be expected: the days seen are draws.

        Parameters
        ----------
        alpha, anytime
            As for ``bounds``.
        cautious
            Assume as much dispersion at the planned look as at any other.
        """
        if self.why_silent is not None:
            return -math.inf, math.inf
        factor = self.dispersion.factor(alpha, anytime=anytime or cautious)
        if not self.rare:
            critical = factor * self._critical(alpha, anytime=anytime)
            lower, upper = self.found.relative(critical)
            return float(lower), float(upper)
        low, high = self.bounds(alpha, anytime=anytime)
        return _stretched(low, self.effect, factor), _stretched(high, self.effect, factor)

    def _critical(self, alpha: float, *, anytime: bool, tuned: float | None = None) -> float:
        if not anytime:
            return normal_quantile(alpha)
        rho2 = self.rho2(alpha if tuned is None else tuned)
        return float(critical_one_sided(float(self.found.information), rho2, alpha))

    def harm_bounds(self, alpha: float, *, anytime: bool, tuned: float) -> tuple[float, float]:
        """Return the interval so far that a verdict of harm at level ``alpha`` used.

        The evidence of harm takes the variance that both arms have together, the interval that of each;
        where the two differ at the edge, the bound beside "no effect" is the evidence's own.
        """
        low, high = self.bounds(alpha, anytime=anytime, tuned=tuned, planned_split=anytime)
        if self.good((low, high))[1] < 0:
            return low, high
        if not self.control > 0:
            return math.inf, math.inf  # more than nothing, where less is better
        if self.rare:
            return (low, min(high, 0.0)) if self.increase_is_good else (max(low, 0.0), high)
        reach = self._critical(alpha, anytime=anytime, tuned=tuned)
        error = reach * math.sqrt(float(self.found.null_variance))
        difference = float(self.found.difference)
        if self.increase_is_good:
            return low, (difference + error) / self.control
        return (difference - error) / self.control, high

    def _rate_bounds(self, alpha: float, *, anytime: bool, planned: bool) -> tuple[float, float]:
        known = 0 < self.share < 1 if planned else min(self.units) > 0
        if not known:
            return 0.0, math.inf
        odds = self.share / (1.0 - self.share) if planned else self.units[0] / self.units[1]
        if not anytime:
            return rate_ratio_bounds(*self.events, odds, alpha)

        def excess(log_rate: float, *, more: bool) -> float:
            share = odds * math.exp(log_rate) / (1.0 + odds * math.exp(log_rate))
            return float(log_e_counts(*self.events, share, more=more)) + math.log(alpha)

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


def _stretched(bound: float, effect: float, factor: float) -> float:
    """Return a bound of a rate ratio less 1, ``factor`` times as far from the effect in logarithms."""
    if factor == 1.0 or not math.isfinite(bound) or not math.isfinite(effect) or bound <= -1 or effect <= -1:
        return bound
    middle = math.log1p(effect)
    return math.expm1(middle + factor * (math.log1p(bound) - middle))


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
    strata = pieces(n, mean, scatter)
    sums = strata.total()
    name = plan.arms[arm]
    shares = plan.phase.shares if plan.phase else {}
    treated, control = shares.get(name, 0.0), shares.get(CONTROL, 0.0)
    totals = n.sum(axis=0)
    return Comparison(
        plan,
        planned,
        name,
        sums,
        contrast(sums, ratio=metric.ratio, covariate=metric.covariate),
        (float(totals[0]), float(totals[1])),
        (float(events[:, 0].sum()), float(events[:, 1].sum())),
        treated / (treated + control) if treated + control > 0 else 0.0,
        metric.unusable_in(arm),
        strata,
        (n, mean),
        metric.spoilt_in(arm),
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
