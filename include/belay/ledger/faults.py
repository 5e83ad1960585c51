"""Finds the first row of a ledger that is not what was written, or was never decided; and names it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any

import sqlalchemy as sa

from belay.domain.capability import CapabilityPolicy
from belay.domain.evolve import Draft
from belay.domain.figures import counted
from belay.domain.recorded import Recorded
from belay.domain.rules.legality import Legality
from belay.domain.state import State
from belay.ledger import codec
from belay.ledger.chain import GENESIS, hash_of
from belay.ledger.policies import KIND, policy_of
from belay.ledger.reading import recorded_from
from belay.ledger.schema import MARK, entries, evidence, head, projections
from belay.ledger.writing import COMMAND

_Row = sa.Row[Any]
_A_POLICY = f'{{"kind":"{KIND}",'


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that is wrong: which row of which table, and what.

    ``ahead`` says of derived tables that they know more than the entries: entries are gone.
    """

    table: str
    row: str
    problem: str
    ahead: bool = False

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
        return f"ledger: {counted(self.entries, 'entry')}, {verdict}"


def fault_of(engine: sa.Engine) -> Fault | None:
    """Return what is wrong with the entries and the evidence of a ledger of any revision."""
    return check(engine, {}, projections_too=False, legal=False, tolerant=True).fault


def check(
    engine: sa.Engine, anchors: Mapping[int, str], *, projections_too: bool, legal: bool, tolerant: bool
) -> Verification:
    """Read the ledger from its first entry to its last (`belay.ledger.verify.verify`).

    A ``tolerant`` reader also names rows that are no text any more; that takes it longer.
    """
    draft = Draft(State()) if projections_too else None
    with _snapshot(engine, tolerant=tolerant) as connection:
        documents, policies, changed = _check_evidence(connection)
        reading = _Reading(documents, anchors, draft, Legality(policies) if legal else None)
        for rows in _parts(connection, sa.select(entries).order_by(entries.c.seq)):
            fault = reading.go_on(rows)
            if fault is not None:
                return Verification(reading.count, reading.head, fault)
        fault = _check_head(connection, reading.count, reading.head, anchors)
        fault = fault or changed or reading.unfounded
        if fault is None and draft is not None:
            fault = _check_projections(connection, draft)
    return Verification(reading.count, reading.head, fault)


class _Reading:
    """The entries, read in order, part by part, as far as they are sound.

    Rows are taken apart where they are needed: naming the columns of each would cost as much as hashing it.

    Attributes
    ----------
    count : int
        Entries read so far.
    head : str
        The hash of the last one.
    unfounded : Fault | None
        The first evidence that an entry rests on and that is not there.
    """

    def __init__(
        self, documents: set[str], anchors: Mapping[int, str], draft: Draft | None, legality: Legality | None
    ) -> None:
        self.count, self.head = 0, GENESIS
        self.unfounded: Fault | None = None
        self._documents, self._anchors, self._draft = documents, anchors, draft
        self._legality, self._last, self._named = legality, "", False

    def go_on(self, part: Sequence[_Row]) -> Fault | None:
        """Read the next entries; return what is wrong with the first that is not sound."""
        chained, broken = _check_chain(part, self.count, self.head)
        folded, fault = self._check_events(part[:chained])
        if folded:
            self.count, *_, self.head = part[folded - 1]
        return fault or broken

    def _check_events(self, part: Sequence[_Row]) -> tuple[int, Fault | None]:
        """Fold entries; return how many can be, and what is wrong with the one after them."""
        draft, documents, anchors = self._draft, self._documents, self._anchors
        for count, row in enumerate(part):
            seq, at, kind, actor, _, _, key, body, _, own = row
            try:
                told = recorded_from(seq, at, kind, actor, key, body)
                if draft is not None:
                    if self._legality is not None and (illegal := self._illegal(draft, told, at)):
                        return count, Fault("entries", str(seq), f"it is not legal: {illegal}")
                    draft.apply(told)
            except (ValueError, KeyError, TypeError) as error:
                return count, Fault("entries", str(seq), f"it cannot be folded: {error}")
            if seq in anchors and own != anchors[seq]:
                return count, Fault("entries", str(seq), f"its hash is not the anchor's {anchors[seq][:12]}…")
            rests_on = getattr(told.event, "evidence", None) or getattr(told.event, "document", None)
            if rests_on and rests_on not in documents and self.unfounded is None:
                self.unfounded = Fault("evidence", rests_on, f"missing: entry {seq} rests on it")
        return len(part), None

    def _illegal(self, draft: Draft, told: Recorded, at: str) -> str:
        """Return why an entry was not decided, if it was not; of what older Belays wrote, less is asked."""
        assert self._legality is not None
        if told.command.startswith(COMMAND):
            self._named = True
            if at < self._last:
                return f"its time is before that of the entry that it follows ({self._last})"
        elif self._named and not told.command:
            return "it does not say by which command it was appended"
        self._last = at
        return self._legality.problem(draft, told)


def _check_chain(part: Sequence[_Row], after: int, prev: str) -> tuple[int, Fault | None]:
    """Return how many entries follow ``after`` and one another, and what is wrong with the one after them."""
    for count, row in enumerate(part):
        seq, at, kind, actor, capability, optimization, key, body, before, own = row
        expected = after + count + 1
        if seq != expected:
            return count, Fault("entries", str(expected), f"missing: the next row that is there is {seq!r}")
        if before != prev:
            return count, Fault("entries", str(seq), "it does not follow the row before it")
        prev = own
        try:
            found = hash_of(seq, at, kind, actor, capability, optimization, key, body, before)
        except (TypeError, UnicodeEncodeError):  # a column that holds something else than text
            found = ""
        if found != own:
            return count, Fault("entries", str(seq), "its content does not match its hash")
    return len(part), None


def _parts(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[Sequence[_Row]]:
    """Yield the rows of a large answer in parts that stay in the processor's cache while they are read."""
    return connection.execution_options(yield_per=250).execute(query).partitions()


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


def _check_head(connection: sa.Connection, count: int, prev: str, anchors: Mapping[int, str]) -> Fault | None:
    if (most := max(anchors, default=0)) > count:
        return Fault("entries", str(count + 1), f"missing: the anchor knows {most} entries")
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


def _check_evidence(
    connection: sa.Connection,
) -> tuple[set[str], dict[str, CapabilityPolicy], Fault | None]:
    """Check every document once; return the names of those that hold, the policies among them, and the first
    document that does not hold."""
    holding, wrong, policies = set[str](), set[str](), dict[str, CapabilityPolicy]()
    for name, body in chain.from_iterable(_parts(connection, sa.select(evidence))):
        holds = isinstance(body, str) and codec.sha256_text(body) == name
        (holding if holds else wrong).add(name)
        if holds and body.startswith(_A_POLICY):
            with suppress(ValueError):  # of another Belay
                policies[name] = policy_of(codec.from_json(body))
    if not wrong:
        return holding, policies, None
    return holding, policies, Fault("evidence", min(map(str, wrong)), "its content does not match its name")


def _check_projections(connection: sa.Connection, draft: Draft) -> Fault | None:
    expected = {
        (table, key): codec.encode_entity(entity)
        for table in codec.ENTITIES
        for key, entity in getattr(draft, table).items()
    }
    expected[MARK] = str(draft.seq)
    stored = {(table, key): body for table, key, body in connection.execute(sa.select(projections))}
    if expected == stored:
        return None
    as_of = stored.get(MARK, "0")
    if as_of.isdigit() and int(as_of) > draft.seq:
        problem = f"they are as of entry {as_of}, and there are {draft.seq} entries: entries are gone, and "
        problem += "these tables are evidence of it (keep a copy, and look at the anchors)"
        return Fault("projections", "/".join(MARK), problem, ahead=True)
    names = expected.keys() | stored.keys()
    wrong = min((name for name in names if expected.get(name) != stored.get(name)), key=str)
    row = "/".join(str(part) for part in wrong)
    return Fault("projections", row, "it is not what the entries say: run `belay ledger rebuild`")
