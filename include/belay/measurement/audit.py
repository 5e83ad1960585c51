"""What a look reads and leaves out, counted: exposures by variant and segment values, outcomes by source."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Select,
    and_,
    case,
    column,
    distinct,
    func,
    or_,
    select,
    table,
)

from belay.measurement.plan import MeasurementPlan
from belay.measurement.sql import finite
from belay.measurement.tables import DROP_DUPLICATES, exposures_of, filters_of, labels_of


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
    names = dict.fromkeys(
        name
        for planned in plan.metrics
        if planned.metric.source == source
        for name in (planned.metric.value, planned.metric.denominator)
        if name
    )
    outcomes = table(
        source,
        column("event_id"),
        column("surface"),
        column("event_time", DateTime()),
        column("ingested_at", DateTime()),
        *(column(name) for name in names),
    )
    inside = and_(outcomes.c.event_time >= plan.start, outcomes.c.event_time < until)
    on_time = outcomes.c.ingested_at <= until
    rows = func.count(case((on_time, 1)))
    columns: list[ColumnElement[Any]] = [rows.label("rows"), (func.count() - rows).label("late")]
    if plan.filters.get(DROP_DUPLICATES) == "drop":
        columns.append(
            (func.count(outcomes.c.event_id) - func.count(distinct(outcomes.c.event_id))).label("twice")
        )
    for name in names:
        known = func.count(case((on_time, outcomes.c[name])))
        usable = func.count(case((on_time, finite(outcomes.c[name]))))
        columns += [(rows - known).label(f"null_{name}"), (known - usable).label(f"broken_{name}")]
    return select(*columns).where(outcomes.c.surface == plan.surface, inside)
