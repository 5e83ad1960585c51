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

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    Select,
    and_,
    case,
    cast,
    column,
    distinct,
    func,
    literal,
    or_,
    select,
    table,
)
from sqlalchemy.sql.selectable import FromClause

from belay.domain.metrics import Metric, MetricKind
from belay.measurement.plan import MeasurementPlan, naive_utc
from belay.measurement.sql import AsNumber, EpochMs, Tiny, UnitKey, WholeDivision, finite, matches

DROP_DUPLICATES = "duplicate_events"
"""The declared filter that counts an outcome event once."""
CODE_BITS = 20
MAX_CODES = 1 << CODE_BITS
"""Combinations of arm and segment values that one look can tell apart."""
DAY_MS = 86_400_000
MISSING = "(missing)"
"""The segment value of an exposure that has none."""


def day_zero(plan: MeasurementPlan) -> datetime:
    """Return midnight of the plan's first day; exposure days are counted from it."""
    if plan.start is None:
        raise ValueError(f"{plan.optimization}: a plan without phases cannot be read")
    return datetime.combine(plan.start.date(), time())


def _ms(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1)) // timedelta(milliseconds=1)  # noqa: DTZ001 - naive UTC, as stored


def exposures_of(plan: MeasurementPlan) -> FromClause:
    """Return the exposures table with the columns that the plan reads."""
    fixed = ("event_id", "unit_id", "optimization", "variant", "surface")
    extra = [name for name in (*plan.segments, *plan.filters) if name != DROP_DUPLICATES]
    return table(
        "exposures",
        *(column(name) for name in fixed),
        column("event_time", DateTime()),
        column("ingested_at", DateTime()),
        *(column(name) for name in dict.fromkeys(extra) if name not in fixed),
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


def entry(plan: MeasurementPlan, until: datetime) -> tuple[CTE, CTE]:
    """Return the codes of arm and segment combinations, and each unit's first exposure."""
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
    labels = {name: func.coalesce(exposures.c[name], MISSING) for name in plan.segments}
    arm = cast(case({name: literal(i) for i, name in enumerate(plan.arms)}, value=exposures.c.variant), Tiny)
    combos = (
        select(arm.label("arm"), *(label.label(f"g_{name}") for name, label in labels.items()))
        .where(*wanted, arm.is_not(None))  # the join below leaves out every other variant
        .distinct()
        .subquery("combos")
    )
    order = [combos.c.arm, *(combos.c[f"g_{name}"] for name in plan.segments)]
    codes = select((func.row_number().over(order_by=order) - 1).label("code"), combos).cte("codes")
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
    first = (
        select(*columns)
        .select_from(joined)
        .where(*wanted)
        .group_by(UnitKey(exposures.c.unit_id))
        .cte("entry")
    )
    return codes, first


def _after_zero(first: FromClause) -> ColumnElement[int]:
    """Milliseconds from the plan's first midnight to the unit's first exposure."""
    return WholeDivision(first.c.packed, MAX_CODES)


def _phase(plan: MeasurementPlan, first: FromClause) -> ColumnElement[int]:
    starts = [_ms(naive_utc(phase.start)) - _ms(day_zero(plan)) for phase in plan.phases[1:]]
    elapsed = _after_zero(first)
    branches = [(elapsed < start, literal(i)) for i, start in enumerate(starts)]
    return case(*branches, else_=len(starts)) if branches else literal(0)


def _by_phase(plan: MeasurementPlan, first: FromClause, values: Sequence[Any]) -> ColumnElement[Any]:
    """Return the value of the unit's phase."""
    if len(values) == 1:
        found: ColumnElement[Any] = values[0]
        return found
    return case(dict(enumerate(values)), value=_phase(plan, first))


def _outcomes(plan: MeasurementPlan, source: str, metrics: dict[int, Metric], until: datetime) -> FromClause:
    names = dict.fromkeys(
        name for metric in metrics.values() for name in (metric.value, metric.denominator) if name
    )
    outcomes = table(
        source,
        *(column(name) for name in ("event_id", "unit_id", "surface")),
        column("event_time", DateTime()),
        column("ingested_at", DateTime()),
        *(column(name) for name in names),
    )
    read = select(outcomes.c.unit_id, outcomes.c.event_time, *(outcomes.c[name] for name in names)).where(
        outcomes.c.surface == plan.surface,
        outcomes.c.event_time >= plan.start,
        outcomes.c.event_time < until,
        outcomes.c.ingested_at <= until,
    )
    if plan.filters.get(DROP_DUPLICATES) == "drop":
        read = read.add_columns(outcomes.c.event_id).distinct()
    return read.subquery(f"read_{source}")


def unit_outcomes(plan: MeasurementPlan, source: str, first: CTE, until: datetime) -> CTE:
    """Return each unit's outcomes from ``source``: one row a unit, one column a metric part."""
    metrics = {i: p.metric for i, p in enumerate(plan.metrics) if p.metric.source == source}
    outcomes = _outcomes(plan, source, metrics, until)
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


def _covariates(plan: MeasurementPlan) -> FromClause | None:
    names = dict.fromkeys(p.metric.covariate for p in plan.metrics if p.metric.covariate)
    return table("units", column("unit_id"), *(column(name) for name in names)) if names else None


def per_unit(plan: MeasurementPlan, until: datetime) -> tuple[CTE, CTE, CTE]:
    """Return the codes, the first exposures, and one row a unit: day, phase, code, both-arms flag, values."""
    codes, first = entry(plan, until)
    source: FromClause = first
    tables: dict[str, FromClause] = {}
    for name in dict.fromkeys(planned.metric.source for planned in plan.metrics):
        tables[name] = unit_outcomes(plan, name, first, until)
        source = source.outerjoin(tables[name], tables[name].c.unit == first.c.unit)
    units = _covariates(plan)
    if units is not None:
        source = source.outerjoin(units, UnitKey(units.c.unit_id) == first.c.unit)
    columns: list[ColumnElement[Any]] = []
    for i, planned in enumerate(plan.metrics):
        metric = planned.metric
        for value in values_of(plan)[i]:
            if value.part == "x" and units is not None:
                raw: ColumnElement[Any] = finite(units.c[metric.covariate or ""])
            else:
                raw = AsNumber(tables[metric.source].c[value.name])
            known: ColumnElement[Any] = func.coalesce(raw, 0.0)
            if value.part == "y" and metric.cap is not None:
                known = case(
                    (known > metric.cap, metric.cap), (known < -metric.cap, -metric.cap), else_=known
                )
            columns.append(known.label(value.name))
    phases = range(len(plan.phases))
    low = _by_phase(plan, first, [first.c[f"low{i}"] for i in phases])
    high = _by_phase(plan, first, [first.c[f"high{i}"] for i in phases])
    crossed = or_(*(first.c[f"high{i}"] != first.c[f"low{j}"] for i in phases for j in phases))
    each = select(
        WholeDivision(_after_zero(first), DAY_MS).label("day"),
        _phase(plan, first).label("phase"),
        (first.c.packed - _after_zero(first) * MAX_CODES).label("code"),
        case((low != high, 2), (crossed, 1), else_=0).label("arms"),
        *columns,
    )
    return codes, first, each.select_from(source).cte("per_unit")


def look(plan: MeasurementPlan, until: datetime) -> Select[Any]:
    """Return the statement of one look: the one GROUP BY, with the shifts it used."""
    codes, first, units = per_unit(plan, until)
    parts = values_of(plan)
    named = [value.name for values in parts for value in values]
    shifts = select(*(func.coalesce(func.avg(units.c[name]), 0.0).label(f"k_{name}") for name in named)).cte(
        "shifts"
    )
    columns: list[ColumnElement[Any]] = [
        units.c.day,
        units.c.phase,
        units.c.code,
        units.c.arms,
        func.count().label("n"),
    ]
    for values in parts:
        moved = [units.c[value.name] - shifts.c[f"k_{value.name}"] for value in values]
        columns.append(
            func.sum(case((units.c[values[0].name] != 0, 1), else_=0)).label(f"e_{values[0].name}")
        )
        for a, value in enumerate(values):
            columns += [
                func.max(shifts.c[f"k_{value.name}"]).label(f"k_{value.name}"),
                func.sum(moved[a]).label(f"s_{value.name}"),
            ]
            columns += [
                func.sum(moved[a] * moved[b]).label(f"q_{value.name}_{other.name}")
                for b, other in enumerate(values)
                if b >= a
            ]
    cells = (
        select(*columns)
        .select_from(units.join(shifts, literal(1) == 1))
        .group_by(units.c.day, units.c.phase, units.c.code, units.c.arms)
        .cte("cells")
    )
    combinations = select(func.count()).select_from(codes).scalar_subquery()
    exposed = select(func.count()).select_from(first).scalar_subquery()
    return select(
        cells,
        codes.c.arm,
        *(codes.c[f"g_{name}"] for name in plan.segments),
        combinations.label("combinations"),
        exposed.label("exposed"),
    ).select_from(cells.join(codes, codes.c.code == cells.c.code))


def exposure_audit(plan: MeasurementPlan, until: datetime) -> Select[Any]:
    """Return the statement that counts the exposure rows which the look leaves out, and why."""
    exposures = exposures_of(plan)

    def count(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    columns = [
        func.count().label("rows"),
        count(exposures.c.ingested_at > until).label("late"),
        count(or_(exposures.c.event_time < plan.start, exposures.c.event_time >= until)).label("outside"),
        count(exposures.c.event_time > exposures.c.ingested_at).label("ahead"),
        count(or_(exposures.c.variant.not_in(plan.arms), exposures.c.variant.is_(None))).label("variants"),
        count(exposures.c.unit_id.is_(None)).label("units"),
        *(
            count(or_(condition.is_(None), ~condition)).label(f"f_{name}")
            for name, condition in filters_of(plan, exposures).items()
        ),
    ]
    return select(*columns).where(
        exposures.c.optimization == plan.optimization, exposures.c.surface == plan.surface
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
    columns: list[ColumnElement[Any]] = [
        func.coalesce(func.sum(case((on_time, 1), else_=0)), 0).label("rows"),
        func.coalesce(func.sum(case((on_time, 0), else_=1)), 0).label("late"),
    ]
    if plan.filters.get(DROP_DUPLICATES) == "drop":
        columns.append(
            (func.count(outcomes.c.event_id) - func.count(distinct(outcomes.c.event_id))).label("twice")
        )
    for name in names:
        value = outcomes.c[name]
        columns += [
            func.coalesce(func.sum(case((and_(on_time, value.is_(None)), 1), else_=0)), 0).label(
                f"null_{name}"
            ),
            func.coalesce(
                func.sum(case((and_(on_time, value.is_not(None), finite(value).is_(None)), 1), else_=0)), 0
            ).label(f"broken_{name}"),
        ]
    return select(*columns).where(outcomes.c.surface == plan.surface, inside)
