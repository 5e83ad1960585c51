"""How much traffic a surface has, and what its metrics look like: the figures that power rests on."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, func, select

from belay.cells.baseline import Traffic
from belay.cells.plan import naive_utc
from belay.domain.capability import CapabilityPolicy
from belay.warehouse.baseline import read_baselines
from belay.warehouse.connection import read_rows
from belay.warehouse.errors import UNREADABLE, WarehouseUnavailableError, first_line
from belay.warehouse.events import Span, arrived, drops_duplicates, events_of
from belay.warehouse.expressions import EpochMs, UnitKey, WholeDivision
from belay.warehouse.unit_values import DAY_MS


def read_traffic(engine: Engine, policy: CapabilityPolicy, now: datetime) -> Traffic:
    """Return what the surface of ``policy`` had of units and metrics before ``now``.

    Reads a period as long as the maximum window (at least a day), because units that come back are new
    only once. The traffic is everybody's, the holdout's too.

    Raises
    ------
    WarehouseUnavailableError
        When the warehouse cannot be read.
    """
    since = now - max(timedelta(seconds=policy.window.maximum_seconds), timedelta(days=1))
    once = drops_duplicates(policy.exposure_filters)
    baselines = read_baselines(engine, policy.metrics, policy.surface, since, now, once=once)
    # Days before the surface's first traffic say nothing about its pace.
    return Traffic(baselines, np.trim_zeros(daily_units(engine, policy.surface, since, now), "f"))


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
