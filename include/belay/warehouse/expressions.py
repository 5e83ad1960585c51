"""The few expressions that DuckDB, SQLite and Postgres spell differently."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, DateTime, Float, String, and_, cast, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import BigInteger, SmallInteger, TypeEngine

LARGEST_DOUBLE = 1.7976931348623157e308


class Tiny(SmallInteger):
    """A small whole number; one byte on DuckDB, where a look keeps millions of them at once."""


class EpochMs(FunctionElement[int]):
    """Milliseconds since 1970 of a timestamp, rounded down."""

    type: TypeEngine[int] = BigInteger()
    inherit_cache = True


class UnitKey(FunctionElement[Any]):
    """What units are grouped by: on DuckDB a 64-bit hash, which halves the memory of a look.

    Two of ten million units share a key with a probability of 3 in a million.
    """

    inherit_cache = True


class WholeDivision(FunctionElement[int]):
    """Quotient of two non-negative integers, rounded down."""

    type: TypeEngine[int] = BigInteger()
    inherit_cache = True


class AsMoment(FunctionElement[datetime]):
    """A moment written as ``YYYY-MM-DD HH:MM:SS.ffffff``, to compare times with."""

    type: TypeEngine[datetime] = DateTime()
    inherit_cache = True


class AsNumber(FunctionElement[float]):
    """The value as a double; NULL when it is text: a column that changed type is counted, not summed."""

    type: TypeEngine[float] = Float()
    inherit_cache = True


class Finite(FunctionElement[float]):
    """The value as a double when it is a finite number, else NULL."""

    type: TypeEngine[float] = Float()
    inherit_cache = True


_WHOLE = ", ".join(
    f"'{kind}'"
    for kind in (
        "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"
    )
)  # fmt: skip
"""DuckDB's types whose every value is a finite number."""


@compiles(Tiny)
def _tiny(_type: Any, compiler: Any, **_kw: Any) -> str:
    return "TINYINT" if compiler.dialect.name == "duckdb" else "SMALLINT"


@compiles(EpochMs)
def _epoch_ms(element: Any, compiler: Any, **kw: Any) -> str:
    inner = compiler.process(element.clauses, **kw)
    if compiler.dialect.name == "duckdb":
        return f"epoch_ms({inner})"
    if compiler.dialect.name == "sqlite":  # timestamps are text: YYYY-MM-DD HH:MM:SS.ffffff
        return (
            f"(CAST(strftime('%s', {inner}) AS INTEGER) * 1000"
            f" + CAST(substr({inner} || '.000', 21, 3) AS INTEGER))"
        )
    return f"CAST(floor(extract(epoch FROM {inner}) * 1000) AS BIGINT)"


@compiles(AsMoment)
def _as_moment(element: Any, compiler: Any, **kw: Any) -> str:
    inner = compiler.process(element.clauses, **kw)
    return str(inner) if compiler.dialect.name == "sqlite" else f"CAST({inner} AS TIMESTAMP)"


@compiles(UnitKey)
def _unit_key(element: Any, compiler: Any, **kw: Any) -> str:
    inner = compiler.process(element.clauses, **kw)
    text = f"CAST({inner} AS VARCHAR)"  # a unit is the same whether a table stores it as text or number
    return f"hash({text})" if compiler.dialect.name == "duckdb" else text


@compiles(WholeDivision)
def _whole_division(element: Any, compiler: Any, **kw: Any) -> str:
    number, divisor = (compiler.process(clause, **kw) for clause in element.clauses)
    # Operands in parentheses: a sum or difference among them must not bind to the division.
    return f"(({number}) {'//' if compiler.dialect.name == 'duckdb' else '/'} ({divisor}))"


@compiles(AsNumber)
def _as_number(element: Any, compiler: Any, **kw: Any) -> str:
    inner = compiler.process(element.clauses, **kw)
    if compiler.dialect.name == "duckdb":
        return f"(CASE WHEN typeof({inner}) <> 'VARCHAR' THEN TRY_CAST({inner} AS DOUBLE) END)"
    if compiler.dialect.name == "sqlite":
        return f"(CASE WHEN typeof({inner}) IN ('integer', 'real') THEN CAST({inner} AS REAL) END)"
    return (
        f"(CASE WHEN pg_typeof({inner})::text IN ('smallint', 'integer', 'bigint', 'numeric', 'real',"
        f" 'double precision') THEN CAST({inner} AS DOUBLE PRECISION) END)"
    )


@compiles(Finite)
def _finite(element: Any, compiler: Any, **kw: Any) -> str:
    number = compiler.process(AsNumber(*element.clauses), **kw)
    checked = f"CASE WHEN abs({number}) <= {LARGEST_DOUBLE!r} THEN {number} END"
    if compiler.dialect.name != "duckdb":
        return f"({checked})"
    # DuckDB knows the type before it reads a row: whole numbers then cost no check.
    inner = compiler.process(element.clauses, **kw)
    return f"(CASE WHEN typeof({inner}) IN ({_WHOLE}) THEN TRY_CAST({inner} AS DOUBLE) ELSE {checked} END)"


def finite(column: ColumnElement[Any]) -> ColumnElement[float]:
    """Return the column's value when it is a finite number, else NULL."""
    return Finite(column)


def matches(column: ColumnElement[Any], wanted: str) -> ColumnElement[bool]:
    """Return whether ``column`` has the value that a declared filter names: true, false, or a text."""
    if wanted.lower() in {"true", "false"}:
        return and_(column.is_not(None), column == literal(wanted.lower() == "true"))
    return and_(column.is_not(None), cast(column, String) == literal(wanted))
