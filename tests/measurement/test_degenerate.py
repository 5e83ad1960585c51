"""Broken, empty and strange data: a finding and a sentence, never an exception, and never harmless."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine
from tests.measurement.conftest import NOW, START, Tables

from belay.cells.cells import Cells
from belay.cells.plan import MeasurementPlan
from belay.measurement.decision import Findings, decide_effects
from belay.measurement.effects import Conclusion, Effect
from belay.measurement.findings import Finding
from belay.measurement.monitor import Monitoring, monitor
from belay.warehouse.connection import open_warehouse
from belay.warehouse.errors import WarehouseUnavailableError
from belay.warehouse.freshness import watermark
from belay.warehouse.look import read_cells

Look = Callable[..., tuple[Cells, Monitoring, Findings]]


@pytest.fixture(params=["duckdb", "sqlite"])
def look(request: pytest.FixtureRequest, load: Callable[..., Engine]) -> Look:
    def take(tables: Tables, plan: MeasurementPlan, until: Any = NOW) -> tuple[Cells, Monitoring, Findings]:
        cells = read_cells(load(tables, request.param), plan, until)
        watched, found = monitor(cells, plan), decide_effects(cells, plan)
        for document in (cells.to_document(), watched.to_document(), found.to_document()):
            json.dumps(document, allow_nan=False)
        assert watched.sentence
        assert found.sentence
        return cells, watched, found

    return take


def named(effects: tuple[Effect, ...], metric: str) -> Effect:
    return next(effect for effect in effects if effect.metric == metric)


@pytest.fixture
def tables(make_world: Callable[..., Tables]) -> Tables:
    return make_world(seed=11, units=1200)


@pytest.fixture
def plan(make_plan: Callable[..., MeasurementPlan]) -> MeasurementPlan:
    return make_plan()


def test_no_events(look: Look, tables: Tables, plan: MeasurementPlan) -> None:
    empty = tables | {"exposures": tables["exposures"].iloc[:0], "outcomes": tables["outcomes"].iloc[:0]}
    cells, watched, found = look(empty, plan)
    assert (watched.finding, found.finding) == (Finding.UNKNOWN, Finding.UNKNOWN)
    assert (
        cells.problem
        == "no exposure was logged: does the product evaluate the flag, and does its log arrive?"
    )
    assert "no exposure was logged" in watched.sentence


def test_exposures_without_outcomes(look: Look, tables: Tables, plan: MeasurementPlan) -> None:
    _, watched, found = look(tables | {"outcomes": tables["outcomes"].iloc[:0]}, plan)
    assert (watched.finding, found.finding) == (Finding.UNKNOWN, Finding.UNKNOWN)
    assert "every value is zero in both arms" in named(found.effects, "conversion").sentence


def test_one_arm_empty(look: Look, tables: Tables, plan: MeasurementPlan) -> None:
    exposures = tables["exposures"]
    _, watched, found = look(tables | {"exposures": exposures[exposures.variant == "control"]}, plan)
    assert watched.split.alarm
    assert found.finding is Finding.UNKNOWN
    assert "no unit of b was measured" in named(found.effects, "revenue").sentence


def test_before_the_first_phase(look: Look, tables: Tables, plan: MeasurementPlan) -> None:
    _, watched, _ = look(tables, plan, START - timedelta(hours=1))
    assert watched.finding is Finding.UNKNOWN
    assert "no unit was exposed yet" in watched.sentence


def test_all_zeros(look: Look, tables: Tables, plan: MeasurementPlan) -> None:
    zero = tables["outcomes"].assign(converted=0, revenue=0.0, support_tickets=0, page_errors=0)
    _, watched, found = look(tables | {"outcomes": zero}, plan)
    assert (watched.finding, found.finding) == (Finding.UNKNOWN, Finding.UNKNOWN)
    assert all("every value is zero" in effect.sentence for effect in found.effects)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_values_are_counted_and_never_harmless(
    look: Look, tables: Tables, plan: MeasurementPlan, value: float
) -> None:
    outcomes = tables["outcomes"].copy()
    outcomes.loc[outcomes.index % 20 == 0, "revenue"] = value
    cells, _, found = look(tables | {"outcomes": outcomes}, plan)
    assert cells.metrics["revenue"].broken > 0
    assert np.isfinite(cells.metrics["revenue"].mean).all()
    revenue = named(found.effects, "revenue")
    assert revenue.finding is not Finding.HARMLESS


def test_missing_values_are_counted_and_never_harmless(
    look: Look, tables: Tables, make_plan: Callable[..., MeasurementPlan]
) -> None:
    plan = make_plan()
    wide = replace(plan, metrics=tuple(replace(p, margin=5.0) for p in plan.metrics))
    outcomes = tables["outcomes"].copy()
    _, _, found = look(tables, wide)
    assert named(found.effects, "revenue").finding is Finding.HARMLESS
    outcomes.loc[outcomes.index % 20 == 0, "revenue"] = None
    cells, _, found = look(tables | {"outcomes": outcomes}, wide)
    assert cells.metrics["revenue"].missing > 0
    revenue = named(found.effects, "revenue")
    assert revenue.finding is Finding.UNKNOWN
    assert "of its values are missing or broken, so it stays unknown" in revenue.sentence


def test_values_too_large_to_add_up(
    look: Look, tables: Tables, make_plan: Callable[..., MeasurementPlan]
) -> None:
    plan = make_plan()
    uncapped = tuple(replace(p, metric=replace(p.metric, cap=None, covariate=None)) for p in plan.metrics)
    huge = tables["outcomes"].assign(revenue=1e308)
    _, watched, found = look(tables | {"outcomes": huge}, replace(plan, metrics=uncapped))
    assert watched.finding is not Finding.HARMLESS
    assert named(found.effects, "revenue").finding is Finding.UNKNOWN


def test_a_metric_that_became_text(look: Look, tables: Tables, plan: MeasurementPlan) -> None:
    text = tables["outcomes"].assign(revenue=tables["outcomes"].revenue.map("{:.2f} EUR".format))
    cells, watched, found = look(tables | {"outcomes": text}, plan)
    assert cells.metrics["revenue"].broken == cells.metrics["revenue"].rows
    assert named(found.effects, "revenue").finding is Finding.UNKNOWN
    assert watched.finding is Finding.UNKNOWN


def test_a_column_that_is_gone(look: Look, tables: Tables, plan: MeasurementPlan) -> None:
    cells, watched, found = look(tables | {"outcomes": tables["outcomes"].drop(columns="revenue")}, plan)
    assert (watched.finding, found.finding) == (Finding.UNKNOWN, Finding.UNKNOWN)
    assert cells.problem == "the warehouse cannot be read: table outcomes has no column revenue"


def test_a_part_file_that_is_torn(
    tables: Tables, plan: MeasurementPlan, load: Callable[..., Engine], tmp_path: Path
) -> None:
    engine = load(tables)
    part = tmp_path / "outcomes" / "part-0.parquet"
    part.write_bytes(part.read_bytes()[:500])
    cells = read_cells(engine, plan, NOW)
    assert "the warehouse cannot be read" in (cells.problem or "")
    assert monitor(cells, plan).finding is Finding.UNKNOWN


def test_a_type_that_changes_between_part_files(
    tables: Tables, plan: MeasurementPlan, load: Callable[..., Engine], tmp_path: Path
) -> None:
    engine = load(tables)
    changed = tables["outcomes"].assign(converted="yes", event_id="z" + tables["outcomes"].event_id)
    changed.to_parquet(tmp_path / "outcomes" / "part-1.parquet")
    cells = read_cells(engine, plan, NOW)
    assert "the warehouse cannot be read" in (cells.problem or "")
    assert decide_effects(cells, plan).finding is Finding.UNKNOWN


def test_a_clock_that_jumps(look: Look, tables: Tables, plan: MeasurementPlan) -> None:
    clean, *_ = look(tables, plan)
    ahead = tables["exposures"].iloc[:40].copy()
    ahead["unit_id"], ahead["event_id"] = "jump-" + ahead.unit_id, "j" + ahead.event_id
    ahead["event_time"] = ahead.event_time + timedelta(days=4000)
    cells, watched, _ = look(tables | {"exposures": pd.concat([tables["exposures"], ahead])}, plan)
    assert cells.totals == clean.totals
    assert cells.reading.clock_ahead == 40
    assert any("a clock is wrong" in note for note in watched.notes)


def test_late_events_change_nothing(look: Look, tables: Tables, plan: MeasurementPlan) -> None:
    clean, *_ = look(tables, plan)
    late = tables["outcomes"].assign(converted=1, revenue=500.0, ingested_at=NOW + timedelta(hours=5))
    late["event_id"] = "late-" + late.event_id
    cells, _, found = look(tables | {"outcomes": pd.concat([tables["outcomes"], late])}, plan)
    np.testing.assert_allclose(cells.metrics["revenue"].mean, clean.metrics["revenue"].mean)
    assert cells.reading.late_outcomes > len(late) / 2
    assert any("arrived after the look" in note for note in found.notes)


def test_harm_is_still_found_in_imperfect_data(
    look: Look, make_world: Callable[..., Tables], make_plan: Callable[..., MeasurementPlan]
) -> None:
    tables = make_world(seed=12, units=3000, lift=-0.8)
    tables["outcomes"].loc[::50, "revenue"] = np.inf
    _, watched, found = look(tables, make_plan())
    assert (watched.finding, found.finding) == (Finding.HARMFUL, Finding.HARMFUL)
    assert watched.decided
    assert watched.harm_sentence is not None
    assert watched.harm_sentence.startswith("Harm: Conversion: ")
    assert named(found.effects, "conversion").conclusion is Conclusion.WORSE


def test_the_watermark_believes_only_fresh_arrivals(load: Callable[..., Engine], tables: Tables) -> None:
    newest = min(tables[name].ingested_at.max() for name in ("exposures", "outcomes"))
    assert watermark(load(tables), "checkout") == newest.to_pydatetime()
    for name in ("exposures", "outcomes"):
        backfill = tables[name].iloc[:1].assign(ingested_at=NOW + timedelta(days=30))
        wrong = (
            tables[name]
            .iloc[:1]
            .assign(event_time=NOW + timedelta(days=90), ingested_at=NOW + timedelta(days=31))
        )
        tables[name] = pd.concat([tables[name], backfill, wrong])
    assert watermark(load(tables), "checkout") == newest.to_pydatetime()
    assert watermark(load(tables), "another surface") is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("duckdb:////nowhere/warehouse.duckdb", "does not exist"),
        ("oracle://somewhere/x", "Belay reads duckdb, sqlite, postgresql"),
        ("no url", "is no database URL"),
    ],
)
def test_a_warehouse_that_is_not_there(url: str, said: str) -> None:
    with pytest.raises(WarehouseUnavailableError, match=said):
        open_warehouse(url)


def test_a_warehouse_that_does_not_answer(plan: MeasurementPlan) -> None:
    engine = open_warehouse("postgresql+psycopg://nobody@127.0.0.1:1/none")
    assert monitor(read_cells(engine, plan, NOW), plan).finding is Finding.UNKNOWN
    with pytest.raises(WarehouseUnavailableError, match="cannot be read"):
        watermark(engine, "checkout")
