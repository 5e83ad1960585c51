"""What is missing is not zero: counted by arm and phase, for values, covariates, and outcomes too early."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine
from tests.measurement.conftest import CONVERSION, NOW, REVENUE, START, TICKETS, Tables

from belay.cells.cells import Cells
from belay.cells.plan import MeasurementPlan, Phase, PlannedMetric, Role, Sight
from belay.cells.presence import Lack, why_unadjusted
from belay.domain.metrics import Grain, Metric, PrimaryRule
from belay.measurement.decision import decide_effects
from belay.measurement.effects import Effect
from belay.measurement.findings import Finding
from belay.warehouse.baseline import read_baselines
from belay.warehouse.fleet import read_fleet
from belay.warehouse.look import read_cells


def measured(
    engine: Engine, plan: MeasurementPlan, until: Any = NOW
) -> tuple[tuple[Cells, Effect], tuple[Cells, Effect]]:
    """Return the cells and the primary effect of the window, and of the guard."""
    window, guard = read_cells(engine, plan, until), read_fleet(engine, [Sight(plan, until)]).cells[0]
    return tuple((cells, decide_effects(cells, plan).effects[0]) for cells in (window, guard))  # type: ignore[return-value]


def one(metric: Metric, margin: float = 0.25) -> tuple[PlannedMetric, ...]:
    return (PlannedMetric(metric, Role.PRIMARY, margin, PrimaryRule.NON_INFERIOR, 0.1),)


def shop(units: int = 4000, share: float = 0.5, seed: int = 1) -> tuple[Tables, np.ndarray[Any, Any]]:
    """One exposure and one outcome a unit, at the same moment; who is treated."""
    rng = np.random.default_rng(seed)
    ids, treated = np.array([f"u{i}" for i in range(units)]), rng.random(units) < share
    at = pd.to_datetime(START) + pd.to_timedelta(rng.uniform(0, 4 * 86_400, units).round(3), unit="s")
    before = rng.gamma(2.0, 20.0, units)
    base = {"unit_id": ids, "surface": "checkout", "event_time": at, "ingested_at": at + pd.Timedelta("9s")}
    exposures = pd.DataFrame(
        base
        | {"event_id": ids, "optimization": "calm-button", "variant": np.where(treated, "b", "control")}
        | {"is_bot": False, "device": "phone", "country": "NL"}
    )
    outcomes = pd.DataFrame(
        base
        | {"event_id": ids, "revenue": before + rng.gamma(2.0, 5.0, units)}
        | {"converted": (rng.random(units) < 0.1).astype(float)}
        | {"support_tickets": rng.binomial(1, 0.03, units).astype(float)}
    )
    units_table = pd.DataFrame({"unit_id": ids, "pre_revenue": before})
    return {"exposures": exposures, "outcomes": outcomes, "units": units_table}, treated


def test_a_value_missing_in_one_small_arm_is_unknown_to_window_and_guard(
    load: Callable[..., Engine], make_plan: Callable[..., MeasurementPlan]
) -> None:
    tables, treated = shop(units=30_000, share=0.0095)
    tables["outcomes"].loc[treated, "support_tickets"] = None  # less than 1 % of all rows
    phase = Phase(0, START, 95, {"control": 0.9905, "b": 0.0095})
    plan = make_plan(metrics=one(TICKETS), phase=phase, segments=())
    for cells, effect in measured(load(tables), plan):
        assert effect.finding is Finding.UNKNOWN
        assert "100 % of its values are missing or no finite numbers in b" in effect.sentence
        assert "in b" in (cells.hidden or "")


@pytest.mark.parametrize("value", [None, np.nan, np.inf])
def test_values_missing_everywhere_hide_a_metric(
    load: Callable[..., Engine], make_plan: Callable[..., MeasurementPlan], value: float | None
) -> None:
    tables, _ = shop(units=400)
    tables["outcomes"]["converted"] = pd.Series([value] * 400, dtype=float)
    for cells, effect in measured(load(tables), make_plan(metrics=one(CONVERSION), segments=())):
        assert effect.finding is Finding.UNKNOWN
        assert (cells.hidden or "").startswith("conversion: 100 % of its values")


def test_as_few_missing_in_each_arm_leave_the_figures(
    load: Callable[..., Engine], make_plan: Callable[..., MeasurementPlan]
) -> None:
    tables, _ = shop()
    tables["outcomes"].loc[::150, "converted"] = None
    for cells, effect in measured(load(tables), make_plan(metrics=one(CONVERSION), segments=())):
        assert cells.hidden is None
        assert effect.silent is None
        assert 0.0 < cells.metrics["conversion"].unusable_in(1) < 0.015


@pytest.mark.parametrize("how", ["absent", "null"])
def test_a_covariate_missing_in_one_arm_is_not_used_and_makes_no_effect(
    load: Callable[..., Engine], make_plan: Callable[..., MeasurementPlan], how: str
) -> None:
    tables, treated = shop(units=6000)
    lost = treated & (np.arange(6000) % 10 == 0)
    if how == "absent":
        tables["units"] = tables["units"][~lost]
    else:
        tables["units"].loc[lost, "pre_revenue"] = None
    plan = make_plan(metrics=one(replace(REVENUE, cap=None)), segments=())
    for cells, effect in measured(load(tables), plan):
        assert abs(effect.effect) < 0.05
        assert effect.conclusion != "superior"
        [note] = cells.reading.unadjusted
        assert note in cells.reading.sentences
        assert note.startswith("Revenue is not adjusted: pre_revenue is absent for 10")


def test_a_covariate_absent_for_most_is_not_used_and_for_some_takes_their_mean(
    load: Callable[..., Engine], make_plan: Callable[..., MeasurementPlan]
) -> None:
    tables, _ = shop()
    plan = make_plan(metrics=one(replace(REVENUE, cap=None)), segments=())
    (all_there, adjusted), _ = measured(load(tables), plan)
    some = tables | {"units": tables["units"].iloc[:3000]}
    (cells, effect), _ = measured(load(some), plan)
    assert cells.reading.unadjusted == all_there.reading.unadjusted == ()
    assert effect.effect == pytest.approx(adjusted.effect, abs=0.03)
    few = tables | {"units": tables["units"].iloc[:400]}
    (cells, _), _ = measured(load(few), plan)
    assert "is absent for 9" in cells.reading.unadjusted[0]


def test_the_test_of_absence_holds_its_level_and_finds_a_tenth() -> None:
    rng, wrong, found = np.random.default_rng(3), 0, 0
    for _ in range(2000):
        units = rng.multinomial(4000, [0.9, 0.1]).astype(float)
        for share, truth in ((0.3, False), (0.4, True)):
            lacking = np.array([rng.binomial(units[0], 0.3), rng.binomial(units[1], share)], dtype=float)
            says = why_unadjusted(Lack(units, lacking, units, lacking), ("control", "b")) is not None
            wrong, found = wrong + (says and not truth), found + (says and truth)
    assert wrong <= 2
    assert found >= 400


def test_who_comes_back_may_have_done_much_before_it_is_first_exposed(
    load: Callable[..., Engine], make_plan: Callable[..., MeasurementPlan]
) -> None:
    """Half of what people did lies on the days before, and half of that day's too: the times are sound."""
    tables, _ = shop(units=4000)
    exposed = tables["exposures"].event_time
    tables["exposures"]["event_time"] = exposed + pd.Timedelta("2D")
    tables["exposures"]["ingested_at"] = tables["exposures"].event_time + pd.Timedelta("9s")
    after = tables["outcomes"].assign(event_time=tables["exposures"].event_time + pd.Timedelta("1s"))
    earlier = [
        after.assign(event_id=after.event_id + f"-{back}", event_time=after.event_time - pd.Timedelta(back))
        for back in ("2D", "1D", "2s")
    ]
    tables["outcomes"] = pd.concat([after, *earlier], ignore_index=True)
    tables["outcomes"]["ingested_at"] = tables["outcomes"].event_time + pd.Timedelta("9s")
    plan = make_plan(metrics=one(CONVERSION), segments=())
    for cells, effect in measured(load(tables), plan):
        assert cells.hidden is None
        assert effect.silent is None
        assert cells.reading.early_outcomes > 5000


def test_outcomes_before_the_first_exposure_are_counted_and_whole_days_are_told_apart(
    load: Callable[..., Engine], make_plan: Callable[..., MeasurementPlan]
) -> None:
    """A true 10 % against 10 %, whose outcomes carry days instead of times."""
    tables, treated = shop(units=8000)
    exposed = tables["exposures"].event_time
    # Control's exposures are logged at midnight, by another system.
    tables["exposures"].loc[~treated, "event_time"] = exposed[~treated].dt.ceil("D")
    tables["exposures"]["ingested_at"] = tables["exposures"].event_time + pd.Timedelta("9s")
    tables["outcomes"]["event_time"] = tables["exposures"].event_time.dt.floor("D")
    plan = make_plan(metrics=one(CONVERSION), segments=())
    engine = load(tables)
    for cells, effect in measured(engine, plan):
        assert effect.finding is Finding.UNKNOWN
        assert "are before their unit's first exposure" in (cells.hidden or "")
        assert "grain: day" in (cells.hidden or "")
        assert cells.reading.early_outcomes > 1000
        said = f"{cells.reading.early_outcomes:,} outcomes left out: before their unit's first exposure"
        assert said in cells.reading.sentences
    by_day = make_plan(metrics=one(replace(CONVERSION, grain=Grain.DAY)), segments=())
    for cells, effect in measured(engine, by_day):
        assert cells.hidden is None
        assert effect.silent is None
        assert effect.treatment == pytest.approx(0.1, abs=0.02)
        assert effect.control == pytest.approx(0.1, abs=0.02)


def test_power_sizes_nothing_from_values_that_are_missing(
    load: Callable[..., Engine],
) -> None:
    tables, _ = shop()
    tables["outcomes"].loc[::3, "converted"] = None
    tables["units"] = tables["units"].iloc[:300]
    found = read_baselines(load(tables), [CONVERSION, REVENUE], "checkout", START, NOW + timedelta(days=1))
    assert np.isnan(found["conversion"].mean)
    assert "33.4 % of its values are missing" in found["conversion"].problem
    assert found["revenue"].explained == 0.0
    assert found["revenue"].problem == ""
