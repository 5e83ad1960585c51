"""Does the ledger still say what was written? Names the first row that does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from belay.domain.evolve import Draft
from belay.domain.state import State
from belay.ledger import codec
from belay.ledger.chain import GENESIS, Entry, hash_of
from belay.ledger.schema import MARK, entries, evidence, head, projections
from belay.ledger.store import Ledger, explained, recorded


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that is wrong: which row of which table, and what."""

    table: str
    row: str
    problem: str

    def __str__(self) -> str:
        return f"{self.table} {self.row}: {self.problem}"


@dataclass(frozen=True, slots=True)
class Verification:
    """How far the ledger was read, and the first fault, if any."""

    entries: int
    head: str
    fault: Fault | None

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        return self.fault is None

    def __str__(self) -> str:
        verdict = "verified" if self.fault is None else f"BROKEN at {self.fault}"
        return f"ledger: {self.entries} entries, {verdict}"


def verify(ledger: Ledger, *, since: tuple[int, str] | None = None) -> Verification:
    """Check the chain, the evidence it names, and the projections derived from it.

    Parameters
    ----------
    ledger
        The ledger.
    since
        Number and hash of an entry noted earlier somewhere else (an anchor): a ledger that was
        rewritten as a whole, and so is consistent in itself, does not pass it.
    """
    draft, prev, count = Draft(State()), GENESIS, 0
    with explained(ledger.engine), _snapshot(ledger.engine) as connection:
        for row in connection.execution_options(yield_per=5000).execute(
            sa.select(entries).order_by(entries.c.seq)
        ):
            entry = Entry(*row)
            fault = _check_entry(entry, count + 1, prev) or _check_fold(entry, draft)
            if fault is None and since and entry.seq == since[0] and entry.hash != since[1]:
                fault = Fault("entries", str(entry.seq), f"its hash is not the anchor's {since[1][:12]}…")
            if fault is not None:
                return Verification(count, prev, fault)
            count, prev = count + 1, entry.hash
        fault = (
            _check_head(connection, count, prev, since)
            or _check_evidence(connection)
            or _check_projections(connection, draft)
        )
    return Verification(count, prev, fault)


@contextmanager
def _snapshot(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Connect so that every query sees the same moment, whatever is appended meanwhile."""
    if engine.dialect.name == "postgresql":  # a transaction on SQLite is one already
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with engine.connect() as connection:
        yield connection


def _check_entry(entry: Entry, expected: int, prev: str) -> Fault | None:
    if entry.seq != expected:
        return Fault("entries", str(expected), f"missing: the next row that is there is {entry.seq!r}")
    if entry.prev != prev:
        return Fault("entries", str(entry.seq), "it does not follow the row before it")
    try:
        found = hash_of(*entry[:-1])
    except TypeError:  # a column that holds something else than text
        found = ""
    if found != entry.hash:
        return Fault("entries", str(entry.seq), "its content does not match its hash")
    return None


def _check_fold(entry: Entry, draft: Draft) -> Fault | None:
    try:
        draft.apply(recorded(entry))
    except (ValueError, KeyError, TypeError) as error:
        return Fault("entries", str(entry.seq), f"it cannot be folded: {error}")
    return None


def _check_head(
    connection: sa.Connection, count: int, prev: str, since: tuple[int, str] | None
) -> Fault | None:
    if since and since[0] > count:
        return Fault("entries", str(count + 1), f"missing: the anchor knows {since[0]} entries")
    rows = connection.execute(sa.select(head).order_by(head.c.id)).all()
    if [row.id for row in rows] != [1]:
        return Fault("head", "1", f"there must be one row with id 1, and there is {[row.id for row in rows]}")
    _, seq, last = rows[0]
    if isinstance(seq, int) and seq > count:
        return Fault("entries", str(count + 1), f"missing: the head says {seq} entries")
    reached = connection.scalar(sa.select(entries.c.hash).where(entries.c.seq == seq))
    if seq != count and last == reached:
        return Fault("entries", str(seq + 1), f"appended past the head, which says {seq} entries")
    if (seq, last) != (count, prev):
        return Fault("head", "1", f"it says {seq} entries and {last!r}; the last entry is {count}, {prev!r}")
    return None


def _check_evidence(connection: sa.Connection) -> Fault | None:
    known = set()
    for name, body in connection.execution_options(yield_per=500).execute(
        sa.select(evidence.c.sha256, evidence.c.body).order_by(evidence.c.sha256)
    ):
        if not isinstance(body, str) or codec.sha256_text(body) != name:
            return Fault("evidence", str(name), "its content does not match its name")
        known.add(name)
    named = sa.select(entries.c.seq, entries.c.body).where(entries.c.body.contains('"evidence":"'))
    for row in connection.execution_options(yield_per=5000).execute(named.order_by(entries.c.seq)):
        digest = codec.from_json(row.body).get("evidence")
        if digest and digest not in known:
            return Fault("evidence", digest, f"missing: entry {row.seq} rests on it")
    return None


def _check_projections(connection: sa.Connection, draft: Draft) -> Fault | None:
    expected = {
        (table, key): codec.encode(entity)
        for table in codec.ENTITIES
        for key, entity in getattr(draft, table).items()
    }
    expected[MARK] = str(draft.seq)
    stored = {(row.entity, row.id): row.body for row in connection.execute(sa.select(projections))}
    for name in sorted(expected.keys() | stored.keys(), key=str):
        if expected.get(name) != stored.get(name):
            row = "/".join(str(part) for part in name)
            return Fault("projections", row, "it is not what the entries say: run `belay ledger rebuild`")
    return None
