"""How a column is read so that it means the same in every warehouse and every time zone.

A time may be stored as a timestamp, with or without a zone, as a date, or as a whole number of seconds,
milliseconds, microseconds or nanoseconds since 1970; it is read as a timestamp of UTC without a zone. Which
number it is, is told by the column's declared type and the size of its values: those of 1990 to 2100 do not
overlap. Everything else is refused, with a sentence.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from belay.warehouse.catalogue import Column, Kind, Relation, quoted
from belay.warehouse.errors import UnusableColumnError

TIMES = ("event_time", "ingested_at")
"""Columns that hold a time."""

_FIRST, _LAST = 631_152_000, 4_102_444_800
"""Seconds since 1970 of the years 1990 and 2100."""

EPOCHS = {"seconds": 1_000_000, "milliseconds": 1_000, "microseconds": 1, "nanoseconds": 0.001}
"""Microseconds of each unit that a number may count since 1970."""

_RIGHT = (
    "store a timestamp (with or without time zone), a date, "
    "or seconds or milliseconds since 1970 as a whole number"
)

_TEXT = ("TEXT", "VARCHAR", "CHAR", "CITEXT")
"""How the names begin of types that compare with any text."""

Forms = dict[str, str]
"""SQL of the columns that are not read as they are stored, by name."""


def epoch_of(low: float, high: float) -> str | None:
    """Return the unit in which numbers from ``low`` to ``high`` count time since 1970; None when unclear."""
    for unit, micros in EPOCHS.items():
        scale = 1_000_000 / micros
        if _FIRST * scale <= low and high < _LAST * scale:
            return unit
    return None


def forms_of(connection: Connection, relation: Relation, *, native: bool = False) -> Forms:
    """Return how the columns of ``relation`` are read that must not be read as they are stored.

    Parameters
    ----------
    connection
        Of the session that will read; its time zone is UTC.
    relation
        From the catalogue.
    native
        Leave times that compare rightly in this session as they are, so that an index on them is used.

    Raises
    ------
    UnusableColumnError
        When a time is stored in a way that does not say which time it is.
    """
    dialect, forms = connection.dialect.name, {}
    for name, column in relation.columns.items():
        if name in TIMES:
            form = _time(connection, relation.name, column, native=native)
        elif column.kind is Kind.ZONED:
            form = None if native and dialect == "postgresql" else _without_zone(dialect, quoted(name))
        elif column.kind is Kind.TEXT and dialect != "sqlite" and not column.type.upper().startswith(_TEXT):
            form = f"CAST({quoted(name)} AS VARCHAR)"  # an enumeration compares with its own values only
        else:
            form = None
        if form is not None:
            forms[name] = form
    return forms


def _time(connection: Connection, table: str, column: Column, *, native: bool) -> str | None:
    dialect, name = connection.dialect.name, quoted(column.name)
    if dialect == "sqlite":
        return _sqlite_time(connection, table, column)
    match column.kind:
        case Kind.TIMESTAMP:
            return None
        case Kind.ZONED:
            return None if native and dialect == "postgresql" else _without_zone(dialect, name)
        case Kind.DATE:
            return f"CAST({name} AS TIMESTAMP)"
        case Kind.INTEGER | Kind.NUMBER:
            low, high = connection.exec_driver_sql(
                f"SELECT min({name}), max({name}) FROM {quoted(table)}"  # noqa: S608 - quoted names
            ).one()
            if low is None:
                return "CAST(NULL AS TIMESTAMP)"
            micros = f"CAST(CAST({name} AS DOUBLE PRECISION) * {_micros(table, column, low, high)} AS BIGINT)"
            if column.kind is Kind.INTEGER and (factor := _micros(table, column, low, high)) >= 1:
                micros = f"(CAST({name} AS BIGINT) * {factor:.0f})"
            if dialect == "duckdb":
                return f"make_timestamp({micros})"
            return f"(TIMESTAMP '1970-01-01' + {micros} * INTERVAL '1 microsecond')"
        case _:
            raise UnusableColumnError(f"{table}.{column.name} is {column.type}, which is no time: {_RIGHT}")


def _without_zone(dialect: str, name: str) -> str:
    return f"CAST({name} AS TIMESTAMP)" if dialect == "duckdb" else f"({name} AT TIME ZONE 'UTC')"


def _micros(table: str, column: Column, low: Any, high: Any) -> float:
    unit = epoch_of(float(low), float(high))
    if unit is None:
        raise UnusableColumnError(
            f"{table}.{column.name} holds numbers from {low} to {high}, which count neither seconds nor "
            f"milliseconds since 1970 for the years 1990 to 2100: {_RIGHT}"
        )
    return EPOCHS[unit]


# SQLite has no type for times: each value is looked at.

_DIGIT = "[0-9]"
_STORED = f"{_DIGIT * 4}-{_DIGIT * 2}-{_DIGIT * 2} {_DIGIT * 2}:{_DIGIT * 2}:{_DIGIT * 2}.{_DIGIT * 6}"
"""The text in which SQLAlchemy stores a time; what is stored so is taken as it is."""


def _sqlite_time(connection: Connection, table: str, column: Column) -> str:
    name = quoted(column.name)
    written = _sqlite_text(name)
    numeric = f"typeof({name}) IN ('integer', 'real')"
    low, high, unread, example = connection.exec_driver_sql(
        f"SELECT min(CASE WHEN {numeric} THEN {name} END), max(CASE WHEN {numeric} THEN {name} END),"  # noqa: S608
        f" count(CASE WHEN typeof({name}) IN ('text', 'blob') AND {written} IS NULL THEN 1 END),"
        f" min(CASE WHEN typeof({name}) IN ('text', 'blob') AND {written} IS NULL THEN {name} END)"
        f" FROM {quoted(table)}"
    ).one()
    if unread:
        raise UnusableColumnError(
            f"{table}.{column.name} holds values that are no time ({unread:,}, "
            f"such as {str(example)[:40]!r}): {_RIGHT}"
        )
    if low is None:
        return written
    micros = f"CAST({name} * {_micros(table, column, low, high):g} AS INTEGER)"
    counted = (
        f"strftime('%Y-%m-%d %H:%M:%S', {micros} / 1000000, 'unixepoch')"
        f" || '.' || printf('%06d', {micros} % 1000000)"
    )
    return f"CASE WHEN {numeric} THEN {counted} ELSE {written} END"


def _sqlite_text(name: str) -> str:
    """Return SQL of a time's text in UTC (``Z``, ``+09:00``, ``+0900``, ``+09`` are read), or NULL."""
    # SQLAlchemy takes ":00" or ":Zz" in a text for a parameter: no colon stands before a letter or digit.
    sign, digits = "[+-]", _DIGIT * 2
    zone = (
        f"CASE WHEN length({name}) < 20 THEN ''"
        f" WHEN substr({name}, -6) GLOB '{sign}{digits}:{digits}' THEN substr({name}, -6)"
        f" WHEN substr({name}, -5) GLOB '{sign}{digits}{digits}'"
        f" THEN substr({name}, -5, 3) || ':' || substr({name}, -2)"
        f" WHEN substr({name}, -3) GLOB '{sign}{digits}' THEN substr({name}, -3) || char(58) || '00'"
        f" ELSE '' END"
    )
    seconds = f"strftime('%Y-%m-%d %H:%M:%S', rtrim(substr({name}, 1, 19), 'Zz') || {zone})"
    fraction = (
        f"printf('%06d', CASE WHEN substr({name}, 20, 1) = '.'"
        f" THEN round(CAST('0' || substr({name}, 20, 7) AS REAL) * 1000000) ELSE 0 END)"
    )
    # What follows the seconds must be a fraction and a zone: anything else ("CET") would be taken for UTC.
    rest = f"rtrim(substr({name}, 20), '0123456789.+-Zz:') = ''"
    return (
        f"CASE WHEN {name} GLOB '{_STORED}' THEN {name} "
        f"WHEN {name} GLOB '{_DIGIT * 4}-*' AND {rest} THEN {seconds} || '.' || {fraction} END"
    )


def naive(value: Any) -> datetime | None:
    """Return a time as it came from the warehouse as UTC without a zone (SQLite gives text)."""
    from datetime import UTC, date, time

    if value is None:
        return None
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    if isinstance(value, date):
        return datetime.combine(value, time())
    return naive(datetime.fromisoformat(str(value)))
