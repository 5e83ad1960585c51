"""One look gives the same cells as counting by hand, in every warehouse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine
from tests.measurement.conftest import NOW, START, Tables

from belay.cells.cells import Cells, Segment
from belay.cells.plan import MeasurementPlan, Phase
from belay.domain.metrics import MetricKind
from belay.warehouse.look import read_cells

DIALECTS = ["duckdb", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
WIDENED = START + timedelta(days=3)


@pytest.fixture(params=DIALECTS)
def read(request: pytest.FixtureRequest, load: Callable[..., Engine]) -> Callable[..., Cells]:
    def look(tables: Tables, plan: MeasurementPlan, until: Any = NOW) -> Cells:
        url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
        return read_cells(load(tables, request.param, url), plan, until)

    return look


def by_hand(tables: Tables, plan: MeasurementPlan, until: Any = NOW) -> pd.DataFrame:
    """One row a unit: day, arm, segments, and every value, computed row by row in plain pandas."""
    exposures, outcomes = tables["exposures"], tables["outcomes"]
    ok = exposures[
        (~exposures.is_bot) & (exposures.event_time >= plan.start) & (exposures.event_time < until)
    ]
    ok = ok[(ok.ingested_at <= until) & ok.variant.isin(plan.arms)]
    rows = []
    for unit, seen in ok.sort_values("event_time").groupby("unit_id"):
        first = seen.iloc[0]
        if seen.variant.nunique() > 1:
            continue
        since = first.event_time.floor("ms")
        mine = outcomes[(outcomes.unit_id == unit) & (outcomes.event_time.dt.floor("ms") >= since)]
        mine = mine[(mine.event_time.dt.floor("ms") < until) & (mine.ingested_at <= until)]
        row = {"day": since.date(), "arm": first.variant, "device": first.device}
        row["country"] = first.country if isinstance(first.country, str) else "(missing)"
        for planned in plan.metrics:
            metric, counted = planned.metric, mine
            if metric.outcome_days is not None:
                counted = mine[mine.event_time.dt.floor("ms") < since + timedelta(days=metric.outcome_days)]
            y = counted[metric.value].sum()
            if metric.kind in {MetricKind.PROPORTION, MetricKind.RARE_COUNT}:
                y = float((counted[metric.value] > 0).any())
            row[f"{metric.id}.y"] = min(y, metric.cap) if metric.cap else y
            if metric.denominator:
                row[f"{metric.id}.d"] = counted[metric.denominator].sum()
            if metric.covariate:
                row[f"{metric.id}.x"] = tables["units"].set_index("unit_id")[metric.covariate][unit]
        rows.append(row)
    return pd.DataFrame(rows)


def assert_same(cells: Cells, plan: MeasurementPlan, expected: pd.DataFrame) -> None:
    assert cells.problem is None
    assert int(cells.units[0].sum()) == len(expected)
    for g, segment in enumerate(cells.segments):
        inside = expected if segment.is_all else expected[expected[segment.column] == segment.value]
        for h, day in enumerate(cells.days):
            here = inside[inside.day == day]
            for a, arm in enumerate(cells.arms):
                units = here[here.arm == arm]
                assert cells.units[g, h, a] == len(units)
                if len(units) == 0:
                    continue
                for planned in plan.metrics:
                    found = cells.metrics[planned.metric.id]
                    parts = [c for c in units.columns if c.startswith(f"{planned.metric.id}.")]
                    values = units[parts].to_numpy(dtype=float)
                    centred = values - values.mean(axis=0)
                    np.testing.assert_allclose(found.mean[g, h, a], values.mean(axis=0), rtol=1e-9, atol=1e-9)
                    np.testing.assert_allclose(
                        found.scatter[g, h, a], centred.T @ centred, rtol=1e-9, atol=1e-7
                    )
                    assert found.events[g, h, a] == (values[:, 0] != 0).sum()


def test_a_look_is_what_counting_by_hand_gives(
    read: Callable[..., Cells], make_world: Callable[..., Tables], make_plan: Callable[..., MeasurementPlan]
) -> None:
    tables, plan = make_world(seed=2, units=400), make_plan()
    cells = read(tables, plan)
    assert_same(cells, plan, by_hand(tables, plan))
    assert Segment("country", "(missing)") in cells.segments


def test_a_step_is_read_from_its_own_period_on_for_as_long_as_a_metric_says(
    read: Callable[..., Cells], make_world: Callable[..., Tables], make_plan: Callable[..., MeasurementPlan]
) -> None:
    tables = make_world(seed=3, units=400, share=0.2, widen=True)
    plan = make_plan(phase=Phase(1, WIDENED, 4000, {"control": 0.6, "b": 0.4}))
    short = tuple(replace(p, metric=replace(p.metric, outcome_days=1.0)) for p in plan.metrics)
    plan = replace(plan, metrics=short)
    cells = read(tables, plan)
    assert_same(cells, plan, by_hand(tables, plan))
    assert cells.reading.outside > 0  # of the step before
    assert cells.reading.two_arms == 0  # though units moved from control into treatment


def test_what_is_left_out_is_counted(
    read: Callable[..., Cells], make_world: Callable[..., Tables], make_plan: Callable[..., MeasurementPlan]
) -> None:
    tables, plan = make_world(seed=4, units=300), make_plan()
    exposures = tables["exposures"]
    exposures.loc[0, "variant"] = "unheard-of"
    exposures.loc[1, "event_time"] = NOW + timedelta(days=400)  # a clock that jumps ahead
    exposures.loc[2, "ingested_at"] = NOW + timedelta(hours=1)
    twin = exposures[exposures.variant == "b"].iloc[[5]].assign(variant="control", is_bot=False)
    tables["exposures"] = pd.concat([exposures, twin], ignore_index=True)
    cells = read(tables, plan)
    reading = cells.reading
    bots = int(tables["exposures"].is_bot.sum())
    assert (reading.unknown_variants, reading.clock_ahead, reading.two_arms) == (1, 1, 1)
    assert reading.late_exposures >= 1
    assert reading.late_outcomes == int(
        (
            (tables["outcomes"].event_time < NOW)
            & (tables["outcomes"].ingested_at > NOW)
            & (tables["outcomes"].event_time >= START)
        ).sum()
    )
    assert reading.filtered == {"is_bot": bots}
    assert f"{bots:,} exposures left out by the filter is_bot" in reading.sentences
    assert_same(cells, plan, by_hand(tables, plan))


def test_a_declared_filter_counts_repeated_events_once(
    read: Callable[..., Cells], make_world: Callable[..., Tables], make_plan: Callable[..., MeasurementPlan]
) -> None:
    tables = make_world(seed=5, units=200)
    clean = read(tables, make_plan())
    twice = tables | {"outcomes": pd.concat([tables["outcomes"]] * 2, ignore_index=True)}
    doubled = read(twice, make_plan())
    once = read(twice, make_plan(filters={"is_bot": "false", "duplicate_events": "drop"}))
    name = "revenue"
    assert doubled.metrics[name].mean[0].sum() > 1.2 * clean.metrics[name].mean[0].sum()
    np.testing.assert_allclose(once.metrics[name].mean, clean.metrics[name].mean, rtol=1e-12)
    assert once.reading.duplicate_outcomes is not None
    assert once.reading.duplicate_outcomes > 0


def test_a_unit_that_the_units_table_repeats_is_one_unit(
    read: Callable[..., Cells], make_world: Callable[..., Tables], make_plan: Callable[..., MeasurementPlan]
) -> None:
    tables, plan = make_world(seed=9, units=200), make_plan()
    expected = by_hand(tables, plan)
    tables["units"] = pd.concat([tables["units"], tables["units"]])
    assert_same(read(tables, plan), plan, expected)


def test_large_offsets_do_not_cancel(
    read: Callable[..., Cells], make_world: Callable[..., Tables], make_plan: Callable[..., MeasurementPlan]
) -> None:
    tables, plan = make_world(seed=6, units=300), make_plan()
    tables["units"]["pre_revenue"] += 1e9  # raw sums of squares would give a negative variance here
    expected = by_hand(tables, plan)
    cells = read(tables, plan)
    values = cells.metrics["revenue"]
    for h, day in enumerate(cells.days):
        here = expected[(expected.day == day) & (expected.arm == "b")]["revenue.x"]
        if len(here) > 1:
            variance = values.scatter[0, h, 1, 1, 1] / (len(here) - 1)
            assert variance == pytest.approx(here.var(), rel=1e-6)


def test_the_same_look_later_gives_the_same_cells(
    read: Callable[..., Cells], make_world: Callable[..., Tables], make_plan: Callable[..., MeasurementPlan]
) -> None:
    tables, plan = make_world(seed=7, units=300), make_plan()
    middle = START + timedelta(days=2)
    known = {
        name: rows[rows.ingested_at <= middle] if "ingested_at" in rows else rows
        for name, rows in tables.items()
    }
    then, later = read(known, plan, middle), read(tables, plan, middle)
    np.testing.assert_array_equal(then.units, later.units)
    for name, values in then.metrics.items():
        np.testing.assert_allclose(values.mean, later.metrics[name].mean, rtol=1e-12, atol=1e-15)


def test_names_are_values_and_never_sql(
    read: Callable[..., Cells], make_world: Callable[..., Tables], make_plan: Callable[..., MeasurementPlan]
) -> None:
    name = "it's 100 % :odd \\ -- '; drop view exposures"
    tables = make_world(seed=8, units=100)
    tables["exposures"] = tables["exposures"].assign(optimization=name, visitor=name)
    plan = make_plan(optimization=name, filters={"visitor": name}, segments=("visitor",))
    cells = read(tables, plan)
    assert cells.problem is None
    assert cells.reading.units == 100
    assert cells.segments[1].value == name
