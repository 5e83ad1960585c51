"""Days as draws: how often the product is wrong when daily effects scatter and no lasting effect is left.

    python benchmarks/dispersion.py                # 2,000 runs a cell, about a minute
    python benchmarks/dispersion.py --runs 10000

Each run is a window of so many days, looked at twice a day by ``monitor`` and, when it ends, by
``decide_effects``: the functions that the window, the guard and the review call. Daily effects are drawn
around the true one so that the variance of the effect is the dispersion times that of chance. A look that
shows nothing even of the effect so far cannot show anything of the expected one, whose interval is never
narrower; only the other looks are handed to the product, and ``--every`` hands it all of them.

- better: the primary, whose true effect is 0, is shown better;
- within: a metric whose true effect is its margin is shown to stay within it;
- harm: the primary, whose true effect is 0, is taken down and the record charged with harm;
- caution: the same is taken down, and the record is not charged;
- power: the primary has an effect that the test at the planned end finds in 80 % of windows without
  dispersion; "so far" is the power of the same rule with days taken as they are.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from belay.cells.cells import ALL, Cells, MetricCells, Segment
from belay.cells.plan import MeasurementPlan, Phase, PlannedMetric, Role, spend
from belay.cells.reading import Reading
from belay.domain.metrics import Direction, Metric, MetricKind, PrimaryRule
from belay.measurement.compare import MIN_EVENTS
from belay.measurement.decision import decide_effects
from belay.measurement.effects import Conclusion
from belay.measurement.findings import Finding
from belay.measurement.monitor import monitor
from belay.measurement.sequences import critical_one_sided, log_e, tuning
from belay.measurement.strata import contrast, pieces
from belay.measurement.tails import normal_quantile

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

ALPHA, POWER, EFFECT, UNITS, A_DAY = 0.05, 0.8, 0.10, 1_000, 2
"""One-sided level, power, the effect (and margin) it is for, units a look and arm, and looks a day."""
START = datetime(2026, 3, 2)  # noqa: DTZ001 - naive UTC, as stored
DAYS, DISPERSIONS = (3, 7, 14), (1.0, 2.0, 4.0, 8.0)
assert UNITS > MIN_EVENTS


@dataclass(frozen=True)
class Windows:
    """Drawn windows: means and scatter by (run, day, look of the day, arm), treatment first."""

    plan: MeasurementPlan
    mean: Floats
    scatter: Floats


@dataclass(frozen=True)
class Calls:
    """What the product said of each window, and what it would have said of the effect so far."""

    shown: Bools
    harm: Bools
    caution: Bools
    so_far: Bools


def plan_of(days: int, rule: PrimaryRule) -> MeasurementPlan:
    """Return the plan of a window with one metric, the strictest case: the whole level is one test's."""
    metric = Metric("value", "Value", MetricKind.MEAN, "EUR", Direction.INCREASE, "outcomes", "value")
    margin = 0.0 if rule is PrimaryRule.SUPERIOR else EFFECT
    return MeasurementPlan(
        capability="any",
        optimization="any",
        surface="any",
        arms=("control", "b"),
        phase=Phase(0, START, 5_000, {"control": 0.5, "b": 0.5}),
        metrics=(PlannedMetric(metric, Role.PRIMARY, margin, rule),),
        segments=(),
        filters={},
        alpha=ALPHA,
        power=POWER,
        primary_alpha=ALPHA,
        minimum_units=1,
        minimum_end=START,
        planned_end=START + timedelta(days=days),
        looks=A_DAY * days,
        planned_units=2 * UNITS * A_DAY * days,
        policy="0" * 64,
    )


def draw(
    rng: np.random.Generator, plan: MeasurementPlan, runs: int, days: int, dispersion: float, effect: float
) -> Windows:
    """Draw windows whose daily effects scatter around ``effect`` (relative; control's mean is 1)."""
    distance = normal_quantile(spend(ALPHA, anytime=False)) + normal_quantile(1 - POWER)
    total = UNITS * A_DAY * days
    deviation = EFFECT / distance * math.sqrt(total / 2)
    between = math.sqrt((dispersion - 1) * 2 * deviation**2 / (UNITS * A_DAY))
    daily = effect + between * rng.standard_normal((runs, days, 1))
    mean = 1 + deviation / math.sqrt(UNITS) * rng.standard_normal((runs, days, A_DAY, 2))
    mean[..., 0] += daily
    scatter = deviation**2 * rng.chisquare(UNITS - 1, mean.shape)
    return Windows(plan, mean, scatter)


def cells_of(windows: Windows, run: int, look: int) -> Cells:
    """Return the cells of one run up to and with a look."""
    day, part = divmod(look, A_DAY)
    mean, scatter = windows.mean[run, : day + 1], windows.scatter[run, : day + 1]
    used = np.ones(mean.shape[:2])
    used[day, part + 1 :] = 0
    count = used.sum(axis=1)[:, None]
    level = (used[..., None] * mean).sum(axis=1) / count
    within = used[..., None] * (scatter + UNITS * (mean - level[:, None]) ** 2)
    n = np.repeat(UNITS * count, 2, axis=1)[:, ::-1]
    # Control first, as the plan has the arms.
    metric = MetricCells(
        level[None, :, ::-1, None], within.sum(axis=1)[None, :, ::-1, None, None], n[None], rows=1
    )
    dates = tuple((START + timedelta(days=d)).date() for d in range(day + 1))
    until = START + timedelta(days=(look + 1) / A_DAY)
    return Cells(until, windows.plan.arms, dates, (Segment(ALL, ALL),), n[None], {"value": metric}, Reading())


def suspects(windows: Windows) -> tuple[Bools, Bools]:
    """Return the looks that show anything of the effect so far, and the windows that would ship on it."""
    runs, days = windows.mean.shape[:2]
    flat = windows.mean.reshape(runs, days * A_DAY, 2, 1)
    scatter = windows.scatter.reshape(runs, days * A_DAY, 2, 1, 1)
    found = contrast(pieces(np.full(flat.shape[:-1], float(UNITS)), flat, scatter).running())
    planned = windows.plan.metrics[0]
    half = windows.plan.planned_information("b") / 2
    level = spend(ALPHA, anytime=True)
    critical = critical_one_sided(found.information, tuning(level, half), level)
    early = found.relative(critical)[0] > -planned.margin
    last = found.relative(normal_quantile(spend(ALPHA, anytime=False)))[0] > -planned.margin
    harm = log_e(-found.z_null, found.information, tuning(ALPHA, half)) >= -math.log(ALPHA)
    so_far = early.any(axis=1) | last[:, -1]
    # A little room: a day in two looks is one stratum for the product, and two here.
    room = found.relative(0.97 * critical)[0] > -planned.margin
    looked = room | (log_e(-found.z_null, found.information, tuning(ALPHA, half)) >= -0.9 * math.log(ALPHA))
    looked[:, -1] |= last[:, -1] | (np.abs(found.z_null[:, -1]) > 1.5) | harm[:, -1]
    looked[:, -1] |= found.z_margin(1 - planned.margin)[:, -1] > 1.5
    return looked, so_far


def judge(windows: Windows, *, every: bool = False) -> Calls:
    """Hand every look that may matter to the product, as the window and the review do."""
    looked, so_far = suspects(windows)
    if every:
        looked = np.ones_like(looked)
    runs, looks = looked.shape
    shown, harm, caution = (np.zeros(runs, dtype=np.bool_) for _ in range(3))
    for run in range(runs):
        for look in _looks(looked[run]):
            cells, end = cells_of(windows, run, look), look == looks - 1
            watched = monitor(cells, windows.plan)
            if watched.harms:
                harm[run], caution[run] = not watched.caution, watched.caution
                break
            if not (end or watched.decided):
                continue
            found = decide_effects(cells, windows.plan)
            if found.finding is Finding.HARMFUL:
                harm[run], caution[run] = not found.caution, found.caution
            shown[run] = found.effects[0].conclusion in {Conclusion.SUPERIOR, Conclusion.NON_INFERIOR}
            break
    return Calls(shown, harm, caution, so_far)


def _looks(looked: Bools) -> Iterator[int]:
    return iter(np.flatnonzero(looked).tolist())


@dataclass(frozen=True)
class Cell:
    """Shares of one cell of the table; power at dispersion 1, NaN elsewhere."""

    days: int
    dispersion: float
    better: float
    within: float
    harm: float
    caution: float
    power: float
    power_so_far: float

    def __str__(self) -> str:
        """Return the row of the table."""
        shares = (self.better, self.within, self.harm, self.caution, self.power, self.power_so_far)
        row = "".join(f"{'':>10}" if math.isnan(share) else f"{100 * share:8.1f} %" for share in shares)
        return f"  {self.days:4} {self.dispersion:10.0f} {row}"


def cell(seed: int, runs: int, days: int, dispersion: float, *, every: bool = False) -> Cell:
    """Return one cell of the table."""
    rng = np.random.default_rng([seed, days, int(dispersion)])
    superior, margin = plan_of(days, PrimaryRule.SUPERIOR), plan_of(days, PrimaryRule.NON_INFERIOR)
    null = judge(draw(rng, superior, runs, days, dispersion, 0.0), every=every)
    edge = judge(draw(rng, margin, runs, days, dispersion, -EFFECT), every=every)
    power = so_far = math.nan
    if dispersion == 1.0:
        good = judge(draw(rng, superior, runs, days, dispersion, EFFECT), every=every)
        power, so_far = good.shown.mean(), good.so_far.mean()
    return Cell(
        days,
        dispersion,
        float(null.shown.mean()),
        float(edge.shown.mean()),
        float(null.harm.mean()),
        float(null.caution.mean()),
        float(power),
        float(so_far),
    )


def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=2_000, help="runs a cell")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", action="store_true", help="hand every look to the product")
    asked = parser.parse_args()
    began, spent = time.perf_counter(), time.process_time()
    print(f"{asked.runs:,} windows a cell, {A_DAY} looks a day, one-sided level {100 * ALPHA:g} %.")
    print("  days dispersion     better    within      harm   caution     power    so far")
    for days in DAYS:
        for dispersion in DISPERSIONS:
            print(cell(asked.seed, asked.runs, days, dispersion, every=asked.every), flush=True)
    print(f"{time.perf_counter() - began:.0f} s, CPU {time.process_time() - spent:.0f} s")


if __name__ == "__main__":
    main()
