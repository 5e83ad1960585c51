"""The ledger's tables, and the engine they live in."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL

from belay.urls import parse

metadata = sa.MetaData()

entries = sa.Table(
    "entries",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("capability", sa.Text, nullable=False),
    sa.Column("optimization", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("prev", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Index("entries_key", "key"),
    sa.Index("entries_optimization", "optimization", "seq"),
)

head = sa.Table(
    "head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
)
"""One row: where the chain ends. Moving it from one value to the next is how writers take turns."""

evidence = sa.Table(
    "evidence",
    metadata,
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
)
"""Documents by their SHA-256. When one was stored is for the entry to say that rests on it."""

projections = sa.Table(
    "projections",
    metadata,
    sa.Column("entity", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
)
"""The state, entity by entity: derived from the entries, and rebuilt from them at will.

The row ``MARK`` holds the number of the entry that the others are as of.
"""

monitors = sa.Table(
    "guard_monitors",
    metadata,
    sa.Column("optimization", sa.Text, primary_key=True),
    sa.Column("phase", sa.Integer, nullable=False),
    sa.Column("policy", sa.Text, nullable=False),
    sa.Column("until", sa.Text, nullable=False),
    sa.Column("looks", sa.Integer, nullable=False),
    sa.Column("finding", sa.Text, nullable=False),
    sa.Column("log_e", sa.Float, nullable=False),
    sa.Column("sentence", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
)
"""Where the guard's monitors stand: derived from the warehouse, and rebuilt from it when it is lost."""

beats = sa.Table(
    "guard_beats",
    metadata,
    sa.Column("guard", sa.Text, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("data_time", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)
"""When each guard looked last (wall-clock and data time): how others know that it is there."""

MARK = ("head", "")

REVISION = "0007"
"""The migration that this code expects.

Whenever the state gets another form there has to be a new one, if only an empty one: migrating derives the
projections anew, and else verify would find them changed.
"""


def open_engine(url: str, *, patience: float = 30.0) -> sa.Engine:
    """Return an engine for ``url`` (SQLite or PostgreSQL); a SQLite file's folder is made.

    ``patience`` is how many seconds it is waited for: for a writer's turn, and for a server's answer.
    """
    parsed = parse(url)
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed, patience)
    return sa.create_engine(parsed, pool_pre_ping=True, connect_args=_bounds(parsed, patience))


def _bounds(url: URL, patience: float) -> dict[str, Any]:
    """Return how long PostgreSQL is waited for, as far as ``url`` does not say it itself.

    A writer that is frozen in the middle of a transaction holds the head's row: without a limit everybody
    would wait for it.
    """
    if url.get_backend_name() != "postgresql":
        return {}
    bounds = {"connect_timeout": max(ceil(patience), 2), "options": f"-c lock_timeout={patience * 1000:.0f}"}
    return {name: value for name, value in bounds.items() if name not in url.query}


def _open_sqlite(url: URL, patience: float) -> sa.Engine:
    if url.database and not url.database.startswith("file:"):
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url, connect_args={"timeout": patience})

    @sa.event.listens_for(engine, "do_connect")
    def _reach(_dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]) -> None:
        # SQLite makes two files beside one in WAL mode even to read it. Where it cannot (a read-only disk, an
        # archive), a file that everybody has closed has no such files and can be read as it stands.
        file = Path(arguments[0])
        closed = file.is_file() and not file.with_name(f"{file.name}-wal").exists()
        if closed and not os.access(file.parent, os.W_OK):
            arguments[0], options["uri"] = f"{file.absolute().as_uri()}?immutable=1", True

    @sa.event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: Any) -> None:
        # Transactions are begun by the listener below, not by the driver, so that a writer takes its
        # lock before it reads. Text with broken UTF-8 must still be readable: verify names its row.
        connection.isolation_level = None
        connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
        connection.execute("PRAGMA synchronous=FULL")
        # On a read-only file reading goes on, and writing will say why it cannot.
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode=WAL")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("belay_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
