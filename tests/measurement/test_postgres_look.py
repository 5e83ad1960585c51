"""A young window costs Postgres no loop over all outcomes; what takes too long says what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine, event, text
from tests.measurement.conftest import NOW, START, Tables

from belay.cells.plan import MeasurementPlan
from belay.warehouse.connection import open_warehouse
from belay.warehouse.look import read_cells

pytestmark = pytest.mark.postgres


@pytest.fixture
def engine(
    load: Callable[..., Engine], make_world: Callable[..., Tables], postgres_database: str
) -> Iterator[Engine]:
    return load(make_world(seed=21, units=2500), "postgresql", postgres_database)


def nodes(plan: dict) -> Iterator[dict]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def test_a_young_window_is_joined_by_no_loop_over_all_outcomes(
    engine: Engine, make_plan: Callable[..., MeasurementPlan]
) -> None:
    """The tables are analysed, and Postgres still expects one row of a statement inside a statement."""
    with engine.begin() as connection:
        for name in ("exposures", "outcomes", "units"):
            connection.execute(text(f"ANALYZE {name}"))
    explained: list[dict] = []

    def explain(connection, cursor, statement, parameters, _context, _many) -> None:
        if "per_unit" in statement and not statement.startswith("EXPLAIN"):
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
            explained.append(cursor.fetchone()[0][0]["Plan"])

    event.listen(engine, "before_cursor_execute", explain)
    cells = read_cells(engine, make_plan(), START + timedelta(hours=2))
    assert cells.problem is None
    assert explained
    for node in nodes(explained[0]):
        if node["Node Type"] == "Nested Loop":  # beside the one row of the shifts
            inner = node["Plans"][1]
            assert inner["Actual Rows"] * inner["Actual Loops"] <= 5_000


def test_a_statement_that_takes_too_long_says_what_to_do(
    engine: Engine, make_plan: Callable[..., MeasurementPlan]
) -> None:
    url = engine.url.render_as_string(hide_password=False)
    hurried = open_warehouse(f"{url}?options=-cstatement_timeout%3D500ms")
    with engine.connect() as loader:  # somebody keeps the table: the look waits until it may no more
        loader.execute(text("LOCK TABLE outcomes IN ACCESS EXCLUSIVE MODE"))
        cells = read_cells(hurried, make_plan(), NOW)
        loader.rollback()
    hurried.dispose()
    assert "statement timeout" in (cells.problem or "")
    assert "run ANALYZE on exposures, outcomes and units" in (cells.problem or "")


def test_without_a_timeout_of_its_own_a_session_has_one(engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar() == "10min"
        assert connection.execute(text("SHOW enable_nestloop")).scalar() == "off"
        connection.rollback()
        assert connection.execute(text("SHOW enable_nestloop")).scalar() == "off"
