"""The catalogue of a warehouse: its tables, views and materialized views, their columns, and what these hold.

Everything that asks "is there such a table, such a column, and of which type?" asks here, so that looks,
quality, doctor and the policy's checks have one answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from belay.warehouse.errors import first_line


class Kind(StrEnum):
    """What a column holds, the same words for every warehouse."""

    TEXT = "text"
    TIMESTAMP = "timestamp"
    ZONED = "timestamp with time zone"
    DATE = "date"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    OTHER = "other"
    UNDECLARED = "undeclared"
    """SQLite does not say (an expression, a table made from a query): each value has a type of its own."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes
    ----------
    name : str
        Its name.
    type : str
        Its type in the warehouse's own words.
    kind : Kind
        What that is.
    """

    name: str
    type: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, view or materialized view.

    Attributes
    ----------
    name : str
        Its name.
    columns : Mapping[str, Column]
        Its columns in their order; empty when it cannot be read.
    problem : str
        What the driver says when it cannot be read.
    """

    name: str
    columns: Mapping[str, Column] = field(default_factory=dict)
    problem: str = ""


def relation_names(connection: Connection) -> list[str]:
    """Return the names of everything that can be read without naming a schema."""
    return sorted({str(row[0]) for row in connection.execute(text(_NAMES[connection.dialect.name]))})


def read_relation(connection: Connection, name: str) -> Relation | None:
    """Return the table or view ``name`` with its columns as they are now, or None when there is none.

    A view that cannot be read (its part file is broken) comes back with a ``problem``.
    """
    problem = ""
    try:
        columns = _COLUMNS[connection.dialect.name](connection, name)
    except DBAPIError as error:
        if connection.dialect.name == "postgresql":  # a timeout, say: its transaction is over
            raise
        columns, problem = [], first_line(error)
        connection.rollback()  # DuckDB answers nothing more in a transaction in which a file was broken
    if not columns and name not in relation_names(connection):
        return None
    return Relation(name, {column.name: column for column in columns}, problem)


def read_catalogue(connection: Connection, names: Iterable[str] | None = None) -> dict[str, Relation]:
    """Return what there is by name, or of ``names`` those that there are."""
    there = relation_names(connection)
    wanted = there if names is None else [name for name in dict.fromkeys(names) if name in there]
    found = {name: read_relation(connection, name) for name in wanted}
    return {name: relation for name, relation in found.items() if relation is not None}


_NAMES = {
    "duckdb": (
        "SELECT table_name FROM duckdb_tables() WHERE NOT internal"
        " UNION SELECT view_name FROM duckdb_views() WHERE NOT internal"
    ),
    "sqlite": (
        "SELECT name FROM (SELECT name, type FROM sqlite_master"
        " UNION SELECT name, type FROM sqlite_temp_master)"
        " WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
    ),
    # r: table, p: partitioned, v: view, m: materialized view, f: foreign table.
    "postgresql": (
        "SELECT c.relname FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND pg_catalog.pg_table_is_visible(c.oid)"
        " AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
    ),
}


def quoted(name: str) -> str:
    """Return a name as an identifier of standard SQL."""
    return '"' + name.replace('"', '""') + '"'


def _duckdb(connection: Connection, name: str) -> list[Column]:
    # Not duckdb_columns(): a view over files remembers the types that they had when it was made.
    rows = connection.exec_driver_sql(f"DESCRIBE SELECT * FROM {quoted(name)}").all()  # noqa: S608 - quoted
    return [Column(str(row[0]), str(row[1]), duckdb_kind(str(row[1]))) for row in rows]


def duckdb_kind(declared: str) -> Kind:
    """Return what a type of DuckDB holds."""
    if declared.endswith("]") or declared.startswith(("STRUCT", "MAP", "UNION")):
        return Kind.OTHER
    base = declared.partition("(")[0].strip().upper()
    if base in {"TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ"}:
        return Kind.ZONED
    return _DUCKDB.get(base, Kind.OTHER)


_DUCKDB = (
    dict.fromkeys(("VARCHAR", "ENUM", "UUID", "CHAR", "TEXT", "STRING"), Kind.TEXT)
    | dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), Kind.TIMESTAMP)
    | dict.fromkeys(
        ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT",
         "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"), Kind.INTEGER)
    | dict.fromkeys(("FLOAT", "DOUBLE", "REAL", "DECIMAL", "NUMERIC"), Kind.NUMBER)
    | {"BOOLEAN": Kind.BOOLEAN, "DATE": Kind.DATE}
)  # fmt: skip


def _postgresql(connection: Connection, name: str) -> list[Column]:
    # A domain counts as what it is made of, an enumeration as text.
    statement = (
        "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),"
        " pg_catalog.format_type(CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END, NULL),"
        " t.typtype"
        " FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid"
        " JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
        " WHERE c.relname = :name AND pg_catalog.pg_table_is_visible(c.oid)"
        " AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
        " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
    )
    return [
        Column(
            str(column), str(declared), Kind.TEXT if made == "e" else _POSTGRESQL.get(str(base), Kind.OTHER)
        )
        for column, declared, base, made in connection.execute(text(statement), {"name": name})
    ]


_POSTGRESQL = (
    dict.fromkeys(("text", "character varying", "character", "name", "uuid", "citext", '"char"'), Kind.TEXT)
    | dict.fromkeys(("smallint", "integer", "bigint"), Kind.INTEGER)
    | dict.fromkeys(("numeric", "real", "double precision"), Kind.NUMBER)
    | {
        "timestamp without time zone": Kind.TIMESTAMP,
        "timestamp with time zone": Kind.ZONED,
        "date": Kind.DATE,
        "boolean": Kind.BOOLEAN,
    }
)


def _sqlite(connection: Connection, name: str) -> list[Column]:
    rows = connection.exec_driver_sql(f"PRAGMA table_info({quoted(name)})").all()
    return [Column(str(row[1]), str(row[2]), sqlite_kind(str(row[2]))) for row in rows]


def sqlite_kind(declared: str) -> Kind:
    """Return what a declared type of SQLite stands for: times and booleans, then its rules of affinity."""
    base = declared.upper()
    if base in {"", "NUM"}:  # NUM: a table made from a query, which kept an affinity and forgot the type
        return Kind.UNDECLARED
    if "BOOL" in base:
        return Kind.BOOLEAN
    if "TIMESTAMP" in base or "DATETIME" in base:
        return Kind.TIMESTAMP
    if base == "DATE":
        return Kind.DATE
    if "INT" in base:
        return Kind.INTEGER
    if any(part in base for part in ("CHAR", "CLOB", "TEXT", "STRING", "UUID", "ENUM")):
        return Kind.TEXT
    if any(part in base for part in ("REAL", "FLOA", "DOUB", "NUM", "DEC")):
        return Kind.NUMBER
    return Kind.OTHER


_COLUMNS = {"duckdb": _duckdb, "sqlite": _sqlite, "postgresql": _postgresql}
