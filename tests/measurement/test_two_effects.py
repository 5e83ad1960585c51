"""Guards the two effects: so far (on those exposed) and expected (days are draws), at their error rates."""

from __future__ import annotations

import importlib.util
import math
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy import stats
from tests.measurement.conftest import CONVERSION, draw_cells

from belay.cells.baseline import Baseline
from belay.cells.documents import to_plain
from belay.cells.plan import Earlier, MeasurementPlan
from belay.domain.metrics import PrimaryRule
from belay.measurement.compare import compare
from belay.measurement.decision import decide_effects
from belay.measurement.dispersion import MOST_REVIEWS, Dispersion, earlier_of, read_earlier
from belay.measurement.findings import Finding
from belay.measurement.monitor import monitor
from belay.measurement.sizing import Sizing, days_until, units_and_days, units_needed

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    """Return the script that prints the table of docs/measurement.md."""
    spec = importlib.util.spec_from_file_location(
        "dispersion_benchmark", REPOSITORY / "benchmarks" / "dispersion.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def swapped(benchmark: ModuleType, days: int, dispersion: float, seed: int = 1, effect: float = 0.0) -> Any:
    plan = benchmark.plan_of(days, PrimaryRule.SUPERIOR)
    windows = benchmark.draw(np.random.default_rng(seed), plan, 60, days, dispersion, effect)
    return plan, windows


def test_the_dispersion_is_cochrans(benchmark: ModuleType) -> None:
    plan, windows = swapped(benchmark, 7, 4.0)
    cells = benchmark.cells_of(windows, 0, 13)
    found = compare(cells, plan, plan.metrics[0], 1)
    mean = cells.metrics["value"].mean[0, :, :, 0]
    off = mean[:, 1] - found.treatment / found.control * mean[:, 0]
    variance = 7 * float(
        found.found.variance_t + (found.treatment / found.control) ** 2 * found.found.variance_c
    )
    q = float(((off - off.mean()) ** 2).sum() / variance)
    assert found.dispersion.days == 7
    assert found.dispersion.effective == pytest.approx(7.0)
    assert found.dispersion.q == pytest.approx(q)
    assert found.dispersion.p == pytest.approx(stats.chi2.sf(q, 6))
    assert found.dispersion.ratio == pytest.approx(q / 6)


def test_days_that_differ_widen_what_is_expected_and_not_what_is_so_far(benchmark: ModuleType) -> None:
    plan, windows = swapped(benchmark, 7, 8.0)
    wider = 0
    for run in range(20):
        effect = decide_effects(benchmark.cells_of(windows, run, 13), plan).effects[0]
        assert effect.so_far is not None
        assert effect.expected is not None
        assert effect.dispersion is not None
        if effect.finding is Finding.HARMFUL:
            assert ", so far, on 7 days)" in effect.sentence
            continue
        assert (effect.low, effect.high) == (effect.expected.low, effect.expected.high)
        assert effect.expected.low <= effect.so_far.low
        assert effect.expected.high >= effect.so_far.high
        if effect.dispersion.noticed:
            wider += 1
            assert (
                f"expected; daily effects scatter {effect.dispersion.ratio:.1f} times chance"
                in effect.sentence
            )
    assert wider >= 10


def test_harm_on_one_day_narrows_at_once_and_says_that_it_counts_as_caution(benchmark: ModuleType) -> None:
    plan, windows = swapped(benchmark, 7, 1.0, effect=-0.6)
    watched = monitor(benchmark.cells_of(windows, 0, 0), plan)
    assert watched.finding is Finding.HARMFUL
    assert watched.caution is (not watched.effects[0].lasting)
    plan, windows = swapped(benchmark, 7, 1.0, effect=-0.5)
    found = [monitor(benchmark.cells_of(windows, run, 0), plan) for run in range(60)]
    unsure = next(each for each in found if each.caution)
    assert "so far, on 1 day)" in unsure.sentence
    assert "not shown to last (1 exposure day: too few to see whether days differ)" in unsure.sentence
    assert unsure.to_document()["caution"] is True


def test_harm_on_many_days_that_agree_is_charged(benchmark: ModuleType) -> None:
    plan, windows = swapped(benchmark, 14, 1.0, effect=-0.2)
    found = [monitor(benchmark.cells_of(windows, run, 20), plan) for run in range(20)]
    assert sum(each.finding is Finding.HARMFUL and not each.caution for each in found) >= 18


def test_the_error_rates_of_the_table_hold_in_a_smaller_one(benchmark: ModuleType) -> None:
    """The whole table is the benchmark's; here one cell, at a level that 300 windows can tell from 20 %."""
    found = benchmark.cell(3, 300, 7, 4.0)
    assert found.better <= 0.10
    assert found.within <= 0.10
    assert found.harm <= 0.06
    assert found.caution > 0.10, "harm so far narrows as it did"


@pytest.mark.long
@pytest.mark.parametrize("days", [3, 7, 14])
def test_days_as_draws_keep_their_error_rates(benchmark: ModuleType, days: int) -> None:
    """The figures that the design asks for, 2,000 windows a cell: an error of 0.6 points is chance."""
    most, lost = {3: (0.10, 1.0), 7: (0.07, 0.05), 14: (0.07, 0.03)}[days]
    for dispersion in (1.0, 2.0, 4.0, 8.0):
        found = benchmark.cell(1, 2_000, days, dispersion)
        assert found.better <= most, str(found)
        assert found.within <= most, str(found)
        assert found.harm <= 0.06, str(found)
        if dispersion == 1.0:
            assert found.power_so_far - found.power <= lost, str(found)


def test_the_looks_that_are_not_handed_to_the_product_show_nothing(benchmark: ModuleType) -> None:
    for rule in PrimaryRule:
        plan = benchmark.plan_of(7, rule)
        windows = benchmark.draw(np.random.default_rng(5), plan, 25, 7, 4.0, -0.05)
        some, every = benchmark.judge(windows), benchmark.judge(windows, every=True)
        for name in ("shown", "harm", "caution"):
            np.testing.assert_array_equal(getattr(some, name), getattr(every, name))


def spread(days: int, ratio: float, **changes: Any) -> Dispersion:
    q = ratio * (days - 1)
    known = {"days": days, "effective": float(days), "q": q, "p": float(stats.chi2.sf(q, days - 1))}
    return Dispersion(**known, ratio=ratio, unit=100.0, **changes)


def test_the_planned_decision_believes_what_it_sees_and_a_look_assumes_some() -> None:
    assert spread(7, 1.2).factor(0.05, anytime=False) == 1.0
    seen = math.sqrt(4) * stats.t.isf(0.05, 6) / stats.norm.isf(0.05)
    assert spread(7, 4.0).factor(0.05, anytime=False) == pytest.approx(seen)
    alone = Dispersion(1, 1.0, math.nan, math.nan, math.nan)
    assert alone.factor(0.05, anytime=True) == pytest.approx(math.sqrt(8))
    assert 1.0 < spread(14, 0.5).factor(0.05, anytime=True) < spread(4, 0.5).factor(0.05, anytime=True)


def test_what_earlier_changes_showed_takes_the_place_of_an_assumption() -> None:
    calm, wild = Earlier(0.0, 12.0, 3), Earlier(0.03, 12.0, 3)
    one = Dispersion(1, 1.0, math.nan, math.nan, math.nan, unit=100.0)
    assert replace(one, earlier=calm).factor(0.05, anytime=True) < 1.1
    assert replace(one, earlier=wild).factor(0.05, anytime=True) == pytest.approx(
        2.0 * stats.t.isf(0.05, 12) / stats.norm.isf(0.05)
    )
    assert replace(one, earlier=wild).factor(0.05, anytime=False) > 2.0, (
        "few days do not look alike by chance"
    )
    # The days at hand contradict a calm past: they are believed.
    own = spread(7, 8.0).factor(0.05, anytime=False)
    assert spread(7, 8.0, earlier=calm).factor(0.05, anytime=False) == pytest.approx(own)
    assert (
        "planned with what 3 earlier optimizations of this surface showed"
        in replace(one, earlier=calm).sentence
    )


def test_earlier_reviews_give_the_variance_between_days(benchmark: ModuleType) -> None:
    plan, windows = swapped(benchmark, 14, 4.0)
    documents = [
        {"metrics": to_plain(decide_effects(benchmark.cells_of(windows, run, 27), plan).effects)}
        for run in range(MOST_REVIEWS)
    ]
    found = earlier_of([*documents, {"metrics": [{"metric": "value"}]}, {}])["value"]
    daily = (benchmark.EFFECT / 2.59) * math.sqrt(14)  # standard error of one day's effect
    assert found.optimizations == MOST_REVIEWS
    assert found.draws == 12.0
    assert found.between == pytest.approx(3 * daily**2, rel=0.25)
    assert read_earlier({"value": to_plain(found)}) == {"value": found}
    assert read_earlier(None) == {}


def test_changes_taken_down_on_their_first_day_do_not_hide_what_days_are_like(benchmark: ModuleType) -> None:
    """Else every further one stays caution, and an agent that only harms is never charged."""
    plan, windows = swapped(benchmark, 14, 4.0)
    told = {"metrics": to_plain(decide_effects(benchmark.cells_of(windows, 0, 27), plan).effects)}
    first_day = {"metrics": [{"metric": "value", "dispersion": {"days": 1, "q": None, "reach": 0.0}}]}
    assert earlier_of([first_day] * 100 + [told]) == earlier_of([told])
    assert earlier_of([told] * (MOST_REVIEWS + 5)) == earlier_of([told] * MOST_REVIEWS), "the newest count"


def test_power_needs_days_as_well_as_units() -> None:
    arrivals = np.full(14, 1_000.0)
    test = Sizing(CONVERSION, 0.1, 1.0, 0.04, 0.8, primary=True)
    units = units_needed(test, Baseline(1, 0.3, 0.21), 0.5, 0.5)
    alike = units_and_days(test, units, arrivals, 0.0)
    assert alike == (units, days_until(units, arrivals))
    more, days = units_and_days(test, units, arrivals, 0.004)
    assert more > units
    # At that length, chance and the scatter of days together leave the power that was asked for.
    quantiles = stats.norm.isf(0.04) + stats.norm.isf(0.2)
    variance = 0.01 / quantiles**2 * units / more + 0.004 / math.ceil(days)
    assert quantiles * math.sqrt(variance) <= 0.1 + 1e-9
    assert units_and_days(test, units, arrivals, 5.0) == (math.inf, math.inf)


def test_each_segment_has_its_dispersion(make_plan: Any) -> None:
    plan: MeasurementPlan = make_plan(segments=("device",))
    found = decide_effects(draw_cells(plan, {"conversion": 0.2}, units=4000), plan)
    assert all(
        effect.dispersion and effect.dispersion.days == 6 for effect in (*found.effects, *found.segments)
    )
