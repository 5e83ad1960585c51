"""The ledger itself: read, decide, append; everything else asks it.

Writers take turns by moving the chain's head from the value they read to the next one
(compare-and-swap): whoever comes second decides again on the newer state. Threads of one process share
their turns (`belay.ledger.turns`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from belay.domain.actors import Actor
from belay.domain.commands import Command
from belay.domain.decide import decide
from belay.domain.digest import canonical_json, sha256_of
from belay.domain.events import CommandRefused, Event
from belay.domain.recorded import Recorded
from belay.domain.rules.answer import Refusal
from belay.domain.state import State
from belay.ledger import codec
from belay.ledger.chain import GENESIS, Entry, hash_of
from belay.ledger.errors import LedgerError, explained
from belay.ledger.opening import opened
from belay.ledger.reading import events_by_key, newest_state, recorded
from belay.ledger.schema import entries, evidence, head
from belay.ledger.turns import Ask, Outcome, Turns
from belay.ledger.writing import Batch, OvertakenError, derive_anew

__all__ = ["Ask", "Ledger", "LedgerError", "Outcome", "recorded"]

_ATTEMPTS = 50
_AT_ONCE = 500


class Ledger:
    """An open ledger. Safe to share between threads; processes coordinate through the database."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self._state: State | None = None
        self._identity = ""
        self._turns = Turns(self._serve)

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
        return cls(opened(url, patience=patience, create=create))

    def close(self) -> None:
        """Release the database connections."""
        self.engine.dispose()

    # -- read -----------------------------------------------------------------------------------

    def state(self) -> State:
        """Return the state as of the last entry."""
        with self._turns.lock, explained(self.engine), self.engine.connect() as connection:
            self._state, *_ = newest_state(connection, self._state)
            return self._state

    def head(self) -> tuple[int, str]:
        """Return the number and hash of the last entry."""
        with explained(self.engine), self.engine.connect() as connection:
            row = connection.execute(sa.select(head.c.seq, head.c.hash)).one()
            return row.seq, row.hash

    @property
    def identity(self) -> str:
        """Which ledger this is: the beginning of its first entry's hash. Empty as long as it has none."""
        if not self._identity:
            with explained(self.engine), self.engine.connect() as connection:
                first = connection.scalar(sa.select(entries.c.hash).where(entries.c.seq == 1))
            self._identity = str(first or "")[:12]
        return self._identity

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

    def entry(self, seq: int) -> Entry | None:
        """Return entry ``seq`` as it stands on the chain, or None where it does not.

        It does when its content matches its hash, it follows the entry before it, and what comes after, an
        entry or the head, follows it.
        """
        with explained(self.engine), self.engine.connect() as connection:
            near = sa.select(entries).where(entries.c.seq.between(seq - 1, seq + 1))
            found = {row.seq: Entry(*row) for row in connection.execute(near)}
            last = connection.execute(sa.select(head.c.seq, head.c.hash)).one()
        entry, before, after = (found.get(number) for number in (seq, seq - 1, seq + 1))
        if entry is None or hash_of(*entry[:-1]) != entry.hash:
            return None
        follows = entry.prev == (before.hash if before else GENESIS)
        followed = after.prev == entry.hash if after else tuple(last) == (seq, entry.hash)
        return entry if follows and followed else None

    def history(self, after: int = 0, *, optimization: str | None = None) -> Iterator[Recorded]:
        """Yield the entries as recorded events."""
        for entry in self.entries(after, optimization=optimization):
            yield recorded(entry)

    # -- write ----------------------------------------------------------------------------------

    def execute(self, command: Command, *, by: Actor, at: datetime, key: str = "") -> Outcome:
        """Decide ``command`` on the newest state and append what follows from it.

        Threads that ask at the same time share a transaction; each is answered when it is durable.

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
        return self._turns.take([Ask(command, by, at, key)])[0]

    def execute_many(self, asks: Sequence[Ask]) -> list[Outcome]:
        """Decide many commands as if one after the other, in few transactions; return their outcomes.

        Raises
        ------
        LedgerError
            The first that any of them met; the others were executed all the same.
        """
        return self._turns.take(asks)

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

    def evidence_of(self, digests: Collection[str]) -> dict[str, Any]:
        """Return those of the documents named ``digests`` that are there, and are what their names say."""
        wanted, found = sorted(set(digests)), {}
        with explained(self.engine), self.engine.connect() as connection:
            for begin in range(0, len(wanted), _AT_ONCE):
                some = evidence.c.sha256.in_(wanted[begin : begin + _AT_ONCE])
                for row in connection.execute(sa.select(evidence).where(some)):
                    if codec.sha256_text(row.body) == row.sha256:
                        found[row.sha256] = codec.from_json(row.body)
        return found

    def rebuild(self) -> State:
        """Derive the projections anew from the entries, and return the state."""
        with self._turns.lock, explained(self.engine):
            with self._writing() as connection:
                draft = derive_anew(connection)
            self._state = draft.state()
            return self._state

    # -- inside ---------------------------------------------------------------------------------

    def _writing(self) -> AbstractContextManager[sa.Connection]:
        return self.engine.execution_options(belay_writes=True).begin()

    def _serve(self, asks: Sequence[Ask]) -> list[Outcome]:
        """Answer ``asks`` in order, all of them in one transaction."""
        with explained(self.engine):
            for _ in range(_ATTEMPTS):
                with self.engine.connect() as connection:
                    self._state, last, since = newest_state(connection, self._state)
                    earlier = dict(events_by_key(connection, {ask.key for ask in asks if ask.key}))
                batch = Batch(self._state, last, since)
                answers = [_decided(ask, batch, earlier) for ask in asks]
                if not batch.empty:
                    try:
                        with self._writing() as connection:
                            batch.write(connection)
                    except OvertakenError:
                        continue
                    self._state = batch.state
                return [Outcome(*answer[:2], self._state, answer[2]) for answer in answers]
        raise LedgerError(f"the ledger is too busy: overtaken {_ATTEMPTS} times in a row; try again")


def _decided(
    ask: Ask, batch: Batch, earlier: dict[str, tuple[Event, ...]]
) -> tuple[tuple[Event, ...], Refusal | None, bool]:
    """Add what ``ask`` leads to to ``batch``; return events, refusal, and whether its key was known."""
    if ask.key and ask.key in earlier:
        return earlier[ask.key], None, True
    answer = decide(batch.state, ask.command, by=ask.by, at=ask.at)
    if isinstance(answer, Refusal):
        if answer.kept:
            batch.add((_refused(ask.command, answer),), ask.by, ask.at, "")
        return (), answer, False
    batch.add(answer, ask.by, ask.at, ask.key)
    if ask.key and answer:
        earlier[ask.key] = answer
    return answer, None, False


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
