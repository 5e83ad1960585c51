"""Opening a warehouse, and the two questions that need no plan: how fresh, and how much traffic."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    Connection,
    DateTime,
    Engine,
    RowMapping,
    Select,
    column,
    create_engine,
    event,
    func,
    select,
    table,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

from belay.measurement.plan import naive_utc
from belay.measurement.query import DAY_MS
from belay.measurement.sql import EpochMs, UnitKey, WholeDivision

DIALECTS = ("duckdb", "sqlite", "postgresql")
"""Warehouses that the tests hold to the same figures."""
FRESH = timedelta(hours=2)
"""How old an event may be when it arrives to prove that the stream is alive."""


class WarehouseUnavailableError(RuntimeError):
    """The warehouse could not be opened or read; the message says where and what to do."""


def open_warehouse(url: str) -> Engine:
    """Return an engine on the warehouse at ``url``; a DuckDB catalogue is opened read-only.

    Parameters
    ----------
    url
        ``duckdb:///PATH``, ``sqlite:///PATH`` or ``postgresql+psycopg://…``.

    Raises
    ------
    WarehouseUnavailableError
        When the URL is not one of these, or names a file that does not exist.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise WarehouseUnavailableError(f"warehouse {url!r} is no database URL: {error}") from error
    backend = parsed.get_backend_name()
    if backend not in DIALECTS:
        raise WarehouseUnavailableError(
            f"warehouse {parsed.render_as_string()} is {backend}; Belay reads {', '.join(DIALECTS)}"
        )
    if backend == "postgresql":
        return create_engine(parsed, pool_pre_ping=True)
    path = parsed.database
    if path and path != ":memory:" and not path.startswith("file:") and not Path(path).exists():
        raise WarehouseUnavailableError(
            f"warehouse file {path} does not exist: "
            "start the storefront (or your loader) once, or set BELAY_HOME"
        )
    if backend == "duckdb":
        if path and path != ":memory:":
            parsed = parsed.update_query_dict({"access_mode": "read_only"})
        engine = create_engine(parsed, poolclass=NullPool if path and path != ":memory:" else None)
        event.listen(engine, "connect", _frugal)
        # DuckDB's strings are standard: a backslash is a backslash (Postgres may say otherwise, and its
        # compiler writes DuckDB's literals).
        engine.dialect._backslash_escapes = False  # type: ignore[attr-defined]  # noqa: SLF001
        return engine
    return create_engine(parsed)


def _frugal(connection: Any, _record: Any) -> None:
    """Let DuckDB reorder rows (a look only sums, and order costs memory), and give memory back early."""
    connection.execute("SET preserve_insertion_order = false")
    connection.execute("SET allocator_flush_threshold = '16MB'")
    connection.execute("SET allocator_bulk_deallocation_flush_threshold = '16MB'")


def read_rows(connection: Connection, statement: Select[Any]) -> Sequence[RowMapping]:
    """Return the rows of ``statement``.

    DuckDB plans a statement before it knows the parameters, which made a look half as slow again and
    held a quarter more memory: there, values are written into the statement, quoted by SQLAlchemy.
    """
    if connection.dialect.name != "duckdb":
        return connection.execute(statement).mappings().all()
    text = statement.compile(connection, compile_kwargs={"literal_binds": True}).string
    return connection.exec_driver_sql(text).mappings().all()


def first_line(error: BaseException) -> str:
    """Return the first line of what a driver says, for a sentence."""
    text = str(getattr(error, "orig", None) or error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def watermark(engine: Engine, surface: str, fresh: timedelta = FRESH) -> datetime | None:
    """Return until when data of ``surface`` was arriving (UTC), or None without data.

    That is the newest arrival of an event that was at most ``fresh`` old; the earlier one of exposures
    and outcomes, because the guard is blind when either stream stops. A late batch of old events, and
    an event from a clock that runs ahead of its own arrival, prove nothing and do not count.

    Raises
    ------
    WarehouseUnavailableError
        When the warehouse cannot be read.
    """
    newest: list[datetime | None] = []
    for name in ("exposures", "outcomes"):
        events = table(
            name, column("surface"), column("event_time", DateTime()), column("ingested_at", DateTime())
        )
        age = EpochMs(events.c.ingested_at) - EpochMs(events.c.event_time)
        statement = select(func.max(events.c.ingested_at)).where(
            events.c.surface == surface,
            events.c.event_time <= events.c.ingested_at,
            age <= int(fresh.total_seconds() * 1000),
        )
        newest.append(_scalar(engine, statement))
    return None if None in newest else min(moment for moment in newest if moment is not None)


def watermarks(
    engine: Engine, surfaces: Sequence[str], fresh: timedelta = FRESH
) -> dict[str, datetime | None]:
    """Return the ``watermark`` of every surface, in two statements however many there are.

    Raises
    ------
    WarehouseUnavailableError
        When the warehouse cannot be read.
    """
    newest: list[dict[str, datetime]] = []
    for name in ("exposures", "outcomes"):
        events = table(
            name, column("surface"), column("event_time", DateTime()), column("ingested_at", DateTime())
        )
        age = EpochMs(events.c.ingested_at) - EpochMs(events.c.event_time)
        statement = (
            select(events.c.surface, func.max(events.c.ingested_at))
            .where(
                events.c.surface.in_(sorted(surfaces)),
                events.c.event_time <= events.c.ingested_at,
                age <= int(fresh.total_seconds() * 1000),
            )
            .group_by(events.c.surface)
        )
        try:
            with engine.connect() as connection:
                newest.append({str(surface): at for surface, at in connection.execute(statement)})
        except DBAPIError as error:
            raise WarehouseUnavailableError(f"the warehouse cannot be read: {first_line(error)}") from error
    return {
        s: min(found[s] for found in newest) if all(s in found for found in newest) else None
        for s in surfaces
    }


def daily_units(engine: Engine, surface: str, since: datetime, until: datetime) -> NDArray[np.int64]:
    """Return how many units came to ``surface`` for the first time on each day since ``since``.

    Days are periods of 24 hours from ``since``; the sum is the number of distinct units. Units are
    counted in the outcomes, which are logged whether or not an optimization is live.

    Raises
    ------
    WarehouseUnavailableError
        When the warehouse cannot be read.
    """
    since, until = naive_utc(since), naive_utc(until)
    days = max(-((since - until) // timedelta(days=1)), 0)
    outcomes = table("outcomes", column("unit_id"), column("surface"), column("event_time", DateTime()))
    started = _ms(since)
    first = (
        select(func.min(EpochMs(outcomes.c.event_time)).label("first"))
        .where(
            outcomes.c.surface == surface,
            outcomes.c.event_time >= since,
            outcomes.c.event_time < until,
            outcomes.c.unit_id.is_not(None),
        )
        .group_by(UnitKey(outcomes.c.unit_id))
        .subquery()
    )
    # The day is computed in a subquery: Postgres does not see that two bound parameters are the same.
    by_day = select(WholeDivision(first.c.first - started, DAY_MS).label("day")).subquery()
    statement = select(by_day.c.day, func.count()).group_by(by_day.c.day)
    counts = np.zeros(days, dtype=np.int64)
    try:
        with engine.connect() as connection:
            for day, units in connection.execute(statement):
                counts[int(day)] = units
    except DBAPIError as error:
        raise WarehouseUnavailableError(
            f"traffic of {surface} cannot be read: {first_line(error)}"
        ) from error
    return counts


def _ms(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1)) // timedelta(milliseconds=1)  # noqa: DTZ001 - naive UTC, as stored


def _scalar(engine: Engine, statement: Any) -> datetime | None:
    try:
        with engine.connect() as connection:
            found: datetime | None = connection.execute(statement).scalar()
            return found
    except DBAPIError as error:
        raise WarehouseUnavailableError(f"the warehouse cannot be read: {first_line(error)}") from error
