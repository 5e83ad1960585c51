"""Entries in the making: chained, folded, and written with the projections that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from belay.domain.actors import Actor
from belay.domain.events import Event
from belay.domain.evolve import Draft
from belay.domain.recorded import Recorded
from belay.domain.state import State
from belay.ledger import codec
from belay.ledger.chain import GENESIS, Entry, hash_of
from belay.ledger.errors import LedgerError
from belay.ledger.reading import recorded
from belay.ledger.schema import MARK, REVISION, entries, head, projections

_COLUMNS = [column.name for column in entries.columns]
_PROJECTED = [column.name for column in projections.columns]


COMMAND = "command:"
"""What the key of a command begins with that was given none; the number of its first entry follows."""


class OvertakenError(Exception):
    """Another writer moved the head first."""


class Batch:
    """Entries that follow one another from ``state``, whose last entry has the hash ``last``.

    Their times never go back before that entry's (``since``), nor before one another's: clocks differ from
    host to host, and are put back, but what follows did not happen earlier.
    """

    def __init__(self, state: State, last: str, since: str = "") -> None:
        self._start, self._last, self._since = state.seq, last or GENESIS, since
        self._draft = Draft(state)
        self._rows: list[dict[str, Any]] = []
        self._prev = self._last

    @property
    def state(self) -> State:
        """The state after what was added so far; it moves with what is added next."""
        return self._draft.state()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self._rows

    def add(self, events: Sequence[Event], by: Actor, at: datetime, key: str) -> None:
        """Append ``events`` of one command (``at`` in UTC); without an idempotency key it is given a name."""
        key = key or f"{COMMAND}{self._draft.seq + 1}"
        self._since = max(self._since, at.isoformat(timespec="microseconds"))
        at = datetime.fromisoformat(self._since)
        for event in events:
            seq = self._draft.seq + 1
            optimization, capability = _about(event, self._draft)
            body = codec.encode(event)
            columns = (
                seq,
                self._since,
                event.kind,
                str(by),
                capability,
                optimization,
                key,
                body,
                self._prev,
            )
            self._prev = hash_of(*columns)
            # What is folded is what was written: a whole number in a field of floats is read back as a float.
            self._draft.apply(Recorded(seq, at, by, codec.decode_event(event.kind, body), key))
            self._rows.append(dict(zip(_COLUMNS, (*columns, self._prev), strict=True)))

    def write(self, connection: sa.Connection) -> None:
        """Move the head, and write entries and projections, in the transaction of ``connection``.

        Raises
        ------
        OvertakenError
            When the head is not where this batch starts.
        LedgerError
            When another Belay has migrated the ledger since this process opened it.
        """
        found = connection.scalar(sa.text("SELECT version_num FROM ledger_version"))
        if found != REVISION:
            raise LedgerError(
                f"the ledger was migrated to revision {found} while this process ran, and its Belay knows "
                f"{REVISION}: restart it"
            )
        moved = connection.execute(
            sa.update(head)
            .where(head.c.seq == self._start, head.c.hash == self._last)
            .values(seq=self._draft.seq, hash=self._prev)
        )
        if moved.rowcount != 1:
            raise OvertakenError
        connection.execute(sa.insert(entries), self._rows)
        project(connection, self._draft)


def project(connection: sa.Connection, draft: Draft) -> None:
    """Write the entities that ``draft`` touched, in the same transaction as its entries."""
    rows, gone = [dict(zip(_PROJECTED, (*MARK, str(draft.seq)), strict=True))], []
    for table, key in sorted(draft.touched):
        entity = getattr(draft, table).get(key)
        if entity is None:
            gone.append((table, key))
        else:
            rows.append(dict(zip(_PROJECTED, (table, key, codec.encode_entity(entity)), strict=True)))
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


def derive_anew(connection: sa.Connection) -> Draft:
    """Write the projections anew from the entries alone, in the transaction of ``connection``."""
    # Holding the head keeps other writers out until the new projections are complete.
    connection.execute(sa.select(head.c.seq).with_for_update()).one()
    draft = Draft(State())
    for row in connection.execute(sa.select(entries).order_by(entries.c.seq)):
        draft.apply(recorded(Entry(*row)))
    connection.execute(sa.delete(projections))
    project(connection, draft)
    return draft


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
