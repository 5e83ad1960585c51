"""One state of the warehouse for many statements, while its loader goes on writing.

Postgres: every transaction takes one exported snapshot, REPEATABLE READ and READ ONLY. SQLite: one
connection in one read transaction (a writer of the same file waits for its end unless the file is in WAL
mode). DuckDB: one connection; a view over files reads the list of files that there was at the start, and a
view whose files cannot be listed is read once, into memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event

from belay.warehouse.catalogue import quoted

_FILES = re.compile(
    r"\b(read_parquet|parquet_scan|read_csv|read_csv_auto|read_json|read_json_auto|read_ndjson)\(\s*"
    r"((?:main\.)?list_value\((?:[^()']|'(?:[^']|'')*')*\)|'(?:[^']|'')*')"
)
"""A function over files in the text of a view, as DuckDB keeps it, and the files that it names."""

_LITERAL = re.compile(r"'((?:[^']|'')*)'")
_SCANS = ("READ_", "PARQUET_SCAN", "CSV_SCAN", "JSON_SCAN")


@dataclass(slots=True)
class State:
    """What is held still.

    Attributes
    ----------
    files : dict[str, tuple[int, int]]
        Size and time of each local file that is read, as it was at the start.
    """

    files: dict[str, tuple[int, int]] = field(default_factory=dict)

    def changed(self) -> list[str]:
        """Return the files that were replaced or taken away since; a new one is not read, and is none."""
        return sorted(name for name, was in self.files.items() if _stamp(name) != was)


@contextmanager
def one_state(engine: Engine, names: Iterable[str]) -> Iterator[State]:
    """Let everything that ``engine`` reads of the tables ``names`` be of one moment.

    On SQLite and DuckDB ``engine`` must keep to one connection (``StaticPool``).
    """
    held = {"postgresql": _postgresql, "sqlite": _sqlite, "duckdb": _duckdb}[engine.dialect.name]
    with held(engine, list(names)) as state:
        yield state


@contextmanager
def _postgresql(engine: Engine, _names: list[str]) -> Iterator[State]:
    level = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
    with engine.connect() as keeper:
        keeper.exec_driver_sql(level)
        snapshot = keeper.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()

        def join(connection: Connection) -> None:
            connection.exec_driver_sql(level)
            connection.exec_driver_sql(f"SET TRANSACTION SNAPSHOT '{snapshot}'")

        event.listen(engine, "begin", join)
        try:
            yield State()
        finally:
            event.remove(engine, "begin", join)


@contextmanager
def _sqlite(engine: Engine, _names: list[str]) -> Iterator[State]:
    proxy = engine.raw_connection()
    driver: Any = proxy.driver_connection
    driver.isolation_level = None  # no transaction but ours
    driver.execute("BEGIN")
    driver.execute(
        "SELECT count(*) FROM sqlite_master"
    ).fetchall()  # the transaction begins with its first read
    try:
        with _without_transactions(engine):
            yield State()
    finally:
        driver.execute("ROLLBACK")
        proxy.close()


@contextmanager
def _without_transactions(engine: Engine) -> Iterator[None]:
    """Keep whoever shares the one connection from beginning and ending transactions on it."""
    dialect: Any = engine.dialect
    names = ("do_begin", "do_commit", "do_rollback")
    kept = {name: getattr(dialect, name) for name in names}
    for name in names:
        setattr(dialect, name, lambda _connection: None)
    try:
        yield
    finally:
        for name, method in kept.items():
            setattr(dialect, name, method)


@contextmanager
def _duckdb(engine: Engine, names: list[str]) -> Iterator[State]:
    proxy = engine.raw_connection()
    driver: Any = proxy.driver_connection
    state = State()
    try:
        views = driver.execute(
            "SELECT view_name, sql FROM duckdb_views() WHERE NOT internal AND NOT temporary"
        ).fetchall()
        listed = {name for name, made in views if _list_files(driver, str(made), state)}
        for name in names:
            if name in {view for view, _ in views} - listed and _reads_files(driver, name):
                stored = f"SELECT * FROM main.{quoted(name)}"  # noqa: S608 - a name of the catalogue, quoted
                driver.execute(f"CREATE TEMP TABLE {quoted(name)} AS {stored}")
        # Not in a transaction: one statement that fails would end it. The file's own tables hold still
        # because a process that reads the file keeps every writer out.
        with _without_transactions(engine):
            yield state
    finally:
        proxy.close()


def _list_files(driver: Any, made: str, state: State) -> bool:
    """Let a view read the files that there are now; return whether its text names files."""
    found: list[str] = []

    def listed(match: re.Match[str]) -> str:
        patterns = [text.replace("''", "'") for text in _LITERAL.findall(match[2])]
        files = [
            str(row[0])
            for pattern in patterns
            for row in driver.execute("SELECT file FROM glob(?) ORDER BY file", [pattern]).fetchall()
        ]
        found.extend(files)
        named = ", ".join("'" + name.replace("'", "''") + "'" for name in files or patterns)
        return f"{match[1]}([{named}]"

    frozen = _FILES.sub(listed, made)
    if not found:
        return False
    try:
        driver.execute(frozen.replace("CREATE VIEW", "CREATE TEMP VIEW", 1))
    except Exception:  # noqa: BLE001 - a view that cannot be read is told where it is read
        return True
    state.files |= {name: stamp for name in found if (stamp := _stamp(name)) is not None}
    return True


def _reads_files(driver: Any, name: str) -> bool:
    try:
        plan = str(driver.execute(f"EXPLAIN SELECT * FROM main.{quoted(name)}").fetchall())  # noqa: S608 - quoted
    except Exception:  # noqa: BLE001 - a view that cannot be read is told where it is read
        return False
    return any(scan in plan for scan in _SCANS)


def _stamp(name: str) -> tuple[int, int] | None:
    try:
        found = Path(name).stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
