"""The look as SQL: from exposures and outcomes to sufficient statistics in one statement.

Three steps, each a common table expression:

1. ``entry``: each unit's first exposure. Time, arm and segment values are packed into one integer
   (milliseconds since the plan's first day, shifted, plus the code of the combination), so that the
   earliest exposure is a plain ``min`` and a look over millions of units fits into memory.
2. ``outcome_*``: each unit's outcomes, from its first exposure on.
3. the one GROUP BY: exposure day × combination of arm and segment values.

A look reads one period of constant scope (see "One step, one period" in docs/architecture.md).

Only counts and sums leave the warehouse; squares are summed around a shift (each value's overall
mean, computed in the same statement), never raw: Σ(y−k)², not Σy².
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    SmallInteger,
    String,
    and_,
    case,
    cast,
    column,
    func,
    literal,
    select,
    values,
)
from sqlalchemy.sql.selectable import FromClause

from belay.cells.plan import MeasurementPlan
from belay.cells.values import sources_of, values_of
from belay.domain.metrics import Grain, Metric
from belay.warehouse.events import (
    Span,
    arrived,
    events_of,
    exposures_of,
    filters_of,
    labels_of,
    units_of,
)
from belay.warehouse.expressions import AsNumber, EpochMs, Tiny, UnitKey, WholeDivision
from belay.warehouse.unit_values import (
    DAY_MS,
    cell_columns,
    early_columns,
    outcome_columns,
    value_columns,
)

Combination = tuple[int, tuple[str, ...]]
"""An arm (its position in the plan) and a value of every segment column."""
CODE_BITS = 20
MAX_CODES = 1 << CODE_BITS
"""Combinations of arm and segment values that a packed integer can tell apart."""
TWO_ARMS = 2
"""The mark of a unit that was seen in two arms."""
MAX_COMBINATIONS = 20_000
"""Combinations that a look accepts: beyond them, segments are not segments but names."""


def day_zero(plan: MeasurementPlan) -> datetime:
    """Return midnight of the plan's first day; exposure days are counted from it."""
    if plan.start is None:
        raise ValueError(f"{plan.optimization}: a plan without a phase cannot be read")
    return datetime.combine(plan.start.date(), time())


def _ms(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1)) // timedelta(milliseconds=1)  # noqa: DTZ001 - naive UTC, as stored


@dataclass(frozen=True, slots=True)
class Ask:
    """What a look has to tell apart, as the audit of its outcomes found.

    Attributes
    ----------
    repeated : Collection[str]
        Tables of outcomes whose events were delivered more than once, where they count once.
    watched : Collection[str]
        Names of the values of which any is missing: the look then counts which arms lack them.
    """

    repeated: Collection[str] = ()
    watched: Collection[str] = ()


NOTHING = Ask()


def span_of(plan: MeasurementPlan, until: datetime) -> Span:
    """Return the outcomes that a look may count: from the plan's start (or its day) to the look."""
    assert plan.start is not None
    by_day = any(planned.metric.grain is Grain.DAY for planned in plan.metrics)
    return Span((plan.surface,), day_zero(plan) if by_day else plan.start, until)


def codes_of(plan: MeasurementPlan, combinations: Sequence[Combination]) -> CTE:
    """Return the combinations of arm and segment values with their codes, as a table."""
    names = [column(f"g_{name}", String()) for name in plan.segments]
    rows = [(code, arm, *labels) for code, (arm, labels) in enumerate(combinations)]
    listed = values(column("code", BigInteger()), column("arm", Tiny()), *names, literal_binds=True)
    return listed.data(rows).cte("codes")


def entry(plan: MeasurementPlan, until: datetime, codes: CTE) -> CTE:
    """Return each unit's first exposure, and the lowest and highest arm it saw."""
    exposures = exposures_of(plan)
    zero = _ms(day_zero(plan))
    wanted = [
        exposures.c.optimization == plan.optimization,
        exposures.c.surface == plan.surface,
        exposures.c.unit_id.is_not(None),
        exposures.c.event_time >= plan.start,
        exposures.c.event_time < until,
        exposures.c.ingested_at <= until,
        *filters_of(plan, exposures).values(),
    ]
    arm = cast(case({name: literal(i) for i, name in enumerate(plan.arms)}, value=exposures.c.variant), Tiny)
    labels = labels_of(plan, exposures)
    # A variant that the plan does not know has no code, and falls out here.
    joined = exposures.join(
        codes, and_(codes.c.arm == arm, *(codes.c[f"g_{name}"] == label for name, label in labels.items()))
    )
    packed = (EpochMs(exposures.c.event_time) - literal(zero, BigInteger)) * MAX_CODES + codes.c.code
    columns: list[ColumnElement[Any]] = [
        UnitKey(exposures.c.unit_id).label("unit"),
        func.min(packed).label("packed"),
        func.min(codes.c.arm).label("low"),
        func.max(codes.c.arm).label("high"),
    ]
    return (
        select(*columns)
        .select_from(joined)
        .where(*wanted)
        .group_by(UnitKey(exposures.c.unit_id))
        .cte("entry")
    )


def _after_zero(first: FromClause) -> ColumnElement[int]:
    """Milliseconds from the plan's first midnight to the unit's first exposure."""
    return WholeDivision(first.c.packed, MAX_CODES)


def _outcomes(
    plan: MeasurementPlan, source: str, metrics: dict[int, Metric], until: datetime, *, once: bool
) -> FromClause:
    names = [name for metric in metrics.values() for name in (metric.value, metric.denominator) if name]
    events = events_of(source, names, span_of(plan, until), once=once)
    return select(events).where(*arrived(events, until)).subquery(f"read_{source}")


def unit_outcomes(plan: MeasurementPlan, source: str, first: CTE, until: datetime, ask: Ask) -> CTE:
    """Return each unit's outcomes from ``source``: one row a unit, one column a metric part."""
    metrics = {i: p.metric for i, p in enumerate(plan.metrics) if p.metric.source == source}
    outcomes = _outcomes(plan, source, metrics, until, once=source in ask.repeated)
    since_zero = EpochMs(outcomes.c.event_time) - literal(_ms(day_zero(plan)), BigInteger)
    limit = literal(_ms(until) - _ms(day_zero(plan)), BigInteger)
    columns = outcome_columns(metrics, outcomes, since_zero, _after_zero(first), ask.watched)
    joined = first.join(outcomes, and_(UnitKey(outcomes.c.unit_id) == first.c.unit, since_zero < limit))
    return select(first.c.unit, *columns).select_from(joined).group_by(first.c.unit).cte(f"outcome_{source}")


def per_unit(plan: MeasurementPlan, until: datetime, first: CTE, ask: Ask) -> CTE:
    """Return one row a unit: day, code, both-arms flag, and every value."""
    source: FromClause = first
    tables: dict[str, FromClause] = {}
    for name in sources_of(plan):
        tables[name] = unit_outcomes(plan, name, first, until, ask)
        source = source.outerjoin(tables[name], tables[name].c.unit == first.c.unit)
    covariates = [p.metric.covariate for p in plan.metrics if p.metric.covariate]
    units = units_of(covariates) if covariates else None
    if units is not None:
        source = source.outerjoin(units, units.c.unit == first.c.unit)
    columns = early_columns(tables)
    for planned, group in zip(plan.metrics, values_of(plan), strict=True):
        columns += value_columns(group, planned.metric, tables[planned.metric.source], units, ask.watched)
    # Millions of these rows are kept at once: each column is as narrow as its values allow.
    each = select(
        cast(WholeDivision(_after_zero(first), DAY_MS), SmallInteger).label("day"),
        cast(first.c.packed - _after_zero(first) * MAX_CODES, Integer).label("code"),
        cast(case((first.c.low != first.c.high, TWO_ARMS), else_=0), Tiny).label("arms"),
        *columns,
    )
    return each.select_from(source).cte("per_unit")


def look(
    plan: MeasurementPlan, until: datetime, combinations: Sequence[Combination], ask: Ask = NOTHING
) -> Select[Any]:
    """Return the statement of one look: the one GROUP BY, with the shifts it used.

    Parameters
    ----------
    plan, until
        What to measure, and up to when.
    combinations
        The arms and segment values there are, from ``audit.survey``; the code of each is its position.
    ask
        What the audit found that the look has to tell apart.
    """
    first = entry(plan, until, codes_of(plan, combinations))
    units = per_unit(plan, until, first, ask)
    parts = values_of(plan)
    named = [value.name for group in parts for value in group]
    means = (func.coalesce(AsNumber(func.avg(units.c[name])), 0.0).label(f"k_{name}") for name in named)
    shifts = select(*means).cte("shifts")
    keys = [units.c[name] for name in ("day", "code", "arms")]
    sums = cell_columns(units, shifts, parts, sources_of(plan), ask.watched)
    return (
        select(*keys, func.count().label("n"), *sums)
        .select_from(units.join(shifts, literal(1) == 1))
        .group_by(*keys)
    )
