"""Right and wrong calls: the same simulated rollouts, judged by Belay's rule and by its peers' rules.

    python benchmarks/error_rates.py              # 500 rollouts a world, about half a minute
    python benchmarks/error_rates.py --rollouts 4000

Each rollout is watched at 50 looks, one a day, on conversions (5 %, with a weekly rhythm); the margin is
10 %. The peers' rules are re-implemented from their documentation and sources:

- fixed test: an ordinary 95 % interval at every look, harm when it is below zero, ready when it is above
  the margin;
- raw rate (as Flagger and Unleash do): a look fails when the treatment's rate of that day is more than
  10 % below the lowest day of the month before (a threshold at the mean fails every weekend); five
  failed looks roll back; what survives the window is promoted;
- Mann-Whitney (as Kayenta does): daily rates of both arms, 98 % interval of the shift and a tolerance of
  0.25, at every fifth look from the tenth; what survives the window is promoted;
- two-sided sequence (as GrowthBook does): 95 % confidence sequence tuned to 5,000 units with Welch's
  variance, pooled over days; inconclusive at the end ships.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from belay.cells.plan import spend
from belay.measurement.compare import expected_events, log_e_harm
from belay.measurement.sequences import critical_one_sided, critical_two_sided, tuning
from belay.measurement.strata import Contrast, contrast, pieces
from belay.measurement.tails import normal_quantile

Floats = NDArray[np.float64]
Looks = NDArray[np.int64]

LOOKS, ALPHA, MARGIN, RATE, RHYTHM = 50, 0.05, 0.10, 0.05, 0.3
NEVER = LOOKS + 1


@dataclass(frozen=True)
class Rollouts:
    """Units and conversions by (rollout, look, arm), treatment first."""

    n: Floats
    events: Floats

    @property
    def rates(self) -> Floats:
        """Conversion by look and arm."""
        return self.events / self.n


@dataclass(frozen=True)
class Calls:
    """The look at which each rollout was rolled back, or called ready; ``NEVER`` when it was not."""

    rolled_back: Looks
    ready: Looks


def draw(
    rng: np.random.Generator, rollouts: int, treated: NDArray[np.int64], lift: float, units: int
) -> Rollouts:
    """Draw rollouts of ``units`` a look, ``treated`` of them exposed to an effect of ``lift``."""
    wave = 1.0 + RHYTHM * np.sin(2 * np.pi * np.arange(LOOKS) / 7) + 0.3 * np.arange(LOOKS) / LOOKS
    n = np.broadcast_to(np.stack([treated, units - treated], axis=-1), (rollouts, LOOKS, 2))
    rate = RATE * wave[:, None] * np.array([1.0 + lift, 1.0])
    return Rollouts(n.astype(np.float64), rng.binomial(n, rate).astype(np.float64))


def first(hits: NDArray[np.bool_]) -> Looks:
    """Return the first look (from 1) at which each rollout is hit, or ``NEVER``."""
    return np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, NEVER)


def stratified(streams: Rollouts) -> Contrast:
    """Return Belay's comparison at every look."""
    mean = streams.rates
    scatter = streams.n * mean * (1 - mean)
    return contrast(pieces(streams.n, mean[..., None], scatter[..., None, None]).running())


def belay(streams: Rollouts) -> Calls:
    """One-sided e-values for harm; ready by the confidence sequence early, by the fixed test at the end."""
    found = stratified(streams)
    planned = float(found.information[0, -1])
    rho2 = tuning(ALPHA, planned / 2)
    expected = expected_events(streams.events.cumsum(axis=1), streams.n.cumsum(axis=1), proportion=True)
    harm = log_e_harm(found, expected, increase_is_good=True, rho2=rho2) >= -math.log(ALPHA)
    harm &= found.treatment < (1 - MARGIN) * found.control
    otherwise = spend(ALPHA, anytime=True)
    critical = critical_one_sided(found.information, tuning(otherwise, planned / 2), otherwise)
    early, _ = found.relative(critical)
    last, _ = found.relative(normal_quantile(spend(ALPHA, anytime=False)))
    ready = (early > -MARGIN) & (expected >= 25)
    ready[:, -1] |= last[:, -1] > -MARGIN
    return Calls(first(harm), first(ready))


def pooled(streams: Rollouts) -> tuple[Floats, Floats, Floats]:
    """Return difference, standard error (Welch) and control's rate at every look, pooled over days."""
    n, events = streams.n.cumsum(axis=1), streams.events.cumsum(axis=1)
    rate = events / n
    error = np.sqrt((rate * (1 - rate) / n).sum(axis=-1))
    return rate[..., 0] - rate[..., 1], error, rate[..., 1]


def fixed_test(streams: Rollouts) -> Calls:
    """An ordinary interval at every look."""
    difference, error, control = pooled(streams)
    harm = difference + normal_quantile(ALPHA / 2) * error < 0
    ready = difference - normal_quantile(ALPHA / 2) * error > -MARGIN * control
    return Calls(first(harm), first(ready))


def raw_rate(streams: Rollouts) -> Calls:
    """Five days below a fixed threshold."""
    failed = streams.rates[..., 0] < (1 - MARGIN) * RATE * (1 - RHYTHM)
    return _promote(first(failed.cumsum(axis=1) >= 5))


def mann_whitney(streams: Rollouts) -> Calls:
    """Hodges-Lehmann shift of daily rates, 98 % interval, tolerance 0.25."""
    harm = np.zeros((len(streams.n), LOOKS), dtype=np.bool_)
    for look in range(10, LOOKS + 1, 5):
        rates = streams.rates[:, :look]
        shifts = np.sort((rates[:, :, None, 0] - rates[:, None, :, 1]).reshape(len(rates), -1), axis=1)
        spread = normal_quantile(0.01) * math.sqrt(look * look * (2 * look + 1) / 12)
        high = shifts[:, min(look * look - 1, math.ceil(look * look / 2 + spread))]
        harm[:, look - 1] = high < -0.25 * np.abs(np.median(shifts, axis=1))
    return _promote(first(harm))


def two_sided_sequence(streams: Rollouts) -> Calls:
    """A confidence sequence tuned to 5,000 units."""
    difference, error, _ = pooled(streams)
    units = streams.n.sum(axis=-1).cumsum(axis=1)
    half = critical_two_sided(units, tuning(ALPHA, 5_000.0, sided=2), ALPHA) * error
    return _promote(first(difference + half < 0))


def _promote(rolled_back: Looks) -> Calls:
    return Calls(rolled_back, np.where(rolled_back == NEVER, LOOKS, NEVER))


RULES: dict[str, Callable[[Rollouts], Calls]] = {
    "Belay": belay,
    "fixed test": fixed_test,
    "raw rate": raw_rate,
    "Mann-Whitney": mann_whitney,
    "two-sided seq.": two_sided_sequence,
}

DAY = np.arange(LOOKS)
WORLDS: dict[str, tuple[int, NDArray[np.int64]]] = {
    "even split, 2,000 units a day": (2_000, np.full(LOOKS, 1_000)),
    "canary at 5 %, 4,000 units a day": (4_000, np.full(LOOKS, 200)),
    "ramp 5 → 20 → 50 %, 4,000 units a day": (
        4_000,
        np.select([DAY < 17, DAY < 34], [200, 800], 2_000),
    ),
}


def judge(name: str, units: int, treated: NDArray[np.int64], rollouts: int, seed: int) -> None:
    """Print one world's table."""
    rng = np.random.default_rng(seed)
    exposed = treated.cumsum()
    harmless, mild, harmful = (draw(rng, rollouts, treated, lift, units) for lift in (0.0, -MARGIN, -0.25))
    print(f"\n{name}")
    print(
        f"  {'rule':15} {'no effect:':>12} {'':>12} {'':>12} {'−10 %:':>12} {'−25 %:':>12}\n"
        f"  {'':15} {'rolled back':>12} {'ready':>12} {'at day':>12} {'ready':>12} {'missed':>12}"
        f" {'stopped day':>12} {'harmed, × Belay':>16}"
    )
    reference = None
    for rule, apply in RULES.items():
        calm, edge, storm = apply(harmless), apply(mild), apply(harmful)
        false = (calm.rolled_back < calm.ready).mean()
        right = calm.ready < calm.rolled_back
        at = calm.ready[right].mean() if right.any() else math.nan
        wrong = ((edge.ready < edge.rolled_back) & (edge.ready < NEVER)).mean()
        missed = (storm.rolled_back >= np.minimum(storm.ready, NEVER)).mean()
        stop = np.minimum(storm.rolled_back, LOOKS)
        harmed = float(exposed[stop - 1].mean())
        reference = harmed if reference is None else reference
        print(
            f"  {rule:15} {100 * false:10.1f} % {100 * right.mean():10.1f} % {at:12.1f} {100 * wrong:10.1f} %"
            f" {100 * missed:10.1f} % {stop.mean():12.1f} {harmed / reference:16.2f}"
        )


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rollouts", type=int, default=500, help="simulated rollouts a world (default 500)")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    started = time.perf_counter()
    print(
        f"{asked.rollouts} rollouts a cell, {LOOKS} daily looks, conversion {100 * RATE:g} %, "
        f"margin {100 * MARGIN:g} %.\n"
        "rolled back: a harmless change taken down. ready: called ready to widen; right when there\n"
        "is no effect, wrong at −10 %, the margin. missed: a harmful change called ready or never\n"
        "stopped. harmed: units exposed to the −25 % change before it was stopped (at the window's\n"
        "end when it never was)."
    )
    for i, (name, (units, treated)) in enumerate(WORLDS.items()):
        judge(name, units, treated, asked.rollouts, asked.seed + i)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
