"""What a connection to the ledger shows: entries as events, answers by key, the state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from belay.domain.actors import Actor, ActorKind
from belay.domain.events import Event
from belay.domain.evolve import Draft
from belay.domain.recorded import Recorded
from belay.domain.state import State
from belay.ledger import codec
from belay.ledger.chain import Entry
from belay.ledger.errors import LedgerError
from belay.ledger.schema import MARK, entries, projections


def recorded(entry: Entry) -> Recorded:
    """Return a stored entry as the event that state is folded from."""
    return recorded_from(entry.seq, entry.at, entry.kind, entry.actor, entry.key, entry.body)


def recorded_from(seq: int, at: str, kind: str, actor: str, key: str, body: str) -> Recorded:
    """Return the event that these columns of an entry hold.

    Raises
    ------
    ValueError
        When one of them holds no time, no actor, or no event that this Belay knows.
    """
    return Recorded(seq, datetime.fromisoformat(at), _actor(actor), codec.decode_event(kind, body), key)


@lru_cache(maxsize=1024)
def _actor(text: str) -> Actor:
    kind, _, name = text.partition(":")
    return Actor(ActorKind(kind), name)


def events_by_key(connection: sa.Connection, keys: Collection[str]) -> Mapping[str, tuple[Event, ...]]:
    """Return what each idempotency key of ``keys`` has led to; a key that led to nothing is left out."""
    found: dict[str, tuple[Event, ...]] = defaultdict(tuple)
    if keys:
        rows = connection.execute(
            sa.select(entries.c.key, entries.c.kind, entries.c.body)
            .where(entries.c.key.in_(keys))
            .order_by(entries.c.seq)
        )
        for key, kind, body in rows:
            found[key] += (codec.decode_event(kind, body),)
    return found


def newest_state(connection: sa.Connection, known: State | None) -> tuple[State, str, str]:
    """Bring ``known`` (or the projections) up to the last entry; return the state, its hash and its time.

    The last entry of ``known`` is read again too: a ledger that was put back to an earlier copy has lost it.
    An empty ledger has an empty hash and time here.

    Raises
    ------
    LedgerError
        When the projections say more than there are entries.
    """
    for candidate in (known, None):
        start = candidate or _load(connection)
        rows = connection.execute(
            sa.select(entries).where(entries.c.seq >= start.seq).order_by(entries.c.seq)
        ).all()
        if start.seq and (not rows or rows[0].seq != start.seq):
            continue
        draft = Draft(start)
        for row in rows:
            if row.seq > start.seq:
                draft.apply(recorded(Entry(*row)))
        hash_, at = (rows[-1].hash, rows[-1].at) if rows else ("", "")
        return (draft.state() if draft.seq > start.seq else start), hash_, at
    raise LedgerError(
        "the ledger's tables know more than its entries: entries are gone; run `belay ledger verify`, and "
        "put back a copy (`belay ledger rebuild` goes on from the entries that are left)"
    )


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
