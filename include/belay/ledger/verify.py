"""Does the ledger still say what was written? Names the first row that does not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from belay.domain.evolve import Draft
from belay.domain.state import State
from belay.ledger import codec
from belay.ledger.chain import GENESIS, Entry, hash_of
from belay.ledger.errors import explained
from belay.ledger.reading import recorded
from belay.ledger.schema import MARK, entries, evidence, head, projections
from belay.ledger.store import Ledger

_BODY = Entry._fields.index("body")
_RESTS_ON = '"evidence":"'
"""What is in the body of an entry that rests on evidence (in a string of the body its quotes are escaped)."""


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


def verify(
    ledger: Ledger, *, since: tuple[int, str] | None = None, projections_too: bool = True
) -> Verification:
    """Check the chain, the evidence it names, and the projections derived from it.

    Parameters
    ----------
    ledger
        The ledger.
    since
        Number and hash of an entry noted earlier somewhere else (an anchor): a ledger that was
        rewritten as a whole, and so is consistent in itself, does not pass it.
    projections_too
        False leaves out folding the entries and comparing what follows from them: what was written is
        checked as strictly, and several times faster.
    """
    with explained(ledger.engine):
        try:
            return _verify(ledger.engine, since, projections_too=projections_too, tolerant=False)
        except sa.exc.OperationalError as error:
            if "UTF-8" not in str(error.orig):
                raise
            # Somewhere there is text that is no text any more: read again so that its row is named.
            return _verify(ledger.engine, since, projections_too=projections_too, tolerant=True)


def _verify(
    engine: sa.Engine, since: tuple[int, str] | None, *, projections_too: bool, tolerant: bool
) -> Verification:
    draft = Draft(State()) if projections_too else None
    prev, count, named = GENESIS, 0, dict[str, int]()
    with _snapshot(engine, tolerant=tolerant) as connection:
        for row in connection.execution_options(yield_per=5000).execute(
            sa.select(entries).order_by(entries.c.seq)
        ):
            fault = _check_entry(row, count + 1, prev)
            if fault is None and draft is not None:
                fault = _check_fold(Entry(*row), draft)
            if fault is None and since and count + 1 == since[0] and row[-1] != since[1]:
                fault = Fault("entries", str(since[0]), f"its hash is not the anchor's {since[1][:12]}…")
            if fault is not None:
                return Verification(count, prev, fault)
            count, prev = count + 1, row[-1]
            if _RESTS_ON in row[_BODY]:
                named.setdefault(codec.from_json(row[_BODY]).get("evidence"), count)
        fault = _check_head(connection, count, prev, since) or _check_evidence(connection, named)
        if fault is None and draft is not None:
            fault = _check_projections(connection, draft)
    return Verification(count, prev, fault)


@contextmanager
def _snapshot(engine: sa.Engine, *, tolerant: bool) -> Iterator[sa.Connection]:
    """Connect so that every query sees the same moment, whatever is appended meanwhile.

    Our SQLite connections read text that is no UTF-8 any more, byte by byte as it is; that costs as much as
    hashing it, so only a ``tolerant`` reader does it here.
    """
    if engine.dialect.name == "postgresql":  # a transaction on SQLite is one already
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        if tolerant or not isinstance(driver, sqlite3.Connection):
            yield connection
            return
        usual, driver.text_factory = driver.text_factory, str
        try:
            yield connection
        finally:
            driver.text_factory = usual


def _check_entry(row: Sequence[Any], expected: int, prev: str) -> Fault | None:
    seq = row[0]
    if seq != expected:
        return Fault("entries", str(expected), f"missing: the next row that is there is {seq!r}")
    if row[-2] != prev:
        return Fault("entries", str(seq), "it does not follow the row before it")
    try:
        found = hash_of(*row[:-1])
    except (TypeError, UnicodeEncodeError):  # a column that holds something else than text
        found = ""
    if found != row[-1]:
        return Fault("entries", str(seq), "its content does not match its hash")
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


def _check_evidence(connection: sa.Connection, named: Mapping[str, int]) -> Fault | None:
    """Check each document once; ``named`` holds what entries rest on, with the first of them."""
    known = set()
    for name, body in connection.execution_options(yield_per=500).execute(
        sa.select(evidence.c.sha256, evidence.c.body).order_by(evidence.c.sha256)
    ):
        if not isinstance(body, str) or codec.sha256_text(body) != name:
            return Fault("evidence", str(name), "its content does not match its name")
        known.add(name)
    missing = [(seq, digest) for digest, seq in named.items() if digest and digest not in known]
    for seq, digest in sorted(missing):
        return Fault("evidence", digest, f"missing: entry {seq} rests on it")
    return None


def _check_projections(connection: sa.Connection, draft: Draft) -> Fault | None:
    expected = {
        (table, key): codec.encode_entity(entity)
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
