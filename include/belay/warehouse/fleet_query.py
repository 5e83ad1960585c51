"""The statements that read many optimizations at once; ``fleet`` sends them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Select,
    String,
    and_,
    case,
    column,
    func,
    literal,
    select,
    values,
)
from sqlalchemy.sql.selectable import FromClause

from belay.cells.plan import Sight, naive_utc, whole_ms
from belay.cells.values import values_of_metric
from belay.domain.metrics import Metric
from belay.warehouse.events import (
    Span,
    arrived,
    events_of,
    exposures_of,
    filters_of,
    labels_of,
    repeats_of,
    units_of,
)
from belay.warehouse.expressions import AsMoment, EpochMs, UnitKey, WholeDivision
from belay.warehouse.look_query import MAX_CODES, NOTHING, TWO_ARMS, Ask, day_zero
from belay.warehouse.look_query import span_of as span_of_look
from belay.warehouse.unit_values import (
    DAY_MS,
    cell_columns,
    early_columns,
    outcome_columns,
    value_columns,
)

LABELS = 1 << 15
"""Combinations of segment values that fit beside the arm into a packed first exposure."""
_VALUE_PARTS = ("y", "d", "x")


def _ms(moment: datetime) -> int:
    return round(naive_utc(moment).replace(tzinfo=UTC).timestamp() * 1000)


def _plans(sights: Sequence[Sight]) -> CTE:
    """Return what each plan says about which rows are its own: k, names, moments, and milliseconds."""
    numbers = [column(name, BigInteger()) for name in ("k", "zero", "until")]
    texts = [column(name, String()) for name in ("named", "place", "begun", "started", "ended")]
    rows = []
    for k, sight in enumerate(sights):
        plan, until = sight.plan, whole_ms(sight.until)
        assert plan.start is not None
        numbered = k, _ms(day_zero(plan)), _ms(until)
        moments = (span_of_look(plan, until).begin, plan.start, until)
        rows.append((*numbered, plan.optimization, plan.surface, *map(_text, moments)))
    listed = values(*numbers, *texts, literal_binds=True).data(rows).cte("listed")
    named = {"begin_at": listed.c.begun, "start_at": listed.c.started, "until_at": listed.c.ended}
    return select(listed, *(AsMoment(text).label(name) for name, text in named.items())).cte("plans")


def _text(moment: datetime) -> str:
    return moment.isoformat(sep=" ", timespec="microseconds")


def _arms(sights: Sequence[Sight]) -> CTE:
    """Return each plan's arms by name: a variant that was not proposed has none, and falls out."""
    listed = values(
        column("k", BigInteger()),
        column("arm", BigInteger()),
        column("variant", String()),
        literal_binds=True,
    )
    rows = [(k, arm, name) for k, sight in enumerate(sights) for arm, name in enumerate(sight.plan.arms)]
    return listed.data(rows).cte("arms")


def outcome_span(sights: Sequence[Sight]) -> Span:
    """Return the outcomes that any of the plans may count."""
    begin, end = span_of(sights)
    begin = min(begin, *(span_of_look(sight.plan, sight.until).begin for sight in sights))
    return Span(tuple(sorted({sight.plan.surface for sight in sights})), begin, end)


def span_of(sights: Sequence[Sight]) -> tuple[datetime, datetime]:
    """Return the time that the plans cover together, from the earliest start to the latest look."""
    starts = [sight.plan.start for sight in sights if sight.plan.start is not None]
    return min(starts), max(whole_ms(sight.until) for sight in sights)


def _own_exposures(sights: Sequence[Sight], plans: CTE) -> tuple[FromClause, Any, list[ColumnElement[bool]]]:
    plan = sights[0].plan
    exposures = exposures_of(plan)
    first, last = span_of(sights)
    joined = exposures.join(
        plans, and_(plans.c.named == exposures.c.optimization, plans.c.place == exposures.c.surface)
    )
    wanted = [
        exposures.c.unit_id.is_not(None),
        exposures.c.event_time >= first,  # for the warehouse, which can leave out whole days by it
        exposures.c.event_time < last,
        exposures.c.event_time >= plans.c.start_at,
        exposures.c.event_time < plans.c.until_at,
        *arrived(exposures, plans.c.until_at),
        *filters_of(plan, exposures).values(),
    ]
    return exposures, joined, wanted


def survey(sights: Sequence[Sight]) -> Select[Any]:
    """Count exposures by optimization and segment values: which combinations there are."""
    plans = _plans(sights)
    exposures, joined, wanted = _own_exposures(sights, plans)
    labels = labels_of(sights[0].plan, exposures)
    return (
        select(
            plans.c.k.label("k"),
            *(label.label(f"g_{name}") for name, label in labels.items()),
            func.count().label("rows"),
        )
        .select_from(joined)
        .where(*wanted)
        .group_by(plans.c.k, *labels.values())
    )


def _entry(sights: Sequence[Sight], plans: CTE, labels: Sequence[tuple[str, ...]]) -> CTE:
    exposures, joined, wanted = _own_exposures(sights, plans)
    names = sights[0].plan.segments
    listed = values(
        column("label", BigInteger()),
        *(column(f"g_{name}", String()) for name in names),
        literal_binds=True,
    )
    codes = listed.data([(i, *label) for i, label in enumerate(labels)]).cte("labels")
    arms = _arms(sights)
    joined = joined.join(arms, and_(arms.c.k == plans.c.k, arms.c.variant == exposures.c.variant))
    matched = [codes.c[f"g_{n}"] == label for n, label in labels_of(sights[0].plan, exposures).items()]
    joined = joined.join(codes, and_(literal(1) == 1, *matched))
    code = arms.c.arm * LABELS + codes.c.label
    packed = (EpochMs(exposures.c.event_time) - plans.c.zero) * MAX_CODES + code
    unit = UnitKey(exposures.c.unit_id)
    return (
        select(
            plans.c.k.label("k"),
            unit.label("unit"),
            func.min(packed).label("packed"),
            func.min(arms.c.arm).label("low"),
            func.max(arms.c.arm).label("high"),
        )
        .select_from(joined)
        .where(*wanted)
        .group_by(plans.c.k, UnitKey(exposures.c.unit_id))
        .cte("entry")
    )


def _unit_outcomes(
    sights: Sequence[Sight], plans: CTE, first: CTE, source: str, metrics: Sequence[Metric], ask: Ask
) -> CTE:
    mine = {i: metric for i, metric in enumerate(metrics) if metric.source == source}
    names = [n for metric in mine.values() for n in (metric.value, metric.denominator) if n]
    events = events_of(source, names, outcome_span(sights), once=source in ask.repeated)
    since_zero = EpochMs(events.c.event_time) - plans.c.zero
    after_zero = WholeDivision(first.c.packed, MAX_CODES)
    columns = outcome_columns(mine, events, since_zero, after_zero, ask.watched)
    joined = first.join(plans, plans.c.k == first.c.k).join(
        events,
        and_(
            UnitKey(events.c.unit_id) == first.c.unit,
            events.c.surface == plans.c.place,
            events.c.event_time >= plans.c.begin_at,
            since_zero < plans.c.until - plans.c.zero,
            *arrived(events, plans.c.until_at),
        ),
    )
    return (
        select(first.c.k, first.c.unit, *columns)
        .select_from(joined)
        .group_by(first.c.k, first.c.unit)
        .cte(f"outcome_{source}")
    )


def repeats_of_each(sights: Sequence[Sight], source: str) -> Select[Any]:
    """Count each plan's outcome rows that repeat an earlier one, as its look is to count them once."""
    plans = _plans(sights)
    rows = repeats_of(source, (), outcome_span(sights))
    mine = rows.join(plans, plans.c.place == rows.c.surface)
    return (
        select(plans.c.k.label("k"), func.count().label("rows"))
        .select_from(mine)
        .where(
            rows.c.event_time >= plans.c.begin_at,
            rows.c.event_time < plans.c.until_at,
            rows.c.ingested_at <= plans.c.until_at,
            rows.c.superseded_at <= plans.c.until_at,
        )
        .group_by(plans.c.k)
    )


def _per_unit(
    sights: Sequence[Sight],
    metrics: Sequence[Metric],
    labels: Sequence[tuple[str, ...]],
    ask: Ask,
) -> CTE:
    plans = _plans(sights)
    first = _entry(sights, plans, labels)
    source: FromClause = first
    tables: dict[str, FromClause] = {}
    for name in dict.fromkeys(metric.source for metric in metrics):
        tables[name] = _unit_outcomes(sights, plans, first, name, metrics, ask)
        source = source.outerjoin(
            tables[name], and_(tables[name].c.k == first.c.k, tables[name].c.unit == first.c.unit)
        )
    covariates = [metric.covariate for metric in metrics if metric.covariate]
    units = units_of(covariates) if covariates else None
    if units is not None:
        source = source.outerjoin(units, units.c.unit == first.c.unit)
    columns = early_columns(tables)
    for i, metric in enumerate(metrics):
        columns += value_columns(
            values_of_metric(i, metric), metric, tables[metric.source], units, ask.watched
        )
    after_zero = WholeDivision(first.c.packed, MAX_CODES)
    code = first.c.packed - after_zero * MAX_CODES
    arm = WholeDivision(code, LABELS)
    each = select(
        first.c.k.label("k"),
        WholeDivision(after_zero, DAY_MS).label("day"),
        arm.label("arm"),
        (code - arm * LABELS).label("label"),
        case((first.c.low != first.c.high, TWO_ARMS), else_=0).label("arms"),
        *columns,
    )
    return each.select_from(source).cte("per_unit")


def cells_of(
    sights: Sequence[Sight],
    metrics: Sequence[Metric],
    labels: Sequence[tuple[str, ...]],
    ask: Ask = NOTHING,
) -> Select[Any]:
    """Return the one GROUP BY: optimization × day × arm × segment values, all metrics side by side.

    ``ask`` is what the audit found that has to be told apart.
    """
    units = _per_unit(sights, metrics, labels, ask)
    groups = [values_of_metric(i, metric) for i, metric in enumerate(metrics)]
    named = [value.name for group in groups for value in group]
    shifts = (
        select(units.c.k, *(func.coalesce(func.avg(units.c[name]), 0.0).label(f"k_{name}") for name in named))
        .group_by(units.c.k)
        .cte("shifts")
    )
    keys = [units.c[name] for name in ("k", "day", "arm", "label", "arms")]
    sources = list(dict.fromkeys(metric.source for metric in metrics))
    columns = [*keys, func.count().label("n"), *cell_columns(units, shifts, groups, sources, ask.watched)]
    return select(*columns).select_from(units.join(shifts, shifts.c.k == units.c.k)).group_by(*keys)
