"""Where Belay's messages are in Slack, kept beside the ledger.

Several watchers share it, on as many machines, and one that starts again asks Slack for nothing. It is no
truth: what is lost is read from the channel's history again (`belay.slack.history`).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.pool import QueuePool
from sqlalchemy.schema import CreateTable

from belay.ledger.errors import LedgerError, explained

_log = logging.getLogger(__name__)
_metadata = sa.MetaData()
_messages = sa.Table(
    "slack_messages",
    _metadata,
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("posted_in", sa.Text, nullable=False),  # the channel's id, where ``channel`` is its name
    sa.Column("ts", sa.Text, nullable=False),  # empty: somebody has begun to post it
    sa.Column("at", sa.Text, nullable=False),  # when the row was written last
    sa.Column("shown", sa.Text, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
)
_SEARCHED = ""
"""The row that says that everything of ours in the channel is in the table."""
_LEFT_BEHIND = timedelta(seconds=60)
"""Who has begun to post and has not said where within this time has ended (a call ends after ten seconds)."""


class Claim(StrEnum):
    """What became of wanting to post something."""

    MINE = "mine"
    TAKEN = "taken"  # another watcher is at it
    IN_DOUBT = "in doubt"  # somebody began and did not end: it may be there


@dataclass(frozen=True, slots=True)
class Posted:
    """Where a message is.

    Attributes
    ----------
    payload : Mapping[str, Any]
        What is remembered of it besides its name.
    shown : str
        Digest of what it shows.
    """

    channel: str
    ts: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    shown: str = ""


class MessageStore:
    """The messages of one channel. Raises `LedgerError` when its database fails."""

    def __init__(self, engine: sa.Engine | None, channel: str) -> None:
        """Keep them in ``engine``, the ledger's database; in memory only without one."""
        self._channel = channel
        self._engine = _ready(engine)

    def get(self, name: str) -> Posted | None:
        """Return where the message called ``name`` is; None where it is not known to be posted."""
        row = self._row(name)
        return None if row is None or not row.ts else _posted(row)

    def names(self, prefix: str = "") -> list[str]:
        """Return the names of the messages that are posted."""
        wanted = sa.select(_messages.c.name).where(self._mine(), _messages.c.ts != "")
        with self._reading() as connection:
            found = connection.scalars(wanted).all()
        return sorted(name for name in found if name != _SEARCHED and name.startswith(prefix))

    def shown(self) -> dict[str, str]:
        """Return the digest of what each message shows."""
        with self._reading() as connection:
            rows = connection.execute(sa.select(_messages).where(self._mine())).all()
        return {row.name: row.shown for row in rows if row.ts and row.shown}

    def claim(self, name: str) -> Claim:
        """Say that ``name`` is about to be posted; of several who say so at once one may."""
        now = datetime.now(UTC)
        row = {"channel": self._channel, "name": name, "posted_in": "", "ts": "", "at": now.isoformat()}
        fresh = self._insert().values(**row, shown="", payload="{}").on_conflict_do_nothing()
        with self._writing() as connection:
            # Not by rowcount: psycopg reports -1 where the row was there.
            if connection.execute(fresh.returning(_messages.c.name)).first() is not None:
                return Claim.MINE
        found = self._row(name)
        if found is None or found.ts:
            return Claim.TAKEN
        left = found.shown == Claim.IN_DOUBT or datetime.fromisoformat(found.at) < now - _LEFT_BEHIND
        return Claim.IN_DOUBT if left else Claim.TAKEN

    def doubt(self, name: str) -> None:
        """Say that ``name`` may have been posted: Slack did not answer whether it was."""
        with self._writing() as connection:
            changed = sa.update(_messages).where(self._is(name), _messages.c.ts == "")
            connection.execute(changed.values(shown=str(Claim.IN_DOUBT)))

    def begun(self) -> dict[str, datetime]:
        """Return what somebody began to post, and when, of which nobody knows whether it is there."""
        with self._reading() as connection:
            rows = connection.execute(sa.select(_messages).where(self._mine(), _messages.c.ts == "")).all()
        return {
            row.name: datetime.fromisoformat(row.at)
            for row in rows
            if row.shown == Claim.IN_DOUBT
            or datetime.fromisoformat(row.at) < datetime.now(UTC) - _LEFT_BEHIND
        }

    def put(self, name: str, posted: Posted) -> None:
        """Remember where a message is and what it shows."""
        row = {
            "channel": self._channel,
            "name": name,
            "ts": posted.ts,
            "at": datetime.now(UTC).isoformat(),
            "shown": posted.shown,
            "payload": json.dumps(dict(posted.payload), sort_keys=True),
            "posted_in": posted.channel,
        }
        statement = self._insert().values(**row)
        changed = {key: statement.excluded[key] for key in ("posted_in", "ts", "at", "shown", "payload")}
        with self._writing() as connection:
            connection.execute(
                statement.on_conflict_do_update(index_elements=["channel", "name"], set_=changed)
            )

    def forget(self, name: str) -> None:
        """Forget a message: it is not there (any more)."""
        with self._writing() as connection:
            connection.execute(sa.delete(_messages).where(self._is(name)))

    @property
    def complete(self) -> bool:
        """Whether what is not here was never posted."""
        return self._row(_SEARCHED) is not None

    def completed(self) -> None:
        """Say that everything of ours in the channel is here."""
        self.put(_SEARCHED, Posted(self._channel, "searched"))

    # -- inside ---------------------------------------------------------------------------------

    def _row(self, name: str) -> Any:
        with self._reading() as connection:
            return connection.execute(sa.select(_messages).where(self._is(name))).first()

    def _mine(self) -> sa.ColumnElement[bool]:
        return _messages.c.channel == self._channel

    def _is(self, name: str) -> sa.ColumnElement[bool]:
        return sa.and_(self._mine(), _messages.c.name == name)

    def _insert(self) -> Any:
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        return dialect.insert(_messages)

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with explained(self._engine), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with explained(self._engine), self._engine.execution_options(belay_writes=True).begin() as connection:
            yield connection


def _ready(engine: sa.Engine | None) -> sa.Engine:
    """Return an engine that has the table; where none may be made, one that lasts as long as this process."""
    if engine is not None:
        try:
            if not sa.inspect(engine).has_table(_messages.name):
                with explained(engine), engine.execution_options(belay_writes=True).begin() as connection:
                    connection.execute(CreateTable(_messages, if_not_exists=True))
        except LedgerError as error:
            _log.warning(
                "where Slack's messages are is kept in this process only, and looked up in the channel "
                "after a restart: no table slack_messages could be made: %s",
                error,
            )
        else:
            return engine
    # One connection, which is the database: whoever uses it has it alone, or two threads' results mix.
    memory = sa.create_engine(
        "sqlite://",
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        connect_args={"check_same_thread": False},
    )
    _metadata.create_all(memory)
    return memory


def _posted(row: Any) -> Posted:
    return Posted(row.posted_in, row.ts, json.loads(row.payload), row.shown)
