"""The ledger itself: read, decide, append; everything else asks it.

Writers take turns by moving the chain's head from the value they read to the next one
(compare-and-swap): whoever comes second decides again on the newer state.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from belay.domain.actors import Actor, ActorKind
from belay.domain.commands import Command
from belay.domain.decide import decide
from belay.domain.digest import canonical_json, sha256_of
from belay.domain.events import CommandRefused, Event
from belay.domain.evolve import Draft, Recorded
from belay.domain.rules.answer import Refusal
from belay.domain.state import State
from belay.ledger import codec
from belay.ledger.chain import Entry, hash_of
from belay.ledger.schema import MARK, REVISION, entries, evidence, head, open_engine, projections

_ATTEMPTS = 50
_PROJECTED = [column.name for column in projections.columns]


class LedgerError(Exception):
    """The ledger cannot be read or written; the message says which, where and what to do."""


class _OvertakenError(Exception):
    """Another writer moved the head first."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a command.

    Attributes
    ----------
    events : tuple[Event, ...]
        What was appended, now or (``replayed``) when the same key was asked before.
    refusal : Refusal | None
        Why nothing was, when the rules said no.
    state : State
        The state after it.
    replayed : bool
        Whether an earlier command with the same key is being answered again.
    """

    events: tuple[Event, ...]
    refusal: Refusal | None
    state: State
    replayed: bool = False


class Ledger:
    """An open ledger. Safe to share between threads; processes coordinate through the database."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self._state: State | None = None
        self._lock = threading.RLock()

    @classmethod
    def open(cls, url: str, *, patience: float = 30.0, create: bool = True) -> Ledger:
        """Open the ledger at ``url``; an embedded SQLite file is created (``create``) and migrated as needed.

        ``patience`` is how many seconds a writer waits for its turn on SQLite.

        Raises
        ------
        LedgerError
            When the database cannot be reached, a server's ledger was not migrated, or there is none and
            none is to be made.
        """
        try:
            if not create and not has_begun(url):
                raise LedgerError(f"there is no ledger at {url}: set BELAY_HOME or BELAY_LEDGER_URL")
            engine = open_engine(url, patience=patience)
        except (sa.exc.ArgumentError, ImportError) as error:
            raise LedgerError(
                f"{url!r} is no URL of a ledger: sqlite:///… or postgresql://… ({error})"
            ) from None
        except OSError as error:
            raise LedgerError(f"the ledger's folder cannot be made: {error}") from error
        with explained(engine):
            found = revision(engine)
            if found is None and engine.dialect.name == "sqlite":
                from belay.ledger.migrations import upgrade

                upgrade(engine)
            elif found is None:
                raise LedgerError("the ledger's tables are missing: run `belay ledger upgrade`")
            elif found != REVISION:
                raise LedgerError(
                    f"the ledger is at revision {found}, and this Belay needs {REVISION}: "
                    "run `belay ledger upgrade`, or the newer Belay that wrote it"
                )
        return cls(engine)

    def close(self) -> None:
        """Release the database connections."""
        self.engine.dispose()

    # -- read -----------------------------------------------------------------------------------

    def state(self) -> State:
        """Return the state as of the last entry."""
        with self._lock, explained(self.engine), self.engine.connect() as connection:
            return self._refresh(connection)

    def head(self) -> tuple[int, str]:
        """Return the number and hash of the last entry."""
        with explained(self.engine), self.engine.connect() as connection:
            row = connection.execute(sa.select(head.c.seq, head.c.hash)).one()
            return row.seq, row.hash

    def entries(
        self, after: int = 0, *, optimization: str | None = None, last: int | None = None
    ) -> Iterator[Entry]:
        """Yield entries in order: those after ``after``, of one optimization, or only the ``last`` ones."""
        query = sa.select(entries).where(entries.c.seq > after)
        if optimization is not None:
            query = query.where(entries.c.optimization == optimization)
        if last is not None:
            newest = query.order_by(entries.c.seq.desc()).limit(last).subquery()
            query = sa.select(newest).order_by(newest.c.seq)
        else:
            query = query.order_by(entries.c.seq)
        with explained(self.engine), self.engine.connect() as connection:
            for row in connection.execution_options(yield_per=5000).execute(query):
                yield Entry(*row)

    def history(self, after: int = 0, *, optimization: str | None = None) -> Iterator[Recorded]:
        """Yield the entries as recorded events."""
        for entry in self.entries(after, optimization=optimization):
            yield recorded(entry)

    # -- write ----------------------------------------------------------------------------------

    def execute(self, command: Command, *, by: Actor, at: datetime, key: str = "") -> Outcome:
        """Decide ``command`` on the newest state and append what follows from it.

        Parameters
        ----------
        command
            What is asked.
        by
            Who asks.
        at
            Wall-clock time, UTC, aware.
        key
            Idempotency key: a command whose key has led to entries before is answered with those.

        Raises
        ------
        LedgerError
            When the ledger cannot be read or written. Nothing was appended then.
        """
        at = _utc(at)
        with self._lock, explained(self.engine):
            for _ in range(_ATTEMPTS):
                with self.engine.connect() as connection:
                    state = self._refresh(connection)
                    if key and (earlier := _events_of(connection, key)):
                        return Outcome(earlier, None, state, replayed=True)
                answer = decide(state, command, by=by, at=at)
                refusal = answer if isinstance(answer, Refusal) else None
                events: tuple[Event, ...] = () if isinstance(answer, Refusal) else answer
                if refusal is not None and refusal.kept:
                    events = (_refused(command, refusal),)
                if not events:
                    return Outcome((), refusal, state)
                try:
                    after = self._append(state, events, by, at, key if refusal is None else "")
                except _OvertakenError:
                    continue
                return Outcome(() if refusal else events, refusal, after)
        raise LedgerError(f"the ledger is too busy: overtaken {_ATTEMPTS} times in a row; try again")

    def put_evidence(self, document: Any) -> str:
        """Store a JSON document once, under its SHA-256, and return that."""
        digest = sha256_of(document)
        row = {"sha256": digest, "body": canonical_json(document)}
        dialect = postgresql if self.engine.dialect.name == "postgresql" else sqlite
        with explained(self.engine), self._writing() as connection:
            connection.execute(dialect.insert(evidence).values(row).on_conflict_do_nothing())
        return digest

    def get_evidence(self, digest: str) -> Any:
        """Return the document named ``digest``.

        Raises
        ------
        LedgerError
            When there is none, or when it is not what its name says.
        """
        with explained(self.engine), self.engine.connect() as connection:
            body = connection.scalar(sa.select(evidence.c.body).where(evidence.c.sha256 == digest))
        if body is None:
            raise LedgerError(f"there is no evidence {digest}")
        document = codec.from_json(body)
        if sha256_of(document) != digest:
            raise LedgerError(f"evidence {digest} was changed: run `belay ledger verify`")
        return document

    def rebuild(self) -> State:
        """Derive the projections anew from the entries, and return the state."""
        with self._lock, explained(self.engine):
            with self._writing() as connection:
                # Holding the head keeps other writers out until the new projections are complete.
                connection.execute(sa.select(head.c.seq).with_for_update()).one()
                draft = Draft(State())
                for row in connection.execute(sa.select(entries).order_by(entries.c.seq)):
                    draft.apply(recorded(Entry(*row)))
                connection.execute(sa.delete(projections))
                _project(connection, draft)
            self._state = draft.state()
            return self._state

    # -- inside ---------------------------------------------------------------------------------

    def _writing(self) -> AbstractContextManager[sa.Connection]:
        return self.engine.execution_options(belay_writes=True).begin()

    def _refresh(self, connection: sa.Connection) -> State:
        """Bring the cached state up to the database's last entry.

        Its own last entry is read again too: a ledger that was put back to an earlier copy has lost it.
        """
        for known in (self._state, None):
            start = known or _load(connection)
            rows = connection.execute(
                sa.select(entries).where(entries.c.seq >= start.seq).order_by(entries.c.seq)
            ).all()
            if start.seq and (not rows or rows[0].seq != start.seq):
                continue
            draft = Draft(start)
            for row in rows:
                if row.seq > start.seq:
                    draft.apply(recorded(Entry(*row)))
            self._state = draft.state() if draft.seq > start.seq else start
            return self._state
        raise LedgerError("the ledger's tables do not fit its entries: run `belay ledger rebuild`")

    def _append(self, state: State, events: Sequence[Event], by: Actor, at: datetime, key: str) -> State:
        draft = Draft(state)
        with self._writing() as connection:
            expected = connection.execute(sa.select(head.c.seq, head.c.hash)).one()
            if expected.seq != state.seq:
                raise _OvertakenError
            prev, rows = expected.hash, []
            for seq, event in enumerate(events, state.seq + 1):
                entry = _entry(seq, event, by, at, key, prev, draft)
                draft.apply(Recorded(seq, at, by, event))
                rows.append(entry)
                prev = entry["hash"]
            moved = connection.execute(
                sa.update(head).where(head.c.seq == state.seq).values(seq=state.seq + len(events), hash=prev)
            )
            if moved.rowcount != 1:
                raise _OvertakenError
            connection.execute(sa.insert(entries), rows)
            _project(connection, draft)
        self._state = draft.state()
        return self._state


def recorded(entry: Entry) -> Recorded:
    """Return a stored entry as the event that state is folded from."""
    kind, _, name = entry.actor.partition(":")
    actor = Actor(ActorKind(kind), name)
    return Recorded(
        entry.seq, datetime.fromisoformat(entry.at), actor, codec.decode_event(entry.kind, entry.body)
    )


def _entry(
    seq: int, event: Event, by: Actor, at: datetime, key: str, prev: str, draft: Draft
) -> dict[str, Any]:
    optimization, capability = _about(event, draft)
    columns = (
        seq,
        at.isoformat(timespec="microseconds"),
        event.kind,
        str(by),
        capability,
        optimization,
        key,
        codec.encode(event),
        prev,
    )
    names = (column.name for column in entries.columns)
    return dict(zip(names, (*columns, hash_of(*columns)), strict=True))


def _about(event: Event, draft: Draft) -> tuple[str, str]:
    """Return the optimization and the capability that an event is about; empty where it is about none."""
    named = [getattr(event, name, "") for name in ("optimization", "target", "subject")]
    for name in named:
        if name in draft.optimizations:
            return name, draft.optimizations[name].capability
    kind, _, capability = named[1].partition(":")
    asked = draft.requests.get(getattr(event, "request", None) or named[1])
    if asked is not None and asked.promotes:
        return "", asked.capability
    return named[0], getattr(event, "capability", capability if kind == "capability" else "")


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("the ledger's times are aware: a time without a zone means nothing later")
    return at.astimezone(UTC)


def _refused(command: Command, refusal: Refusal) -> CommandRefused:
    subject = next(
        (
            str(getattr(command, name))
            for name in ("optimization", "request", "target", "capability")
            if hasattr(command, name)
        ),
        "",
    )
    return CommandRefused(type(command).__name__, subject, refusal.rule, refusal.message)


def _events_of(connection: sa.Connection, key: str) -> tuple[Event, ...]:
    rows = connection.execute(
        sa.select(entries.c.kind, entries.c.body).where(entries.c.key == key).order_by(entries.c.seq)
    )
    return tuple(codec.decode_event(row.kind, row.body) for row in rows)


def _load(connection: sa.Connection) -> State:
    """Read the projections; they carry the state as of the newest entry they were written with."""
    tables: dict[str, dict[str, Any]] = {table: {} for table in codec.ENTITIES}
    seq = 0
    for row in connection.execute(sa.select(projections)):
        if (row.entity, row.id) == MARK:
            seq = int(row.body)
        else:
            tables[row.entity][row.id] = codec.decode_entity(row.entity, row.body)
    return State(seq, **tables)


def _project(connection: sa.Connection, draft: Draft) -> None:
    """Write the entities that ``draft`` touched, in the same transaction as its entries."""
    rows, gone = [dict(zip(_PROJECTED, (*MARK, str(draft.seq)), strict=True))], []
    for table, key in sorted(draft.touched):
        entity = getattr(draft, table).get(key)
        if entity is None:
            gone.append((table, key))
        else:
            rows.append(dict(zip(_PROJECTED, (table, key, codec.encode(entity)), strict=True)))
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(projections)
    connection.execute(
        insert.on_conflict_do_update(index_elements=["entity", "id"], set_={"body": insert.excluded.body}),
        rows,
    )
    for table, key in gone:
        connection.execute(
            sa.delete(projections).where(projections.c.entity == table, projections.c.id == key)
        )


def has_begun(url: str) -> bool:
    """Return whether there is a ledger at ``url``, as far as a file can tell; a server is believed.

    Raises
    ------
    sqlalchemy.exc.ArgumentError
        When ``url`` is no database URL.
    """
    parsed = sa.engine.make_url(url)
    embedded = parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:")
    return not embedded or Path(str(parsed.database)).is_file()


def revision(engine: sa.Engine) -> str | None:
    """Return the migration that the ledger's tables are at, or None where there are none."""
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("ledger_version"):
            return None
        found: str | None = connection.scalar(sa.text("SELECT version_num FROM ledger_version"))
        return found


@contextmanager
def explained(engine: sa.Engine) -> Iterator[None]:
    """Turn a database's error into a sentence that says what, where and what to do."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        where = engine.url.render_as_string(hide_password=True)
        reason = str(error.orig if isinstance(error, DBAPIError) else error).strip()
        raise LedgerError(f"the ledger at {where} failed ({reason}): {_advice(reason)}") from error
    except UnicodeEncodeError as error:
        raise LedgerError(f"the ledger keeps Unicode text, and this is not: {error}") from error


def _advice(reason: str) -> str:
    if "readonly" in reason or "read-only" in reason:
        return "it is read-only: give the user that runs Belay the right to write it"
    if "disk is full" in reason or "No space left" in reason:
        return "its disk is full: free some room"
    if "locked" in reason:
        return "another process holds it locked: end that one, or try again"
    if "no such table" in reason or re.search(r'relation ".*" does not exist', reason):
        return "its tables are missing: run `belay ledger upgrade`"
    if "not a database" in reason or "malformed" in reason:
        return "the file is damaged: put back a copy, and check it with `belay ledger verify`"
    if "unable to open" in reason:
        return "check that its folder is there and may be written"
    return "check that it is there, and run `belay doctor`"
