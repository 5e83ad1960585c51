"""Does the ledger still say what was written? Names the first row that does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from belay.domain.evolve import Draft
from belay.domain.state import State
from belay.ledger import codec
from belay.ledger.chain import GENESIS, Entry, hash_of
from belay.ledger.schema import entries, evidence, head, projections
from belay.ledger.store import Ledger, recorded


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
    with ledger.engine.connect() as connection:
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


def _check_entry(entry: Entry, expected: int, prev: str) -> Fault | None:
    if entry.seq != expected:
        return Fault("entries", str(expected), f"missing: the next row that is there is {entry.seq!r}")
    if entry.prev != prev:
        return Fault("entries", str(entry.seq), "it does not follow the row before it")
    columns = (
        entry.seq,
        entry.at,
        entry.kind,
        entry.actor,
        entry.capability,
        entry.optimization,
        entry.key,
        entry.body,
        entry.prev,
    )
    if hash_of(*columns) != entry.hash:
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
    row = connection.execute(sa.select(head.c.seq, head.c.hash)).one_or_none()
    if row is None:
        return Fault("head", "1", "missing")
    if since and since[0] > count:
        return Fault("entries", str(count + 1), f"missing: the anchor knows {since[0]} entries")
    if row.seq > count:
        return Fault("entries", str(count + 1), f"missing: the head says {row.seq} entries")
    if row.seq < count:
        return Fault("entries", str(row.seq + 1), f"appended past the head, which says {row.seq} entries")
    if row.hash != prev:
        return Fault("head", "1", "its hash is not the last entry's")
    return None


def _check_evidence(connection: sa.Connection) -> Fault | None:
    for row in connection.execution_options(yield_per=500).execute(
        sa.select(evidence.c.sha256, evidence.c.body).order_by(evidence.c.sha256)
    ):
        if codec.sha256_text(row.body) != row.sha256:
            return Fault("evidence", row.sha256, "its content does not match its name")
    known = set(connection.scalars(sa.select(evidence.c.sha256)))
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
    stored: dict[tuple[str, str], Any] = {
        (row.entity, row.id): row.body
        for row in connection.execute(sa.select(projections))
        if row.entity in codec.ENTITIES
    }
    for name in sorted(expected.keys() | stored.keys()):
        if expected.get(name) != stored.get(name):
            return Fault(
                "projections", "/".join(name), "it is not what the entries say: run `belay ledger rebuild`"
            )
    return None
