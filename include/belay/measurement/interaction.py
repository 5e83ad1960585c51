"""Do two live changes do more, or less, together than each alone? Asked where units meet both.

The difference of differences of the later change's primary metric, over units that were seen by both: what
the change does to those who also have the other, less what it does to those who do not. Its e-value is that
of a mixture of normals (mSPRT, Johari et al. 2022), so it may be asked at every look.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, and_, case, func, select

from belay.cells.plan import whole_ms
from belay.domain.proposal import CONTROL
from belay.measurement.sequences import log_e_two_sided, tuning
from belay.warehouse.events import (
    Span,
    arrived,
    drops_duplicates,
    events_of,
    exposures_of,
    filters_of,
)
from belay.warehouse.expressions import UnitKey, finite
from belay.warehouse.fleet_query import Sight
from belay.warehouse.freshness import read_rows

ALPHA = 0.01
"""Error rate of all pairs together: holding a change that is fine costs time, and no more."""
LEAST = 200
"""Units in each of the four groups before the test speaks."""


@dataclass(frozen=True, slots=True)
class Interaction:
    """What a pair shows.

    Attributes
    ----------
    units : tuple[int, int, int, int]
        Units with neither, the other alone, the later alone, both.
    alone, together : float
        What the later change does to those without the other, and with it, in the metric's unit.
    log_e : float
        Log e-value of an interaction.
    found : bool
        Whether it is shown.
    """

    units: tuple[int, int, int, int]
    alone: float
    together: float
    log_e: float
    found: bool


def read_interaction(engine: Engine, other: Sight, later: Sight, *, pairs: int) -> Interaction:
    """Return what the units that met both changes show, of ``pairs`` that are asked about."""
    with engine.connect() as connection:
        groups = {
            (int(row["a"]), int(row["b"])): (int(row["n"]), float(row["s"] or 0), float(row["q"] or 0))
            for row in _read(connection, other, later)
        }
    return judge_interaction(
        [groups.get(key, (0, 0.0, 0.0)) for key in ((0, 0), (1, 0), (0, 1), (1, 1))], pairs
    )


def judge_interaction(groups: Sequence[tuple[int, float, float]], pairs: int) -> Interaction:
    """Return what four groups (neither, other, later, both) of units, sums and sums of squares show."""
    units = tuple(n for n, _, _ in groups)
    assert len(units) == 4
    if min(units) < LEAST:
        return Interaction(units, 0.0, 0.0, 0.0, found=False)
    means = [s / n for n, s, _ in groups]
    variance = sum(max(q / n - m * m, 0.0) / (n - 1) for (n, _, q), m in zip(groups, means, strict=True))
    alone, together = means[2] - means[0], means[3] - means[1]
    if variance <= 0 or not math.isfinite(variance):
        return Interaction(units, alone, together, 0.0, found=False)
    z = (together - alone) / math.sqrt(variance)
    information = 4.0 / sum(1.0 / n for n in units)
    alpha = ALPHA / max(pairs, 1)
    log_e = float(log_e_two_sided(z, information, tuning(alpha, 10_000, sided=2)))
    return Interaction(units, alone, together, log_e, found=log_e >= -math.log(alpha))


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
