"""What an exposure event, an outcome event and a unit row is: the one place that every reader asks.

- An **event** is one row of ``exposures``, of a table of outcomes, or of a log of choices. It belongs to a
  look when it had arrived by then (``arrived``). A row without an arrival has not arrived.
- **Delivered twice is one event.** Of the rows with one ``event_id`` on one surface the first counts: by
  event time, then by arrival. Told apart are rows up to ``RETRIED`` before the time that is read; a row
  without an id is an event of its own. Outcome events are told apart where the policy says
  ``duplicate_events: drop``, choices always, exposures never: a unit enters at its first exposure, which
  the same exposure again does not move.
- A **unit row** is the row of one unit in ``units``, however often the table repeats it; where its rows
  disagree, the unit has no value.

The column types are settled in ``rows_of`` alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    DateTime,
    String,
    and_,
    case,
    cast,
    column,
    func,
    literal,
    null,
    or_,
    select,
    table,
    union_all,
)
from sqlalchemy.sql.selectable import FromClause

from belay.cells.plan import EXPOSED, MeasurementPlan
from belay.domain.proposal import CONTROL, HOLDOUT
from belay.warehouse.expressions import UnitKey, finite, matches

DROP_DUPLICATES = "duplicate_events"
"""The declared filter that counts an outcome event once."""
MISSING = "(missing)"
"""The segment value of an exposure that has none."""
RETRIED = timedelta(days=1)
"""How long before the time that is read a row may have come that a later one repeats."""
EVENT = ("event_id", "unit_id", "surface")
"""What identifies an event, beside its two times."""


@dataclass(frozen=True, slots=True)
class Span:
    """Which events are read: those of ``surfaces`` with an event time in [begin, end), naive UTC."""

    surfaces: tuple[str, ...]
    begin: datetime
    end: datetime

    def holds(self, rows: FromClause, back: timedelta = timedelta()) -> list[ColumnElement[bool]]:
        """Return the conditions that a row is inside, or up to ``back`` before it."""
        there = (
            rows.c.surface == self.surfaces[0]
            if len(self.surfaces) == 1
            else rows.c.surface.in_(sorted(self.surfaces))
        )
        return [there, rows.c.event_time >= self.begin - back, rows.c.event_time < self.end]


def rows_of(name: str, columns: Iterable[str] = ()) -> FromClause:
    """Return the rows of table ``name`` as they were delivered: identity, times, and ``columns``."""
    return table(
        name,
        *(column(each) for each in EVENT),
        column("event_time", DateTime()),
        column("ingested_at", DateTime()),
        *(column(each) for each in dict.fromkeys(columns) if each not in EVENT),
    )


def drops_duplicates(filters: Any) -> bool:
    """Return whether the declared filters count an outcome event once."""
    return bool(filters.get(DROP_DUPLICATES) == "drop")


def events_of(name: str, columns: Iterable[str], span: Span, *, once: bool) -> FromClause:
    """Return the events of table ``name`` inside ``span``; ask ``arrived`` which of them a look counts.

    Parameters
    ----------
    columns
        Values wanted beside the identity and the times.
    once
        Tell apart what was delivered more than once.
    """
    rows = rows_of(name, columns)
    if not once:
        return select(rows).where(*span.holds(rows)).subquery(f"events_{name}")
    again = _repeated(name, span)
    key = UnitKey(rows.c.event_id)
    single = (
        select(rows, cast(null(), DateTime()).label("superseded_at"))
        .select_from(rows.outerjoin(again, and_(again.c.surface == rows.c.surface, again.c.event == key)))
        .where(*span.holds(rows), again.c.event.is_(None))
    )
    return union_all(single, select(_ranked(rows, again, span))).subquery(f"events_{name}")


def repeats_of(name: str, columns: Iterable[str], span: Span) -> FromClause:
    """Return the rows inside ``span`` whose event was delivered more than once.

    ``superseded_at`` is the first arrival of a row of the same event that comes before it: from then on
    that one counts instead. The first row of an event has none.
    """
    return _ranked(rows_of(name, columns), _repeated(name, span), span)


def _ranked(rows: FromClause, again: FromClause, span: Span) -> FromClause:
    order = [rows.c.event_time, rows.c.ingested_at, *(c for c in rows.c if c.name not in _ORDERED)]
    earlier = func.min(rows.c.ingested_at).over(
        partition_by=[rows.c.surface, rows.c.event_id], order_by=order, rows=(None, -1)
    )
    same = and_(again.c.surface == rows.c.surface, again.c.event == UnitKey(rows.c.event_id))
    ranked = (
        select(rows, cast(earlier, DateTime()).label("superseded_at"))
        .select_from(rows.join(again, same))
        .where(*span.holds(rows, RETRIED))
        .subquery("ranked")
    )
    return select(ranked).where(*span.holds(ranked)).subquery("repeats")


_ORDERED = frozenset({"event_id", "surface", "event_time", "ingested_at"})


def _repeated(name: str, span: Span) -> FromClause:
    """Return the keys of the events that were delivered more than once: few, beside all events."""
    rows = rows_of(name)
    key = UnitKey(rows.c.event_id)
    return (
        select(rows.c.surface.label("surface"), key.label("event"))
        .where(*span.holds(rows, RETRIED), rows.c.event_id.is_not(None))
        .group_by(rows.c.surface, key)
        .having(func.count() > 1)
        .cte(f"repeated_{name}")
    )


def arrived(events: FromClause, until: Any) -> list[ColumnElement[bool]]:
    """Return the conditions that a look at ``until`` (a moment, or a column of moments) counts an event."""
    found: list[ColumnElement[bool]] = [events.c.ingested_at <= until]
    if "superseded_at" in events.c:
        found.append(or_(events.c.superseded_at.is_(None), events.c.superseded_at > until))
    return found


def units_of(names: Iterable[str]) -> FromClause:
    """Return one row a unit of ``units``: ``unit``, and the finite value of each column in ``names``."""
    wanted = list(dict.fromkeys(names))
    rows = table("units", column("unit_id"), *(column(name) for name in wanted))
    key = UnitKey(rows.c.unit_id)
    agreed: list[ColumnElement[Any]] = []
    for name in wanted:
        low, high = func.min(finite(rows.c[name])), func.max(finite(rows.c[name]))
        agreed.append(case((low == high, high)).label(name))
    return (
        select(key.label("unit"), *agreed).where(rows.c.unit_id.is_not(None)).group_by(key).cte("unit_rows")
    )


def exposures_of(plan: MeasurementPlan) -> FromClause:
    """Return the exposures table with the columns that the plan reads.

    A pooled plan reads all its optimizations as one, and everybody but the holdout as one arm.
    """
    extra = [name for name in (*plan.segments, *plan.filters) if name != DROP_DUPLICATES]
    rows = rows_of("exposures", ("optimization", "variant", *extra))
    if not plan.pooled:
        return rows
    changed = {"optimization", "variant"}
    arm = case((rows.c.variant == HOLDOUT, CONTROL), (rows.c.variant.is_not(None), EXPOSED))
    return (
        select(
            literal(plan.optimization).label("optimization"),
            arm.label("variant"),
            *(each for each in rows.c if each.name not in changed),
        )
        .where(rows.c.optimization.in_(plan.pooled))
        .subquery("pooled_exposures")
    )


def columns_of(plan: MeasurementPlan) -> dict[str, set[str]]:
    """Return the tables that the plan reads, and their columns."""
    needed = {"exposures": {column.name for column in exposures_of(plan).columns}}
    for planned in plan.metrics:
        metric = planned.metric
        source = needed.setdefault(
            metric.source, {"event_id", "unit_id", "surface", "event_time", "ingested_at"}
        )
        source |= {name for name in (metric.value, metric.denominator) if name}
        if metric.covariate:
            needed.setdefault("units", {"unit_id"}).add(metric.covariate)
    return needed


def filters_of(plan: MeasurementPlan, exposures: FromClause) -> dict[str, ColumnElement[bool]]:
    """Return the declared exposure filters as conditions, by column."""
    return {
        name: matches(
            column(name, Boolean()) if wanted.lower() in {"true", "false"} else exposures.c[name], wanted
        )
        for name, wanted in plan.filters.items()
        if name != DROP_DUPLICATES
    }


def labels_of(plan: MeasurementPlan, exposures: FromClause) -> dict[str, ColumnElement[str]]:
    """Return each segment column's value as text, by column."""
    # Written into the statement: Postgres does not see that two bound parameters are the same value.
    missing = literal(MISSING, literal_execute=True)
    return {name: func.coalesce(cast(exposures.c[name], String), missing) for name in plan.segments}
