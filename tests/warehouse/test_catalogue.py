"""One catalogue: tables, views and materialized views, with what their columns hold, in every warehouse."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa

from belay.warehouse.catalogue import Kind, read_catalogue, read_relation
from belay.warehouse.connection import open_warehouse, read_rows
from belay.warehouse.errors import UnusableColumnError
from belay.warehouse.forms import epoch_of

DUCKDB = {
    "a": ("ENUM('x', 'y')", Kind.TEXT),
    "b": ("UTINYINT", Kind.INTEGER),
    "c": ("USMALLINT", Kind.INTEGER),
    "d": ("HUGEINT", Kind.INTEGER),
    "e": ("DECIMAL(10,2)", Kind.NUMBER),
    "f": ("BOOLEAN", Kind.BOOLEAN),
    "g": ("TIMESTAMPTZ", Kind.ZONED),
    "h": ("TIMESTAMP_NS", Kind.TIMESTAMP),
    "i": ("DATE", Kind.DATE),
    "j": ("VARCHAR[]", Kind.OTHER),
}
POSTGRESQL = {
    "a": ("mood", Kind.TEXT),
    "b": ("smallint", Kind.INTEGER),
    "c": ("positive", Kind.INTEGER),
    "d": ("numeric(10, 2)", Kind.NUMBER),
    "e": ("real", Kind.NUMBER),
    "f": ("boolean", Kind.BOOLEAN),
    "g": ("timestamptz(3)", Kind.ZONED),
    "h": ("timestamp", Kind.TIMESTAMP),
    "i": ("uuid", Kind.TEXT),
    "j": ("integer[]", Kind.OTHER),
}
SQLITE = {
    "a": ("VARCHAR(20)", Kind.TEXT),
    "b": ("TINYINT", Kind.INTEGER),
    "c": ("UNSIGNED BIG INT", Kind.INTEGER),
    "d": ("DECIMAL(10,2)", Kind.NUMBER),
    "e": ("BOOLEAN", Kind.BOOLEAN),
    "f": ("DATETIME", Kind.TIMESTAMP),
    "g": ("DATE", Kind.DATE),
    "h": ("BLOB", Kind.OTHER),
    "i": ("", Kind.UNDECLARED),
}


def kinds(url: str, name: str) -> dict[str, Kind]:
    with open_warehouse(url).connect() as connection:
        relation = read_relation(connection, name)
        assert relation is not None
        return {column.name: column.kind for column in relation.columns.values()}


def declared(types: dict[str, Any]) -> str:
    return ", ".join(f"{name} {written}" for name, (written, _) in types.items())


def test_what_a_column_of_duckdb_holds(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"CREATE TABLE events ({declared(DUCKDB)})")
        connection.execute("CREATE VIEW seen AS SELECT * FROM events")
    for name in ("events", "seen"):
        assert kinds(f"duckdb:///{path}", name) == {column: kind for column, (_, kind) in DUCKDB.items()}


def test_what_a_column_of_sqlite_holds(tmp_path: Path) -> None:
    path = tmp_path / "w.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE events ({declared(SQLITE)})")
        connection.execute("CREATE VIEW seen AS SELECT * FROM events")
    for name in ("events", "seen"):
        assert kinds(f"sqlite:///{path}", name) == {column: kind for column, (_, kind) in SQLITE.items()}


@pytest.mark.postgres
def test_what_a_column_of_postgres_holds_and_materialized_views_are_there(postgres_database: str) -> None:
    engine = sa.create_engine(postgres_database)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TYPE mood AS ENUM ('good', 'bad')")
        connection.exec_driver_sql("CREATE DOMAIN positive AS bigint CHECK (value > 0)")
        connection.exec_driver_sql(f"CREATE TABLE events ({declared(POSTGRESQL)})")
        connection.exec_driver_sql("CREATE VIEW seen AS SELECT * FROM events")
        connection.exec_driver_sql("CREATE MATERIALIZED VIEW kept AS SELECT * FROM events")
        connection.exec_driver_sql("CREATE SCHEMA other CREATE TABLE hidden (a int)")
    engine.dispose()
    for name in ("events", "seen", "kept"):
        assert kinds(postgres_database, name) == {column: kind for column, (_, kind) in POSTGRESQL.items()}
    with open_warehouse(postgres_database).connect() as connection:
        assert list(read_catalogue(connection)) == ["events", "kept", "seen"]
        assert read_relation(connection, "hidden") is None


def test_numbers_of_one_unit_are_told_apart_and_others_are_not_guessed() -> None:
    at = 1_772_409_600
    assert epoch_of(at, at + 10) == "seconds"
    assert epoch_of(at * 1_000, at * 1_000 + 10) == "milliseconds"
    assert epoch_of(at * 1_000_000, at * 1_000_000) == "microseconds"
    assert epoch_of(at * 10**9, at * 10**9) == "nanoseconds"
    assert epoch_of(20_260_302, 20_260_305) is None
    assert epoch_of(at, at * 1_000) is None
    assert epoch_of(0, at) is None


TEXTS = {
    "2026-03-02 01:00:00.123456": "2026-03-02 01:00:00.123456",
    "2026-03-02T01:00:00.1234Z": "2026-03-02 01:00:00.123400",
    "2026-03-02T10:00:00.12+09:00": "2026-03-02 01:00:00.120000",
    "2026-03-01 20:00:00.5-0500": "2026-03-02 01:00:00.500000",
    "2026-03-02 10:00:00+09": "2026-03-02 01:00:00.000000",
    "2026-03-02": "2026-03-02 00:00:00.000000",
    "2026-03-02T01:00": "2026-03-02 01:00:00.000000",
    1_772_413_200: "2026-03-02 01:00:00.000000",
    1_772_413_200.25: "2026-03-02 01:00:00.250000",
}


def sqlite_with(path: Path, *times: Any) -> sa.Engine:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE exposures (event_time)")
        connection.executemany("INSERT INTO exposures VALUES (?)", [(time,) for time in times])
    return open_warehouse(f"sqlite:///{path}")


@pytest.mark.parametrize(("written", "right"), TEXTS.items())
def test_sqlite_keeps_times_in_many_forms(tmp_path: Path, written: Any, right: str) -> None:
    engine = sqlite_with(tmp_path / "w.sqlite", written)
    statement = sa.select(sa.table("exposures", sa.column("event_time")).c.event_time)
    with engine.connect() as connection:
        assert read_rows(connection, statement)[0]["event_time"] == right


@pytest.mark.parametrize(
    "wrong", ["2026-03-02 10:00:00 CET", "yesterday", "02.03.2026", 20260302, "1772413200"]
)
def test_a_time_that_does_not_say_which_is_refused_by_name(tmp_path: Path, wrong: Any) -> None:
    engine = sqlite_with(tmp_path / "w.sqlite", "2026-03-02", wrong)
    statement = sa.select(sa.table("exposures", sa.column("event_time")).c.event_time)
    with (
        engine.connect() as connection,
        pytest.raises(
            UnusableColumnError, match=rf"exposures\.event_time holds .*{wrong}.*: store a timestamp"
        ),
    ):
        read_rows(connection, statement)
