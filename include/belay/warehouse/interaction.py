"""The units that met two changes, as sums by group: all that a test of their interaction needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Engine, and_, case, func, select

from belay.cells.plan import Sight, whole_ms
from belay.domain.proposal import CONTROL
from belay.warehouse.connection import read_rows
from belay.warehouse.events import Span, arrived, drops_duplicates, events_of, exposures_of, filters_of
from belay.warehouse.expressions import UnitKey, finite

GROUPS = ((0, 0), (1, 0), (0, 1), (1, 1))
"""The groups in order: neither change, the other alone, the later alone, both."""


def read_groups(engine: Engine, other: Sight, later: Sight) -> list[tuple[int, float, float]]:
    """Return units, sums and sums of squares of the later change's primary metric, by group.

    The groups are those of ``measurement.interaction.judge_interaction``: neither change, the other alone,
    the later alone, both.
    """
    with engine.connect() as connection:
        groups = {
            (int(row["a"]), int(row["b"])): (int(row["n"]), float(row["s"] or 0), float(row["q"] or 0))
            for row in _read(connection, other, later)
        }
    return [groups.get(key, (0, 0.0, 0.0)) for key in GROUPS]


def _read(connection: Connection, other: Sight, later: Sight) -> Sequence[Any]:
    a, b = _arms(other, "other"), _arms(later, "later")
    metric = later.plan.primary.metric
    since = max(start for start in (other.plan.start, later.plan.start) if start is not None)
    until, once = whole_ms(later.until), drops_duplicates(later.plan.filters)
    span = Span((later.plan.surface,), since, until)
    outcomes = events_of(metric.source, (metric.value,), span, once=once)
    summed = (
        select(
            UnitKey(outcomes.c.unit_id).label("unit"), func.sum(finite(outcomes.c[metric.value])).label("y")
        )
        .where(*arrived(outcomes, until))
        .group_by(UnitKey(outcomes.c.unit_id))
        .cte("summed")
    )
    y = func.coalesce(summed.c.y, 0.0)
    both = a.join(b, and_(a.c.unit == b.c.unit)).outerjoin(summed, summed.c.unit == a.c.unit)
    statement = (
        select(
            a.c.treated.label("a"),
            b.c.treated.label("b"),
            func.count().label("n"),
            func.sum(y).label("s"),
            func.sum(y * y).label("q"),
        )
        .select_from(both)
        .group_by(a.c.treated, b.c.treated)
    )
    return read_rows(connection, statement)


def _arms(sight: Sight, name: str) -> Any:
    """Return each unit's side in one change; a unit that was seen on both sides is left out."""
    plan, until = sight.plan, whole_ms(sight.until)
    assert plan.start is not None
    exposures = exposures_of(plan)
    treated = case((exposures.c.variant == CONTROL, 0), else_=1)
    return (
        select(UnitKey(exposures.c.unit_id).label("unit"), func.max(treated).label("treated"))
        .where(
            exposures.c.optimization == plan.optimization,
            *Span((plan.surface,), plan.start, until).holds(exposures),
            *arrived(exposures, until),
            *filters_of(plan, exposures).values(),
            exposures.c.variant.in_(plan.arms),
        )
        .group_by(UnitKey(exposures.c.unit_id))
        .having(func.max(treated) == func.min(treated))
        .cte(name)
    )
