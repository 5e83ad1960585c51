"""What would be measured: sufficient statistics drawn directly, and read by the real monitor and decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from belay.cells.cells import ALL, Cells, MetricCells, Segment
from belay.cells.plan import EXPOSED, Earlier, MeasurementPlan, Phase
from belay.cells.planning import holdout_plan, plan_for
from belay.cells.reading import Reading
from belay.domain.capability import CapabilityPolicy
from belay.domain.proposal import CONTROL, Proposal
from belay.domain.scope import FULL_SCOPE
from belay.measurement.decision import Findings, decide_effects
from belay.measurement.monitor import Monitoring, monitor

Counts = NDArray[np.int64]
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What comes to the surface.

    Attributes
    ----------
    units_per_day : int
        Visitors in a day.
    rates : Mapping[str, float]
        Share of them by metric that does what the metric counts, without any optimization.
    """

    units_per_day: int
    rates: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Truth:
    """What one treatment really does: relative change by metric, as its experiment sees it."""

    changes: Mapping[str, float]


class Window:
    """One window at constant scope: every day adds its visitors, and nothing that was seen changes."""

    def __init__(
        self,
        policy: CapabilityPolicy,
        proposal: Proposal,
        traffic: Traffic,
        truths: Sequence[Truth],
        *,
        scope: int,
        phase: int,
        start: datetime,
        length: timedelta,
        level: float | None,
        luck: float,
        rng: np.random.Generator,
        earlier: Mapping[str, Earlier] | None = None,
    ) -> None:
        treated = scope / FULL_SCOPE
        shares = {CONTROL: 1 - treated} | {v.key: treated / len(truths) for v in proposal.variants}
        self._shares = np.array(list(shares.values()))
        self.plan: MeasurementPlan = plan_for(
            policy,
            proposal,
            Phase(phase, start, scope, shares),
            window=length,
            planned_units=int(traffic.units_per_day * length / DAY),
            primary_alpha=level,
            earlier=earlier,
        )
        self._traffic, self._truths, self._rng, self._luck = traffic, truths, rng, luck
        self._start = start.replace(tzinfo=None)
        self._units: list[Counts] = []
        self._events: dict[str, list[Counts]] = {metric.metric.id: [] for metric in self.plan.metrics}

    @property
    def days(self) -> int:
        """Days that were seen."""
        return len(self._units)

    def next_day(self) -> None:
        """Let a day's visitors come, and see what they do."""
        units = self._rng.multinomial(self._traffic.units_per_day, self._shares)
        self._units.append(units)
        for planned in self.plan.metrics:
            name, rate = planned.metric.id, self._traffic.rates[planned.metric.id]
            rates = np.full(len(units), rate)
            for arm, truth in enumerate(self._truths, 1):
                error = np.sqrt(rate * (1 - rate) / max(int(units[arm]), 1))
                good = 1 if planned.metric.direction == "increase" else -1
                rates[arm] = rate * (1 + truth.changes.get(name, 0.0)) + good * self._luck * error
            self._events[name].append(self._rng.binomial(units, np.clip(rates, 0.0, 1.0)))

    def look(self) -> Monitoring:
        """Return what the monitor says of everything seen so far."""
        return monitor(self._cells(), self.plan)

    def decide(self, *, extended: bool) -> Findings:
        """Return what the decision says of everything seen so far."""
        return decide_effects(self._cells(), self.plan, extended=extended)

    def _cells(self) -> Cells:
        units = np.array(self._units)
        dates = tuple((self._start + day * DAY).date() for day in range(self.days))
        until = self._start + self.days * DAY
        events = {name: np.array(seen) for name, seen in self._events.items()}
        return cells_of(until, self.plan.arms, dates, units, events)


def overall(
    policy: CapabilityPolicy,
    names: Sequence[str],
    days: Sequence[tuple[Counts, Counts]],
    *,
    since: datetime,
    holdout: float,
) -> Findings:
    """Return the overall criterion against the holdout, by the plan that a capability's OEC is read by.

    ``days`` hold units and events of the primary metric, by holdout and everybody else.
    """
    start = since.replace(tzinfo=None)
    until = start + len(days) * DAY
    plan = holdout_plan(policy, names, since=start, until=until, holdout=holdout)
    units = np.array([seen for seen, _ in days])
    events = np.array([hits for _, hits in days])
    dates = tuple((start + day * DAY).date() for day in range(len(days)))
    cells = cells_of(until, (CONTROL, EXPOSED), dates, units, {policy.primary.metric.id: events})
    return decide_effects(cells, plan, extended=True)


def cells_of(
    until: datetime,
    arms: tuple[str, ...],
    dates: tuple[date, ...],
    units: Counts,
    events: Mapping[str, Counts],
) -> Cells:
    """Return the look that holds ``units`` and ``events`` of shares, by (stratum, arm)."""
    n = units.astype(np.float64)[None]
    metrics = {}
    for name, hits in events.items():
        seen = hits.astype(np.float64)[None]
        mean = np.divide(seen, n, out=np.zeros_like(n), where=n > 0)
        metrics[name] = MetricCells(
            mean[..., None], (n * mean * (1 - mean))[..., None, None], seen, rows=int(units.sum())
        )
    reading = Reading(rows=int(units.sum()), units=int(units.sum()))
    return Cells(until, arms, dates, (Segment(ALL, ALL),), n, metrics, reading)
