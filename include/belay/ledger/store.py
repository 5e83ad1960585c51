"""The ledger itself: read, decide, append; everything else asks it.

Writers take turns by moving the chain's head from the value they read to the next one
(compare-and-swap): whoever comes second decides again on the newer state.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
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
from belay.ledger.schema import REVISION, entries, evidence, head, open_engine, projections

_ATTEMPTS = 50


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
    def open(cls, url: str) -> Ledger:
        """Open the ledger at ``url``; an embedded SQLite file is created and migrated as needed.

        Raises
        ------
        LedgerError
            When the database cannot be reached, or a server's ledger was not migrated.
        """
        engine = open_engine(url)
        with _explained(engine):
            found = _revision(engine)
            if found != REVISION:
                if engine.dialect.name != "sqlite" and found is not None:
                    raise LedgerError(
                        f"the ledger is at revision {found}, this Belay needs {REVISION}: "
                        "run `belay ledger upgrade`"
                    )
                if engine.dialect.name != "sqlite":
                    raise LedgerError("the ledger's tables are missing: run `belay ledger upgrade`")
                from belay.ledger.migrations import upgrade

                upgrade(engine)
        return cls(engine)

    def close(self) -> None:
        """Release the database connections."""
        self.engine.dispose()

    # -- read -----------------------------------------------------------------------------------

    def state(self) -> State:
        """Return the state as of the last entry."""
        with self._lock, _explained(self.engine), self.engine.connect() as connection:
            return self._refresh(connection)

    def head(self) -> tuple[int, str]:
        """Return the number and hash of the last entry."""
        with _explained(self.engine), self.engine.connect() as connection:
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
        with _explained(self.engine), self.engine.connect() as connection:
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
        with self._lock, _explained(self.engine):
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

    def put_evidence(self, document: Any, at: datetime) -> str:
        """Store a JSON document once, under its SHA-256, and return that."""
        digest = sha256_of(document)
        row = {"sha256": digest, "at": _instant(at), "body": canonical_json(document)}
        dialect = postgresql if self.engine.dialect.name == "postgresql" else sqlite
        with _explained(self.engine), self._writing() as connection:
            connection.execute(dialect.insert(evidence).values(row).on_conflict_do_nothing())
        return digest

    def get_evidence(self, digest: str) -> Any:
        """Return the document named ``digest``.

        Raises
        ------
        LedgerError
            When there is none, or when it is not what its name says.
        """
        with _explained(self.engine), self.engine.connect() as connection:
            body = connection.scalar(sa.select(evidence.c.body).where(evidence.c.sha256 == digest))
        if body is None:
            raise LedgerError(f"there is no evidence {digest}")
        document = codec.from_json(body)
        if sha256_of(document) != digest:
            raise LedgerError(f"evidence {digest} was changed: run `belay ledger verify`")
        return document

    def rebuild(self) -> State:
        """Derive the projections anew from the entries, and return the state."""
        with self._lock, _explained(self.engine):
            draft = Draft(State())
            for event in self.history():
                draft.apply(event)
            with self._writing() as connection:
                connection.execute(sa.delete(projections))
                _project(connection, draft)
            self._state = None
            return self.state()

    # -- inside ---------------------------------------------------------------------------------

    def _writing(self) -> AbstractContextManager[sa.Connection]:
        return self.engine.execution_options(belay_writes=True).begin()

    def _refresh(self, connection: sa.Connection) -> State:
        """Bring the cached state up to the database's last entry."""
        if self._state is None:
            self._state = _load(connection)
        rows = connection.execute(
            sa.select(entries).where(entries.c.seq > self._state.seq).order_by(entries.c.seq)
        ).all()
        if rows:
            draft = Draft(self._state)
            for row in rows:
                draft.apply(recorded(Entry(*row)))
            self._state = draft.state()
        return self._state

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
    optimization = getattr(event, "optimization", "")
    capability = getattr(event, "capability", "")
    if not capability and optimization in draft.optimizations:
        capability = draft.optimizations[optimization].capability
    columns = (
        seq,
        _instant(at),
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


def _instant(at: datetime) -> str:
    if at.tzinfo is None:
        raise ValueError("the ledger's times are aware: a time without a zone means nothing later")
    return at.astimezone(UTC).isoformat(timespec="microseconds")


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
        seq = max(seq, row.seq)
        if row.entity in tables:
            tables[row.entity][row.id] = codec.decode_entity(row.entity, row.body)
    return State(seq, **tables)


def _project(connection: sa.Connection, draft: Draft) -> None:
    """Write the entities that ``draft`` touched, in the same transaction as its entries."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    for table, key in sorted(draft.touched):
        entity = getattr(draft, table).get(key)
        if entity is None:
            connection.execute(
                sa.delete(projections).where(projections.c.entity == table, projections.c.id == key)
            )
            continue
        row = {"entity": table, "id": key, "seq": draft.seq, "body": codec.encode(entity)}
        insert = dialect.insert(projections).values(row)
        changed = {"seq": insert.excluded.seq, "body": insert.excluded.body}
        connection.execute(insert.on_conflict_do_update(index_elements=["entity", "id"], set_=changed))
    mark = dialect.insert(projections).values(entity="head", id="", seq=draft.seq, body="")
    connection.execute(
        mark.on_conflict_do_update(index_elements=["entity", "id"], set_={"seq": mark.excluded.seq})
    )


def _revision(engine: sa.Engine) -> str | None:
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("ledger_version"):
            return None
        found: str | None = connection.scalar(sa.text("SELECT version_num FROM ledger_version"))
        return found


@contextmanager
def _explained(engine: sa.Engine) -> Iterator[None]:
    """Turn a database's error into a sentence that says what, where and what to do."""
    try:
        yield
    except DBAPIError as error:
        where = engine.url.render_as_string(hide_password=True)
        reason = str(error.orig).strip()
        raise LedgerError(f"the ledger at {where} failed ({reason}): {_advice(reason)}") from error


def _advice(reason: str) -> str:
    if "readonly" in reason or "read-only" in reason:
        return "it is read-only: give the user that runs Belay the right to write it"
    if "full" in reason:
        return "its disk is full: free some room"
    if "locked" in reason:
        return "another process holds it locked: end that one, or try again"
    if "no such table" in reason or "does not exist" in reason:
        return "its tables are missing: run `belay ledger upgrade`"
    return "check that it is there, and run `belay doctor`"
