"""How fresh are the data of a surface?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Engine, func, select

from belay.warehouse.connection import read_rows
from belay.warehouse.errors import UNREADABLE, WarehouseUnavailableError, first_line
from belay.warehouse.events import rows_of
from belay.warehouse.expressions import EpochMs
from belay.warehouse.forms import naive

FRESH = timedelta(hours=2)
"""How old an event may be when it arrives to prove that the stream is alive."""


def watermark(engine: Engine, surface: str, fresh: timedelta = FRESH) -> datetime | None:
    """Return until when data of ``surface`` was arriving (UTC), or None without data.

    That is the newest arrival of an event that was at most ``fresh`` old; the earlier one of exposures
    and outcomes, because the guard is blind when either stream stops. A late batch of old events, and
    an event from a clock that runs ahead of its own arrival, prove nothing and do not count.

    Raises
    ------
    WarehouseUnavailableError
        When the warehouse cannot be read.
    """
    return watermarks(engine, [surface], fresh)[surface]


def watermarks(
    engine: Engine, surfaces: Sequence[str], fresh: timedelta = FRESH
) -> dict[str, datetime | None]:
    """Return the ``watermark`` of every surface, in two statements however many there are.

    Raises
    ------
    WarehouseUnavailableError
        When the warehouse cannot be read.
    """
    newest: list[dict[str, datetime]] = []
    for name in ("exposures", "outcomes"):
        events = rows_of(name)
        age = EpochMs(events.c.ingested_at) - EpochMs(events.c.event_time)
        statement = (
            select(events.c.surface, func.max(events.c.ingested_at).label("newest"))
            .where(
                events.c.surface.in_(sorted(surfaces)),
                events.c.event_time <= events.c.ingested_at,
                age <= int(fresh.total_seconds() * 1000),
            )
            .group_by(events.c.surface)
        )
        try:
            with engine.connect() as connection:
                rows = read_rows(connection, statement)
        except UNREADABLE as error:
            raise WarehouseUnavailableError(f"the warehouse cannot be read: {first_line(error)}") from error
        arrived = {str(row["surface"]): naive(row["newest"]) for row in rows}
        newest.append({surface: at for surface, at in arrived.items() if at is not None})
    return {
        s: min(found[s] for found in newest) if all(s in found for found in newest) else None
        for s in surfaces
    }
