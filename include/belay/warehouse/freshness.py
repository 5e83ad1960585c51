"""The two questions that need no plan: how fresh is the data, and how much traffic is there?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, func, select

from belay.cells.plan import naive_utc
from belay.warehouse.connection import DIALECTS, open_warehouse, read_rows
from belay.warehouse.errors import UNREADABLE, WarehouseUnavailableError, first_line
from belay.warehouse.events import Span, arrived, events_of, rows_of
from belay.warehouse.expressions import EpochMs, UnitKey, WholeDivision
from belay.warehouse.forms import naive
from belay.warehouse.unit_values import DAY_MS

__all__ = [
    "DIALECTS",
    "WarehouseUnavailableError",
    "daily_units",
    "first_line",
    "open_warehouse",
    "read_rows",
    "watermark",
    "watermarks",
]

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


def daily_units(engine: Engine, surface: str, since: datetime, until: datetime) -> NDArray[np.int64]:
    """Return how many units came to ``surface`` for the first time on each day since ``since``.

    Days are periods of 24 hours from ``since``; the sum is the number of distinct units. Units are
    counted in the outcomes, which are logged whether or not an optimization is live.

    Raises
    ------
    WarehouseUnavailableError
        When the warehouse cannot be read.
    """
    since, until = naive_utc(since), naive_utc(until)
    days = max(-((since - until) // timedelta(days=1)), 0)
    outcomes = events_of("outcomes", (), Span((surface,), since, until), once=False)
    started = _ms(since)
    first = (
        select(func.min(EpochMs(outcomes.c.event_time)).label("first"))
        .where(*arrived(outcomes, until), outcomes.c.unit_id.is_not(None))
        .group_by(UnitKey(outcomes.c.unit_id))
        .subquery()
    )
    # The day is computed in a subquery: Postgres does not see that two bound parameters are the same.
    by_day = select(WholeDivision(first.c.first - started, DAY_MS).label("day")).subquery()
    statement = select(by_day.c.day, func.count().label("units")).group_by(by_day.c.day)
    counts = np.zeros(days, dtype=np.int64)
    try:
        with engine.connect() as connection:
            for row in read_rows(connection, statement):
                counts[int(row["day"])] = row["units"]
    except UNREADABLE as error:
        raise WarehouseUnavailableError(
            f"traffic of {surface} cannot be read: {first_line(error)}"
        ) from error
    return counts


def _ms(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1)) // timedelta(milliseconds=1)  # noqa: DTZ001 - naive UTC, as stored
