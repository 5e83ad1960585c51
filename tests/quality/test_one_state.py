"""All checks of one run see one state of the warehouse, and nobody reads Great Expectations' own words."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from tests.quality.conftest import UNTIL, Warehouse, failed, sound_rows

from belay.domain.gates import Verdict
from belay.quality.great_expectations_engine import why_unevaluated
from belay_lab.shop.lake import Lake, schemas

LATE = {"event_time": UNTIL - timedelta(hours=1), "ingested_at": UNTIL - timedelta(hours=1)}


@contextmanager
def written_to(warehouse: Warehouse) -> Iterator[list[int]]:
    """Add a row without a unit before every fourth statement; it belongs to the period that is read."""
    sent, seen, busy = [0], [0], [False]
    row = sound_rows(10)["outcomes"][0] | LATE | {"unit_id": None}
    add = _writer(warehouse, row)

    def before(*_: Any) -> None:
        if busy[0]:
            return
        seen[0] += 1
        if seen[0] % 4 == 0:
            busy[0] = True
            sent[0] += 1
            add(f"later-{sent[0]}")
            busy[0] = False

    sa.event.listen(sa.Engine, "before_cursor_execute", before)
    try:
        yield sent
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", before)


def _writer(warehouse: Warehouse, row: dict[str, Any]) -> Callable[[str], None]:
    if warehouse.kind == "duckdb":
        import pyarrow as pa

        schema, lake = schemas()["outcomes"], Lake(warehouse.folder)

        def add_part(event: str) -> None:
            values = row | {"event_id": event}
            lake.write("outcomes", event, pa.table({f.name: [values[f.name]] for f in schema}, schema=schema))

        return add_part
    names = ", ".join(row)
    if warehouse.kind == "sqlite":
        path = str(sa.engine.make_url(warehouse.url).database)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("PRAGMA journal_mode = WAL")
        marks = ", ".join("?" for _ in row)

        def insert(event: str) -> None:
            values = [str(v) if name in LATE else v for name, v in (row | {"event_id": event}).items()]
            other.execute(f"INSERT INTO outcomes ({names}) VALUES ({marks})", values)

        return insert
    engine = sa.create_engine(warehouse.url, isolation_level="AUTOCOMMIT")
    connection = engine.connect()
    marks = ", ".join(f":{name}" for name in row)

    def send(event: str) -> None:
        connection.execute(
            sa.text(f"INSERT INTO outcomes ({names}) VALUES ({marks})"), row | {"event_id": event}
        )

    return send


def test_what_is_written_while_the_checks_run_is_seen_by_all_or_none(warehouse: Warehouse) -> None:
    warehouse.fill(sound_rows())
    still = warehouse.run(suites=("outcomes",))
    assert still.verdict is Verdict.PASS
    with written_to(warehouse) as sent:
        moving = warehouse.run(suites=("outcomes",))
    assert sent[0] > 5
    counted = {c.statistics["element_count"] for c in moving.checks if "element_count" in c.statistics}
    assert counted == {moving.rows}
    without_unit = next(c for c in moving.checks if c.id == "outcomes.keys-filled.unit_id")
    assert without_unit.statistics.get("unexpected_count", 0) == moving.rows - still.rows
    after = warehouse.run(suites=("outcomes",))
    assert after.rows == still.rows + sent[0]


def test_a_view_that_reads_files_in_its_own_way_is_read_once(lake: Warehouse) -> None:
    import duckdb

    lake.fill(sound_rows())
    with duckdb.connect(str(lake.folder / "warehouse.duckdb")) as connection:
        connection.execute("ALTER VIEW outcomes RENAME TO all_outcomes")
        connection.execute("CREATE VIEW outcomes AS SELECT * FROM all_outcomes WHERE surface IS NOT NULL")
    with written_to(lake):
        report = lake.run(suites=("outcomes",))
    assert {c.statistics["element_count"] for c in report.checks if "element_count" in c.statistics} == {
        report.rows
    }


def test_a_part_file_that_is_replaced_meanwhile_holds_the_step(lake: Warehouse) -> None:
    lake.fill(sound_rows())
    part = lake.folder / "lake" / "outcomes" / "part.parquet"
    written = part.read_bytes()

    def replace(*_: Any) -> None:
        part.with_suffix(".tmp").write_bytes(written)
        part.with_suffix(".tmp").replace(part)

    sa.event.listen(sa.Engine, "before_cursor_execute", replace)
    try:
        report = lake.run(suites=("outcomes",))
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", replace)
    assert report.verdict is Verdict.HOLD
    assert str(part) in failed(report)["warehouse.holds-still"].sentence


def test_what_a_library_says_stays_out_of_the_sentences(lake: Warehouse, tmp_path: Any) -> None:
    lake.fill(sound_rows())
    suites = tmp_path / "suites"
    suites.mkdir()
    (suites / "outcomes.yaml").write_text(
        "table: outcomes\ncolumns: {event_id: text}\ncolumns_look_at: The loader.\nchecks:\n"
        "  - id: numbers\n    expect: expect_column_values_to_be_between\n    columns: [event_id]\n"
        "    with: {min_value: 0}\n    wrong: '{column} is below zero'\n    look_at: The loader.\n"
    )
    report = lake.run(suites=("outcomes",), folder=suites)
    assert report.verdict is Verdict.HOLD
    sentence = failed(report)["outcomes.numbers"].sentence
    assert sentence.startswith("it could not be checked whether event_id is below zero: ")
    for word in ("MetricConfiguration", "missing_count", "Traceback", "[SQL", "pydantic"):
        assert word not in str(report.to_document())


@pytest.mark.parametrize(
    ("raw", "right"),
    [
        (
            "(psycopg.errors.UndefinedFunction) operator does not exist: boolean = integer LINE 1: SELECT",
            "the warehouse says: operator does not exist: boolean = integer",
        ),
        ("missing_count -79849", "Great Expectations could not evaluate it"),
    ],
)
def test_the_warehouse_may_speak_and_the_library_may_not(raw: str, right: str) -> None:
    assert why_unevaluated(raw).startswith(right)
    assert "79849" not in why_unevaluated(raw)
