"""The warehouse's tables as a plan reads them: columns, declared filters, segment labels."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    ColumnElement,
    DateTime,
    String,
    case,
    cast,
    column,
    func,
    literal,
    select,
    table,
)
from sqlalchemy.sql.selectable import FromClause

from belay.domain.proposal import CONTROL, HOLDOUT
from belay.measurement.plan import EXPOSED, MeasurementPlan
from belay.measurement.sql import matches

DROP_DUPLICATES = "duplicate_events"
"""The declared filter that counts an outcome event once."""
MISSING = "(missing)"
"""The segment value of an exposure that has none."""


def exposures_of(plan: MeasurementPlan) -> FromClause:
    """Return the exposures table with the columns that the plan reads.

    A pooled plan reads all its optimizations as one, and everybody but the holdout as one arm.
    """
    fixed = ("event_id", "unit_id", "optimization", "variant", "surface")
    extra = [name for name in (*plan.segments, *plan.filters) if name != DROP_DUPLICATES]
    rows = table(
        "exposures",
        *(column(name) for name in fixed),
        column("event_time", DateTime()),
        column("ingested_at", DateTime()),
        *(column(name) for name in dict.fromkeys(extra) if name not in fixed),
    )
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
