"""What a look reads and leaves out, counted: exposures by variant and segment values, outcomes by source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    func,
    or_,
    select,
)
from sqlalchemy.sql.selectable import FromClause

from belay.cells.plan import MeasurementPlan
from belay.warehouse.events import arrived, events_of, exposures_of, filters_of, labels_of, repeats_of
from belay.warehouse.expressions import finite
from belay.warehouse.look_query import span_of


def survey(plan: MeasurementPlan, until: datetime) -> Select[Any]:
    """Return the statement that counts exposure rows by variant and segment values, and those left out.

    Its rows say which combinations there are, so that the look can pack them into one number.
    """
    exposures = exposures_of(plan)

    def count(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.count(case((condition, 1)))

    keys = [exposures.c.variant, *labels_of(plan, exposures).values()]
    columns = [
        exposures.c.variant.label("variant"),
        *(label.label(f"g_{name}") for name, label in labels_of(plan, exposures).items()),
        func.count().label("rows"),
        count(exposures.c.ingested_at > until).label("late"),
        count(or_(exposures.c.event_time < plan.start, exposures.c.event_time >= until)).label("outside"),
        count(exposures.c.event_time > exposures.c.ingested_at).label("ahead"),
        *(
            count(or_(condition.is_(None), ~condition)).label(f"f_{name}")
            for name, condition in filters_of(plan, exposures).items()
        ),
    ]
    return (
        select(*columns)
        .where(exposures.c.optimization == plan.optimization, exposures.c.surface == plan.surface)
        .group_by(*keys)
    )


def without_unit(plan: MeasurementPlan) -> Select[Any]:
    """Return the statement that counts exposure rows without a unit.

    On its own, because column statistics answer it: beside the others it would read every unit's name.
    """
    exposures = exposures_of(plan)
    return select(func.count().label("rows")).where(
        exposures.c.optimization == plan.optimization,
        exposures.c.surface == plan.surface,
        exposures.c.unit_id.is_(None),
    )


def outcome_audit(plan: MeasurementPlan, source: str, until: datetime) -> Select[Any]:
    """Return the statement that counts missing and broken values of the outcomes in the plan's time."""
    names = _values(plan, source)
    outcomes = events_of(source, names, span_of(plan, until), once=False)
    on_time = and_(*arrived(outcomes, until))
    return select(*_counts(outcomes, names, on_time, ~on_time))


def repeats_audit(plan: MeasurementPlan, source: str, until: datetime) -> Select[Any]:
    """Return the statement that counts the rows of ``outcome_audit`` that repeat an earlier one.

    Without the outcomes that come once it reads hardly more than their ids.
    """
    names = _values(plan, source)
    repeats = repeats_of(source, names, span_of(plan, until))
    on_time = repeats.c.ingested_at <= until
    late = and_(~on_time, repeats.c.superseded_at.is_not(None))
    return select(*_counts(repeats, names, and_(on_time, repeats.c.superseded_at <= until), late))


def without_repeats(read: Mapping[Any, Any], repeats: Mapping[Any, Any]) -> dict[str, int]:
    """Return what ``outcome_audit`` counted less what ``repeats_audit`` did, and how many those were."""
    return {name: int(n) - int(repeats[name]) for name, n in read.items()} | {"twice": int(repeats["rows"])}


def lacks(audit: Mapping[Any, Any], column: str | None) -> bool:
    """Return whether an audit of outcomes found ``column`` without a usable value."""
    return bool(int(audit[f"null_{column}"]) + int(audit[f"broken_{column}"]))


def _values(plan: MeasurementPlan, source: str) -> list[str]:
    mine = [planned.metric for planned in plan.metrics if planned.metric.source == source]
    return list(dict.fromkeys(n for metric in mine for n in (metric.value, metric.denominator) if n))


def _counts(
    events: FromClause, names: Sequence[str], counted: ColumnElement[bool], late: ColumnElement[bool]
) -> list[ColumnElement[Any]]:
    rows = func.count(case((counted, 1)))
    columns: list[ColumnElement[Any]] = [rows.label("rows"), func.count(case((late, 1))).label("late")]
    for name in names:
        known = func.count(case((counted, events.c[name])))
        usable = func.count(case((counted, finite(events.c[name]))))
        columns += [(rows - known).label(f"null_{name}"), (known - usable).label(f"broken_{name}")]
    return columns
