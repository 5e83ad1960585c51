"""Opening a warehouse and reading rows from it: every session in UTC, every time and type read alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import (
    CTE,
    Connection,
    Engine,
    RowMapping,
    Select,
    TableClause,
    create_engine,
    event,
    literal_column,
    select,
    table,
)
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.visitors import ExternallyTraversible

from belay.urls import parse
from belay.warehouse.catalogue import Kind, Relation, quoted, read_relation
from belay.warehouse.errors import WarehouseUnavailableError
from belay.warehouse.forms import Forms, forms_of

DIALECTS = ("duckdb", "sqlite", "postgresql")
"""Warehouses that the tests hold to the same figures."""

STATEMENT_SECONDS = 600
"""How long one statement may take on Postgres, where its role and URL set no ``statement_timeout``."""

_ASSIGNMENT = frozenset({"exposures", "decisions"})
"""Tables whose booleans are filters; elsewhere a boolean is a figure, 0 or 1."""

_MEMO = "belay_sources"


def open_warehouse(url: str) -> Engine:
    """Return an engine on the warehouse at ``url``, in UTC; a DuckDB catalogue is opened read-only.

    What one connection of it reads is one state of the warehouse on Postgres (REPEATABLE READ).

    Parameters
    ----------
    url
        ``duckdb:///PATH``, ``sqlite:///PATH``, ``postgresql://…`` or ``postgres://…``.

    Raises
    ------
    WarehouseUnavailableError
        When the URL is not one of these, or names a file that does not exist.
    """
    try:
        parsed = parse(url)
    except ValueError as error:
        raise WarehouseUnavailableError(f"warehouse {url!r} is no database URL: {error}") from error
    backend = parsed.get_backend_name()
    if backend not in DIALECTS:
        raise WarehouseUnavailableError(
            f"warehouse {parsed.render_as_string()} is {backend}; Belay reads {', '.join(DIALECTS)}"
        )
    path = parsed.database
    embedded = backend != "postgresql" and path and path != ":memory:" and not path.startswith("file:")
    if embedded and not Path(str(path)).exists():
        raise WarehouseUnavailableError(
            f"warehouse file {path} does not exist: "
            "start the storefront (or your loader) once, or set BELAY_HOME"
        )
    if backend == "postgresql":
        engine = create_engine(parsed, pool_pre_ping=True, isolation_level="REPEATABLE READ")
    elif backend == "duckdb":
        if path and path != ":memory:":
            parsed = parsed.update_query_dict({"access_mode": "read_only"})
        engine = create_engine(parsed, poolclass=NullPool if path and path != ":memory:" else None)
        event.listen(engine, "connect", _frugal)
        # DuckDB's strings are standard: a backslash is a backslash (Postgres may say otherwise, and its
        # compiler writes DuckDB's literals).
        engine.dialect._backslash_escapes = False  # type: ignore[attr-defined]  # noqa: SLF001
    else:
        engine = create_engine(parsed)
    pin_to_utc(engine)
    if backend == "postgresql":
        event.listen(engine, "connect", _linear)
    event.listen(engine, "checkout", _forget)
    return engine


def pin_to_utc(engine: Engine) -> None:
    """Let every session of ``engine`` read times in UTC, whatever machine, user or server prefer."""
    if engine.dialect.name in {"duckdb", "postgresql"}:
        event.listen(engine, "connect", _utc)


def _utc(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("SET TimeZone = 'UTC'")
    cursor.close()
    if hasattr(connection, "autocommit"):  # Postgres: a setting of a transaction that is rolled back is lost
        connection.commit()


def _linear(connection: Any, _record: Any) -> None:
    """Let Postgres join by hash or merge alone, and give up in the end.

    It does not know how many rows a query inside a statement has, and guesses one for a young window: joined
    by a nested loop, every unit then reads every outcome, and minutes become hours. Every join of a look has
    an equality, so none needs a loop over many rows. A timeout that the role or the URL sets is kept.
    """
    cursor = connection.cursor()
    cursor.execute("SET enable_nestloop = off")
    cursor.execute("SET jit = off")
    cursor.execute(
        "SELECT set_config('statement_timeout', %s, false) WHERE current_setting('statement_timeout') = '0'",
        (f"{STATEMENT_SECONDS}s",),
    )
    cursor.close()
    connection.commit()


def _frugal(connection: Any, _record: Any) -> None:
    """Let DuckDB reorder rows (a look only sums, and order costs memory), and give memory back early."""
    connection.execute("SET preserve_insertion_order = false")
    connection.execute("SET allocator_flush_threshold = '16MB'")
    connection.execute("SET allocator_bulk_deallocation_flush_threshold = '16MB'")


def _forget(_connection: Any, record: Any, _proxy: Any) -> None:
    """What a table holds may have changed since this connection was last used."""
    record.info.pop(_MEMO, None)


def read_rows(connection: Connection, statement: Select[Any]) -> Sequence[RowMapping]:
    """Return the rows of ``statement``; times and figures in its tables are read alike in every warehouse.

    A table that stores a time otherwise than as a timestamp of UTC is read through a query of the same
    name that says how (see ``forms``), so that no statement need know how anything is stored.

    DuckDB plans a statement before it knows the parameters, which made a look half as slow again and
    held a quarter more memory: there, values are written into the statement, quoted by SQLAlchemy.

    Raises
    ------
    UnusableColumnError
        When a time is stored in a way that does not say which time it is.
    """
    for source in _sources(connection, statement):
        statement = statement.add_cte(source)
    if connection.dialect.name != "duckdb":
        return connection.execute(statement).mappings().all()
    text = statement.compile(connection, compile_kwargs={"literal_binds": True}).string
    return connection.exec_driver_sql(text).mappings().all()


def _tables_in(statement: Select[Any]) -> set[str]:
    """Return the names of the stored tables that ``statement`` reads.

    Each element is looked at once: queries share parts, and SQLAlchemy's own iteration walks a shared part
    anew for each way to it, which takes seconds for the statement of a shadow.
    """
    seen: dict[int, ExternallyTraversible] = {}  # held, so that no identity is given to another
    names: set[str] = set()
    waiting: list[ExternallyTraversible] = [statement]
    while waiting:
        element = waiting.pop()
        if id(element) in seen:
            continue
        seen[id(element)] = element
        if type(element) is TableClause:
            names.add(element.name)
        waiting.extend(element.get_children())
    return names


def _sources(connection: Connection, statement: Select[Any]) -> list[CTE]:
    memo: dict[str, CTE | None] = connection.info.setdefault(_MEMO, {})
    found = []
    for name in sorted(_tables_in(statement)):
        if name not in memo:
            relation = read_relation(connection, name)
            if relation is not None and relation.problem:
                raise WarehouseUnavailableError(f"{name} cannot be read: {relation.problem}")
            memo[name] = None if relation is None else _source(connection, relation)
        if (source := memo[name]) is not None:
            found.append(source)
    return found


def _source(connection: Connection, relation: Relation) -> CTE | None:
    """Return the query that stands for a table whose columns are not read as they are stored, else None."""
    dialect = connection.dialect.name
    forms: Forms = forms_of(connection, relation, native=True)
    if dialect == "postgresql" and relation.name not in _ASSIGNMENT:
        # Postgres alone does not cast a boolean to a number with decimals.
        booleans = (each for each in relation.columns.values() if each.kind is Kind.BOOLEAN)
        forms |= {each.name: f"CAST({quoted(each.name)} AS INTEGER)" for each in booleans}
    if not forms:
        return None
    # Named with its schema: elsewhere than on Postgres a query of the same name would refer to itself.
    stored = table(relation.name, schema=None if dialect == "postgresql" else "main")
    columns: list[Any] = [
        literal_column(forms.get(name, quoted(name))).label(name) for name in relation.columns
    ]
    source = select(*columns).select_from(stored).cte(relation.name)
    return source.prefix_with("NOT MATERIALIZED", dialect="postgresql")
