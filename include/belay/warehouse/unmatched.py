"""Do the units of the outcomes occur among the exposed units at all?

Ids that never meet ('u-1' in one table, 1 in the other) look like a change that does nothing: every value of
every unit is zero. That is told as what it is.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, FromClause, String, and_, case, cast, func, select

from belay.cells.cells import Cells, MetricCells, no_cells
from belay.cells.plan import MeasurementPlan
from belay.domain.vocabulary import Unreadable
from belay.warehouse.connection import read_rows
from belay.warehouse.events import Span, events_of, exposures_of
from belay.warehouse.expressions import UnitKey

ENOUGH = 100
"""Units on both sides from which none that meets is no accident of a young window."""


def with_strangers(connection: Connection, plan: MeasurementPlan, cells: Cells) -> Cells:
    """Return ``cells`` with a note of each table of outcomes whose units never meet the exposed ones.

    Where that is so of all of them, and there are many units on both sides, nothing was measured: then it
    is the cells' ``problem``.
    """
    if cells.problem is not None:
        return cells
    sources: dict[str, list[MetricCells]] = {}
    for planned in plan.metrics:
        sources.setdefault(planned.metric.source, []).append(cells.metrics[planned.metric.id])
    silent = [name for name, of in sources.items() if all(m.rows and not m.events.any() for m in of)]
    found = [told for name in silent if (told := strangers(connection, plan, cells.until, name)) is not None]
    if not found:
        return cells
    reading = replace(cells.reading, strangers=tuple(sentence for sentence, _ in found))
    if len(found) == len(sources) and all(many for _, many in found):
        return no_cells(plan, cells.until, Unreadable.STRANGERS, found[0][0], reading)
    return replace(cells, reading=reading)


def strangers(
    connection: Connection, plan: MeasurementPlan, until: datetime, source: str
) -> tuple[str, bool] | None:
    """Return the sentence about ``source``, and whether there are many units on both sides.

    None when some unit of it is exposed, or there is nothing to say yet. To be asked when no unit has any
    value but zero: it reads every unit's name.
    """
    if plan.start is None:
        return None
    rows = exposures_of(plan)
    span = Span((plan.surface,), plan.start, until)
    seen = _units(select(rows).where(rows.c.optimization == plan.optimization, *span.holds(rows)).subquery())
    acted = _units(events_of(source, (), span, once=False))
    met = func.count(case((seen.c.unit.is_not(None), 1)))
    statement = select(
        func.count().label("units"), met.label("met"), func.min(acted.c.example).label("example")
    ).select_from(acted.outerjoin(seen, and_(acted.c.unit == seen.c.unit)))
    outcomes = read_rows(connection, statement)[0]
    exposed = read_rows(
        connection, select(func.count().label("units"), func.min(seen.c.example).label("example"))
    )[0]
    if outcomes["met"] or not outcomes["units"] or not exposed["units"]:
        return None
    sentence = (
        f"0 of {outcomes['units']:,} units of {source} are among the {exposed['units']:,} exposed units: "
        f"{source}.unit_id is for example {outcomes['example']!r}, exposures.unit_id {exposed['example']!r}"
    )
    return sentence, min(int(outcomes["units"]), int(exposed["units"])) >= ENOUGH


def _units(rows: FromClause) -> FromClause:
    key = UnitKey(rows.c.unit_id)
    example = func.min(cast(rows.c.unit_id, String)).label("example")
    return select(key.label("unit"), example).where(rows.c.unit_id.is_not(None)).group_by(key).subquery()
