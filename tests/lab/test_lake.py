"""The lake: parts appear whole, the catalogue is opened by many, and tables elsewhere have the same shape."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from belay.warehouse.connection import open_warehouse
from belay.warehouse.errors import WarehouseUnavailableError
from belay.warehouse.freshness import watermark
from belay.warehouse.traffic import daily_units
from belay_lab.shop.lake import TABLES, Lake, load_tables, naive, schemas

Ask = Callable[..., list[tuple[Any, ...]]]
AT = datetime(2026, 3, 2, 12)  # noqa: DTZ001 - naive UTC, as stored


def units(*names: str) -> pa.Table:
    rows = [{"unit_id": name, "pre_revenue": 1.5, "pre_visits": 1} for name in names]
    return pa.Table.from_pylist(rows, schema=schemas()["units"])


def outcome(unit: str, at: datetime = AT) -> dict[str, Any]:
    counts = dict.fromkeys(("converted", "support_tickets", "unsubscribed", "page_errors", "page_views"), 1)
    return {
        "event_id": f"o-{unit}",
        "unit_id": unit,
        "surface": "checkout",
        "event_time": at,
        "ingested_at": at,
        "revenue": 9.5,
        **counts,
    }


def exposure(unit: str, at: datetime = AT) -> dict[str, Any]:
    return {
        "event_id": f"e-{unit}",
        "unit_id": unit,
        "optimization": "calm-button",
        "variant": "control",
        "surface": "checkout",
        "event_time": at,
        "ingested_at": at,
        "device": "mobile",
        "country": "DE",
        "visitor": "new",
        "is_bot": False,
    }


def test_an_empty_lake_answers(tmp_path: Path, ask: Ask) -> None:
    lake = Lake(tmp_path)
    lake.create()
    for table in TABLES:
        assert ask(tmp_path, f"SELECT count(*) FROM {table}") == [(0,)]
        columns = [row[0] for row in ask(tmp_path, f"DESCRIBE {table}")]
        assert columns == schemas()[table].names
    engine = open_warehouse(lake.url)
    assert watermark(engine, "checkout") is None
    assert daily_units(engine, "checkout", AT - timedelta(days=2), AT).tolist() == [0, 0]


def test_creating_again_keeps_what_is_there(tmp_path: Path, ask: Ask) -> None:
    lake = Lake(tmp_path)
    lake.create()
    lake.write("units", "first", units("a"))
    catalogue = (tmp_path / "warehouse.duckdb").stat().st_ino
    lake.create()
    assert (tmp_path / "warehouse.duckdb").stat().st_ino == catalogue
    assert ask(tmp_path, "SELECT unit_id FROM units") == [("a",)]


def test_a_part_is_seen_by_a_reader_that_is_there_already(tmp_path: Path) -> None:
    import duckdb

    lake = Lake(tmp_path)
    lake.create()
    with (
        duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as one,
        duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as two,
    ):
        lake.write("units", "first", units("a", "b"))
        for reader in (one, two):
            assert reader.execute("SELECT count(*) FROM units").fetchone() == (2,)


def test_the_same_part_again_replaces_it(tmp_path: Path, ask: Ask) -> None:
    lake = Lake(tmp_path)
    lake.create()
    for name in ("a", "b"):
        lake.write("units", "20260302T10", units(name))
    assert ask(tmp_path, "SELECT unit_id FROM units") == [("b",)]


def test_a_part_that_cannot_be_written_leaves_nothing(tmp_path: Path, ask: Ask) -> None:
    lake = Lake(tmp_path)
    lake.create()
    with pytest.raises((pa.ArrowInvalid, ValueError)):
        lake.write("units", "wrong", pa.table({"unit_id": ["a"]}))
    assert [p.name for p in (tmp_path / "lake" / "units").iterdir()] == ["empty.parquet"]
    assert ask(tmp_path, "SELECT count(*) FROM units") == [(0,)]


def test_a_home_with_a_quote_in_its_name_works(tmp_path: Path, ask: Ask) -> None:
    home = tmp_path / "nora's [home] *"
    Lake(home).create()
    Lake(home).write("units", "first", units("a"))
    assert ask(home, "SELECT unit_id FROM units") == [("a",)]


def test_a_home_that_was_moved_reads_its_own_parts(tmp_path: Path, ask: Ask) -> None:
    Lake(tmp_path / "old").create()
    Lake(tmp_path / "old").write("units", "first", units("a"))
    (tmp_path / "old").rename(tmp_path / "kept")
    Lake(tmp_path / "old").create()
    Lake(tmp_path / "kept").create()
    assert ask(tmp_path / "kept", "SELECT unit_id FROM units") == [("a",)]
    assert ask(tmp_path / "old", "SELECT unit_id FROM units") == []


def test_a_catalogue_that_is_broken_is_made_anew(tmp_path: Path, ask: Ask) -> None:
    Lake(tmp_path).create()
    (tmp_path / "warehouse.duckdb").write_bytes(b"not a database")
    Lake(tmp_path).create()
    assert ask(tmp_path, "SELECT count(*) FROM units") == [(0,)]


def test_a_truncated_part_is_a_clear_error_not_fewer_rows(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.create()
    rows = [outcome(f"u{i}") for i in range(1000)]
    part = lake.write("outcomes", "first", pa.Table.from_pylist(rows, schema=schemas()["outcomes"]))
    part.write_bytes(part.read_bytes()[:-200])
    with pytest.raises(WarehouseUnavailableError, match=r"first\.parquet"):
        watermark(open_warehouse(lake.url), "checkout")


def _holds_the_same(engine: sa.Engine) -> None:
    load_tables(engine, {"outcomes": [outcome("a"), outcome("b")], "exposures": [exposure("a")]})
    load_tables(engine, {"units": units("a").to_pylist()})
    with engine.connect() as connection:
        for table, schema in schemas().items():
            found = connection.execute(sa.text(f"SELECT * FROM {table}"))
            assert list(found.keys()) == schema.names
        assert connection.execute(sa.text("SELECT revenue FROM outcomes")).scalars().all() == [9.5, 9.5]
    assert watermark(engine, "checkout") == AT
    assert daily_units(engine, "checkout", AT - timedelta(hours=1), AT + timedelta(hours=1)).tolist() == [2]


def test_sqlite_holds_the_same_tables(tmp_path: Path) -> None:
    (tmp_path / "w.sqlite").touch()
    _holds_the_same(open_warehouse(f"sqlite:///{tmp_path / 'w.sqlite'}"))


@pytest.mark.postgres
def test_postgres_holds_the_same_tables(postgres_url: str) -> None:
    """In a database of its own: other tests keep tables of the same names on this server."""
    server = sa.create_engine(
        sa.make_url(postgres_url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with server.connect() as connection:
        connection.execute(sa.text("CREATE DATABASE lake"))
    own = sa.make_url(postgres_url).set(database="lake").render_as_string(hide_password=False)
    engine = open_warehouse(own)
    try:
        _holds_the_same(engine)
    finally:
        engine.dispose()
        with server.connect() as connection:
            connection.execute(sa.text("DROP DATABASE lake"))
        server.dispose()


def test_times_are_stored_as_utc() -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=timezone(timedelta(hours=2)))
    assert naive(noon) == datetime(2026, 3, 2, 10)  # noqa: DTZ001 - naive UTC, as stored
    assert naive(AT) is AT
    assert naive(AT.replace(tzinfo=UTC)) == AT
