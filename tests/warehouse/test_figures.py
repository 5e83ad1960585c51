"""A figure, a filter and an id mean the same in every warehouse, and ids that never meet are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from tests.measurement.conftest import CONVERSION, NOW, Tables

from belay.cells.plan import PlannedMetric, Role, Sight
from belay.domain.metrics import PrimaryRule
from belay.warehouse.connection import open_warehouse
from belay.warehouse.fleet import read_fleet
from belay.warehouse.look import read_cells

WAREHOUSES = ("duckdb", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgres))
Load = Callable[..., sa.Engine]
Make = Callable[..., Any]


@pytest.fixture(params=WAREHOUSES)
def fill(request: pytest.FixtureRequest, load: Load) -> Callable[[Tables], sa.Engine]:
    """Write tables into a warehouse of one kind, with booleans as its own."""
    if request.param != "postgresql":
        return lambda tables: load(tables, request.param)
    url = request.getfixturevalue("postgres_database")
    return lambda tables: load(tables, "postgresql", url)


def test_boolean_outcomes_are_counted_on_every_warehouse(
    fill: Callable[[Tables], sa.Engine], make_plan: Make, make_world: Make
) -> None:
    plan, tables = make_plan(), make_world(units=300)
    right = read_cells(fill(tables), plan, NOW)
    tables["outcomes"]["converted"] = tables["outcomes"]["converted"].astype(bool)
    tables["units"]["pre_revenue"] = tables["units"]["pre_revenue"]
    engine = fill(tables)
    if engine.dialect.name == "postgresql":
        with sa.create_engine(engine.url).begin() as connection:
            connection.exec_driver_sql(
                "ALTER TABLE outcomes ALTER converted TYPE boolean USING converted::int::boolean"
            )
    for found in (read_cells(engine, plan, NOW), read_fleet(engine, [Sight(plan, NOW)]).cells[0]):
        assert found.problem is None
        for name, cells in right.metrics.items():
            assert np.allclose(found.metrics[name].mean, cells.mean, rtol=1e-9)
            assert found.metrics[name].broken == 0


@pytest.mark.postgres
def test_enumerations_and_uuids_of_postgres_are_read_as_text(
    load: Load, make_plan: Make, make_world: Make, postgres_database: str
) -> None:
    plan, tables = make_plan(), make_world(units=300)
    engine = load(tables, "postgresql", postgres_database)
    right = read_cells(engine, plan, NOW)
    with sa.create_engine(postgres_database).begin() as connection:
        connection.exec_driver_sql("CREATE TYPE place AS ENUM ('checkout', 'home')")
        connection.exec_driver_sql("CREATE TYPE arm AS ENUM ('control', 'b')")
        for table in ("exposures", "outcomes"):
            connection.exec_driver_sql(f"ALTER TABLE {table} ALTER surface TYPE place USING surface::place")
        connection.exec_driver_sql("ALTER TABLE exposures ALTER variant TYPE arm USING variant::arm")
        for table in ("exposures", "outcomes", "units"):
            connection.exec_driver_sql(
                f"ALTER TABLE {table} ALTER unit_id TYPE uuid USING md5(unit_id)::uuid"
            )
    found = read_cells(open_warehouse(postgres_database), plan, NOW)
    assert found.problem is None
    assert np.allclose(found.metrics["revenue"].mean, right.metrics["revenue"].mean, rtol=1e-9)


def test_ids_that_never_meet_are_told_as_that(
    fill: Callable[[Tables], sa.Engine], make_plan: Make, make_world: Make
) -> None:
    plan, tables = make_plan(), make_world(units=300)
    tables["exposures"]["unit_id"] = tables["exposures"]["unit_id"].str.removeprefix("unit-").astype(int)
    engine = fill(tables)
    for found in (read_cells(engine, plan, NOW), read_fleet(engine, [Sight(plan, NOW)]).cells[0]):
        assert found.problem == (
            "0 of 295 units of outcomes are among the 300 exposed units: "
            "outcomes.unit_id is for example 'unit-00000', exposures.unit_id '0'"
        )


def test_a_rare_table_that_meets_nobody_yet_is_a_note(load: Load, make_plan: Make, make_world: Make) -> None:
    tables = make_world(units=300)
    tables["refunds"] = tables["outcomes"].head(5).assign(unit_id="somebody else", amount=1.0)
    refunds = CONVERSION.__class__(
        **{
            **{name: getattr(CONVERSION, name) for name in CONVERSION.__dataclass_fields__},
            "id": "refunds",
            "source": "refunds",
            "value": "amount",
        }
    )
    plan = make_plan()
    metrics = (*plan.metrics, PlannedMetric(refunds, Role.GUARDRAIL, 0.5, PrimaryRule.NON_INFERIOR))
    found = read_cells(load(tables), make_plan(metrics=metrics), NOW)
    assert found.problem is None
    assert found.reading.sentences[0].startswith("0 of 1 units of refunds are among the 300 exposed units")


@pytest.mark.parametrize("wrong", ["yesterday", 20260302])
def test_a_time_that_does_not_say_which_is_a_problem_for_window_and_guard(
    load: Load, make_plan: Make, make_world: Make, wrong: Any
) -> None:
    plan, tables = make_plan(), make_world(units=50)
    tables["outcomes"]["event_time"] = pd.Series([wrong] * len(tables["outcomes"]))
    engine = load(tables)
    for found in (read_cells(engine, plan, NOW), read_fleet(engine, [Sight(plan, NOW)]).cells[0]):
        assert found.problem is not None
        assert found.problem.startswith("the warehouse cannot be read: outcomes.event_time ")
