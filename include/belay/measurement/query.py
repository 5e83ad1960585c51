"""The look as SQL: from exposures and outcomes to sufficient statistics in one statement.

Three steps, each a common table expression:

1. ``entry``: each unit's first exposure. Time, arm and segment values are packed into one integer
   (milliseconds since the plan's first day, shifted, plus the code of the combination), so that the
   earliest exposure is a plain ``min`` and a look over millions of units fits into memory.
2. ``outcome_*``: each unit's outcomes, from its first exposure to the end of its phase.
3. the one GROUP BY: exposure day × phase × combination of arm and segment values.

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
    or_,
    select,
    values,
)
from sqlalchemy.sql.selectable import FromClause

from belay.domain.metrics import Metric, MetricKind
from belay.measurement.plan import MeasurementPlan, naive_utc
from belay.measurement.sources import (
    Span,
    arrived,
    events_of,
    exposures_of,
    filters_of,
    labels_of,
    units_of,
)
from belay.measurement.sql import AsNumber, EpochMs, Tiny, UnitKey, WholeDivision, finite

Combination = tuple[int, tuple[str, ...]]
"""An arm (its position in the plan) and a value of every segment column."""
CODE_BITS = 20
MAX_CODES = 1 << CODE_BITS
"""Combinations of arm and segment values that a packed integer can tell apart."""
TWO_ARMS = 2
"""The mark of a unit that was seen in two arms of one phase; 1 marks one that a later phase moved."""
MAX_COMBINATIONS = 20_000
"""Combinations that a look accepts: beyond them, segments are not segments but names."""
DAY_MS = 86_400_000


def day_zero(plan: MeasurementPlan) -> datetime:
    """Return midnight of the plan's first day; exposure days are counted from it."""
    if plan.start is None:
        raise ValueError(f"{plan.optimization}: a plan without phases cannot be read")
    return datetime.combine(plan.start.date(), time())


def _ms(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1)) // timedelta(milliseconds=1)  # noqa: DTZ001 - naive UTC, as stored


@dataclass(frozen=True, slots=True)
class Value:
    """One value per unit: a metric's numerator (``y``), denominator (``d``) or covariate (``x``)."""

    metric: int
    part: str

    @property
    def name(self) -> str:
        """Its column name inside the statement."""
        return f"{self.part}{self.metric}"


def values_of(plan: MeasurementPlan) -> list[list[Value]]:
    """Return the values of every metric, in the order y, d, x."""
    return [
        [Value(i, "y")]
        + ([Value(i, "d")] if planned.metric.kind is MetricKind.RATIO else [])
        + ([Value(i, "x")] if planned.metric.covariate else [])
        for i, planned in enumerate(plan.metrics)
    ]


def span_of(plan: MeasurementPlan, until: datetime) -> Span:
    """Return the outcomes that a look may count: from the plan's start to the look."""
    assert plan.start is not None
    return Span((plan.surface,), plan.start, until)


def codes_of(plan: MeasurementPlan, combinations: Sequence[Combination]) -> CTE:
    """Return the combinations of arm and segment values with their codes, as a table."""
    names = [column(f"g_{name}", String()) for name in plan.segments]
    rows = [(code, arm, *labels) for code, (arm, labels) in enumerate(combinations)]
    listed = values(column("code", BigInteger()), column("arm", Tiny()), *names, literal_binds=True)
    return listed.data(rows).cte("codes")


def entry(plan: MeasurementPlan, until: datetime, codes: CTE) -> CTE:
    """Return each unit's first exposure, and the lowest and highest arm it saw in each phase."""
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
    end = plan.phases[-1].end
    if end is not None:
        wanted.append(exposures.c.event_time < naive_utc(end))
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
    ]
    for i, phase in enumerate(plan.phases):
        inside = exposures.c.event_time >= naive_utc(phase.start)
        if i + 1 < len(plan.phases):
            inside = and_(inside, exposures.c.event_time < naive_utc(plan.phases[i + 1].start))
        code = codes.c.arm if len(plan.phases) == 1 else case((inside, codes.c.arm))
        columns += [func.min(code).label(f"low{i}"), func.max(code).label(f"high{i}")]
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


def _phase(plan: MeasurementPlan, first: FromClause) -> ColumnElement[int]:
    starts = [_ms(naive_utc(phase.start)) - _ms(day_zero(plan)) for phase in plan.phases[1:]]
    elapsed = _after_zero(first)
    branches = [(elapsed < start, literal(i)) for i, start in enumerate(starts)]
    return case(*branches, else_=len(starts)) if branches else literal(0)


def _by_phase(plan: MeasurementPlan, first: FromClause, each: Sequence[Any]) -> ColumnElement[Any]:
    """Return the value of the unit's phase."""
    if len(each) == 1:
        found: ColumnElement[Any] = each[0]
        return found
    return case(dict(enumerate(each)), value=_phase(plan, first))


def _outcomes(
    plan: MeasurementPlan, source: str, metrics: dict[int, Metric], until: datetime, *, once: bool
) -> FromClause:
    names = [name for metric in metrics.values() for name in (metric.value, metric.denominator) if name]
    events = events_of(source, names, span_of(plan, until), once=once)
    return select(events).where(*arrived(events, until)).subquery(f"read_{source}")


def unit_outcomes(plan: MeasurementPlan, source: str, first: CTE, until: datetime, *, once: bool) -> CTE:
    """Return each unit's outcomes from ``source``: one row a unit, one column a metric part."""
    metrics = {i: p.metric for i, p in enumerate(plan.metrics) if p.metric.source == source}
    outcomes = _outcomes(plan, source, metrics, until, once=once)
    since_zero = EpochMs(outcomes.c.event_time) - literal(_ms(day_zero(plan)), BigInteger)
    ends = [naive_utc(phase.end) if phase.end else until for phase in plan.phases]
    ends = [min([end, *(naive_utc(p.start) for p in plan.phases[i + 1 :])]) for i, end in enumerate(ends)]
    limit = _by_phase(plan, first, [literal(_ms(end) - _ms(day_zero(plan)), BigInteger) for end in ends])
    columns: list[ColumnElement[Any]] = []
    for i, metric in metrics.items():
        for part, name in (("y", metric.value), ("d", metric.denominator)):
            if name is None:
                continue
            value = finite(outcomes.c[name])
            if metric.outcome_days is not None:
                horizon = _after_zero(first) + literal(round(metric.outcome_days * DAY_MS), BigInteger)
                value = case((since_zero < horizon, value))
            if metric.kind in {MetricKind.PROPORTION, MetricKind.RARE_COUNT}:
                happened = func.max(case((value > 0, cast(literal(1), Tiny))))
                columns.append(happened.label(f"{part}{i}"))
            else:
                columns.append(func.sum(value).label(f"{part}{i}"))
    joined = first.join(
        outcomes,
        and_(
            UnitKey(outcomes.c.unit_id) == first.c.unit,
            since_zero >= _after_zero(first),
            since_zero < limit,
        ),
    )
    return select(first.c.unit, *columns).select_from(joined).group_by(first.c.unit).cte(f"outcome_{source}")


def per_unit(plan: MeasurementPlan, until: datetime, first: CTE, repeated: Collection[str]) -> CTE:
    """Return one row a unit: day, phase, code, both-arms flag, and every value."""
    source: FromClause = first
    tables: dict[str, FromClause] = {}
    for name in dict.fromkeys(planned.metric.source for planned in plan.metrics):
        tables[name] = unit_outcomes(plan, name, first, until, once=name in repeated)
        source = source.outerjoin(tables[name], tables[name].c.unit == first.c.unit)
    covariates = [p.metric.covariate for p in plan.metrics if p.metric.covariate]
    units = units_of(covariates) if covariates else None
    if units is not None:
        source = source.outerjoin(units, units.c.unit == first.c.unit)
    columns: list[ColumnElement[Any]] = []
    for i, planned in enumerate(plan.metrics):
        metric = planned.metric
        for value in values_of(plan)[i]:
            if value.part == "x" and units is not None:
                raw: ColumnElement[Any] = units.c[metric.covariate or ""]
            else:
                raw = AsNumber(tables[metric.source].c[value.name])
            known: ColumnElement[Any] = func.coalesce(raw, 0.0)
            if value.part == "y" and metric.kind in {MetricKind.PROPORTION, MetricKind.RARE_COUNT}:
                happened = tables[metric.source].c[value.name]  # 0 or 1: a byte is enough
                known = func.coalesce(happened, cast(literal(0), Tiny))
            if value.part == "y" and metric.cap is not None:
                known = case(
                    (known > metric.cap, metric.cap), (known < -metric.cap, -metric.cap), else_=known
                )
            columns.append(known.label(value.name))
    phases = range(len(plan.phases))
    low = _by_phase(plan, first, [first.c[f"low{i}"] for i in phases])
    high = _by_phase(plan, first, [first.c[f"high{i}"] for i in phases])
    crossed = or_(*(first.c[f"high{i}"] != first.c[f"low{j}"] for i in phases for j in phases))
    # Millions of these rows are kept at once: each column is as narrow as its values allow.
    each = select(
        cast(WholeDivision(_after_zero(first), DAY_MS), SmallInteger).label("day"),
        cast(_phase(plan, first), SmallInteger).label("phase"),
        cast(first.c.packed - _after_zero(first) * MAX_CODES, Integer).label("code"),
        cast(case((low != high, TWO_ARMS), (crossed, 1), else_=0), Tiny).label("arms"),
        *columns,
    )
    return each.select_from(source).cte("per_unit")


def look(
    plan: MeasurementPlan,
    until: datetime,
    combinations: Sequence[Combination],
    repeated: Collection[str] = (),
) -> Select[Any]:
    """Return the statement of one look: the one GROUP BY, with the shifts it used.

    Parameters
    ----------
    plan, until
        What to measure, and up to when.
    combinations
        The arms and segment values there are, from ``audit.survey``; the code of each is its position.
    repeated
        The tables of outcomes in which events are to be told apart that were delivered more than once.
    """
    first = entry(plan, until, codes_of(plan, combinations))
    units = per_unit(plan, until, first, repeated)
    parts = values_of(plan)
    named = [value.name for group in parts for value in group]
    means = (func.coalesce(AsNumber(func.avg(units.c[name])), 0.0).label(f"k_{name}") for name in named)
    shifts = select(*means).cte("shifts")
    columns: list[ColumnElement[Any]] = [
        units.c.day,
        units.c.phase,
        units.c.code,
        units.c.arms,
        func.count().label("n"),
    ]
    for group in parts:
        moved = [units.c[value.name] - shifts.c[f"k_{value.name}"] for value in group]
        columns.append(func.count(case((units.c[group[0].name] != 0, 1))).label(f"e_{group[0].name}"))
        for a, value in enumerate(group):
            columns += [
                func.max(shifts.c[f"k_{value.name}"]).label(f"k_{value.name}"),
                func.sum(moved[a]).label(f"s_{value.name}"),
            ]
            columns += [
                func.sum(moved[a] * moved[b]).label(f"q_{value.name}_{other.name}")
                for b, other in enumerate(group)
                if b >= a
            ]
    cells = (
        select(*columns)
        .select_from(units.join(shifts, literal(1) == 1))
        .group_by(units.c.day, units.c.phase, units.c.code, units.c.arms)
        .cte("cells")
    )
    return select(cells)
