"""The log of choices as SQL: from choices and outcomes to what ``shadow`` needs, in one statement.

Each choice owns what its unit did from that moment to the unit's next choice. The sums around the shift
k = Σy/Σd (never raw squares) leave the warehouse by pair of choices: units that were given both are why
choices of one unit are not counted as independent. How many policies are asked about changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Double,
    Engine,
    RowMapping,
    Select,
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

from belay.cells.choice_log import SUMS, ChoiceLog
from belay.cells.plan import naive_utc
from belay.domain.capability import ShadowRule
from belay.domain.metrics import Metric, MetricKind
from belay.warehouse.connection import read_rows
from belay.warehouse.errors import UNREADABLE, WarehouseUnavailableError, first_line
from belay.warehouse.events import Span, arrived, events_of
from belay.warehouse.expressions import EpochMs, UnitKey, finite, matches
from belay.warehouse.unit_values import DAY_MS

EVENTS = ("e1", "e2", "o1", "o2")
"""Sums of 1/p and 1/p² over choices whose value is not zero, and over the others."""

_NEVER = 1 << 60
"""Milliseconds that no event is later than."""


@dataclass(frozen=True, slots=True)
class LogPlan:
    """What to read of a log.

    Attributes
    ----------
    rule : ShadowRule
        Where it is.
    metric : Metric
        What followed each choice.
    surface : str
        Where the choices were made.
    since, until : datetime
        When (data time); what had not arrived by ``until`` does not count.
    choices : tuple[str, ...]
        Those that a policy might make.
    once : bool
        Whether an outcome event that came more than once counts once.
    """

    rule: ShadowRule
    metric: Metric
    surface: str
    since: datetime
    until: datetime
    choices: tuple[str, ...]
    once: bool = False


def read_choices(engine: Engine, plan: LogPlan) -> ChoiceLog:
    """Return the sums of the log that ``plan`` asks for.

    Raises
    ------
    WarehouseUnavailableError
        When the log or the outcomes cannot be read.
    """
    try:
        with engine.connect() as connection:
            rows = read_rows(connection, log_statement(plan))
    except UNREADABLE as error:
        raise WarehouseUnavailableError(
            f"{plan.rule.source} and {plan.metric.source} cannot be read: {first_line(error)}"
        ) from error
    return _assembled(plan, rows)


def log_statement(plan: LogPlan) -> Select[Any]:
    """Return the one GROUP BY: pair of choices that one unit was given → sums and products."""
    made = _choices(plan)
    outcomes = _outcomes(plan)
    each = _valued(plan, made, outcomes)
    size = func.sum(each.c.d)
    level = func.sum(each.c.y) / func.nullif(size, 0.0)
    shift = select(size.label("size"), level.label("level")).cte("shift")
    by_unit = _by_unit(each, shift)
    a, b = by_unit.alias("a"), by_unit.alias("b")
    products = [
        func.sum(a.c[one] * b.c[other]).label(f"q_{one}_{other}")
        for i, one in enumerate(SUMS)
        for other in SUMS[i:]
    ]
    sums = [func.sum(a.c[name]).label(name) for name in (*SUMS, *EVENTS)]
    pairs = (
        select(
            a.c.code.label("a"), b.c.code.label("b"), *products, *sums, func.max(a.c.largest).label("largest")
        )
        .select_from(a.join(b, a.c.unit == b.c.unit))
        .group_by(a.c.code, b.c.code)
        .cte("pairs")
    )

    def counted(source: FromClause, what: Any) -> ColumnElement[Any]:
        found: ColumnElement[Any] = select(what).select_from(source).scalar_subquery()
        return found

    broken = or_(*(value.is_(None) for value in _parts(plan, outcomes)))
    # From the one row of the shift: what was counted comes also when no pair does.
    return select(
        pairs,
        shift,
        counted(made, func.count()).label("decisions"),
        counted(made, func.count(case((made.c.usable == 0, 1)))).label("unusable"),
        counted(by_unit, func.count(by_unit.c.unit.distinct())).label("units"),
        counted(outcomes, func.count()).label("values"),
        counted(outcomes, func.count(case((broken, 1)))).label("broken"),
    ).select_from(shift.outerjoin(pairs, literal(1) == 1))


def _choices(plan: LogPlan) -> CTE:
    """Return every choice with its unit, its code, its probability, and when the unit's next one was made."""
    rule = plan.rule
    log = events_of(rule.source, (rule.choice, rule.propensity, *rule.filters), _span(plan), once=True)
    codes = values(column("code", BigInteger()), column("chosen", String()), literal_binds=True)
    asked = codes.data(list(enumerate(plan.choices))).cte("asked")
    chosen, odds = cast(log.c[rule.choice], String), finite(log.c[rule.propensity])
    usable = and_(log.c.unit_id.is_not(None), chosen.is_not(None), odds > 0, odds <= 1)
    read = (
        select(
            log.c.event_id.label("event"),
            UnitKey(log.c.unit_id).label("unit"),
            EpochMs(log.c.event_time).label("at"),
            func.coalesce(asked.c.code, literal(len(plan.choices), BigInteger)).label("code"),
            odds.label("p"),
            case((usable, 1), else_=0).label("usable"),
        )
        .select_from(log.outerjoin(asked, asked.c.chosen == chosen))
        .where(
            *arrived(log, _until(plan)),
            *(matches(log.c[name], wanted) for name, wanted in rule.filters.items()),
        )
        .cte("read")
    )
    # Of choices made in the same millisecond (a page of several places) each owns what follows.
    later = func.min(read.c.at).over(partition_by=read.c.unit, order_by=read.c.at, range_=(1, None))
    # A plain column to compare with: DuckDB then joins by hash; a condition with OR made it try all pairs.
    return select(read, func.coalesce(later, literal(_NEVER, BigInteger)).label("ends")).cte("made")


def _outcomes(plan: LogPlan) -> CTE:
    names = [name for name in (plan.metric.value, plan.metric.denominator) if name]
    rows = events_of(plan.metric.source, names, _span(plan), once=plan.once)
    read = select(
        UnitKey(rows.c.unit_id).label("unit"),
        EpochMs(rows.c.event_time).label("at"),
        *(finite(rows.c[name]).label(part) for part, name in zip(("y", "d"), names, strict=False)),
    ).where(*arrived(rows, _until(plan)), rows.c.unit_id.is_not(None))
    return read.cte("outcomes_read")


def _until(plan: LogPlan) -> datetime:
    return naive_utc(plan.until)


def _span(plan: LogPlan) -> Span:
    return Span((plan.surface,), naive_utc(plan.since), _until(plan))


def _parts(plan: LogPlan, outcomes: CTE) -> list[ColumnElement[Any]]:
    return [outcomes.c.y, outcomes.c.d] if plan.metric.kind is MetricKind.RATIO else [outcomes.c.y]


def _valued(plan: LogPlan, made: CTE, outcomes: CTE) -> CTE:
    """Return one row a usable choice: what followed it, and one over its probability."""
    metric = plan.metric
    follows = and_(outcomes.c.unit == made.c.unit, outcomes.c.at >= made.c.at, outcomes.c.at < made.c.ends)
    if metric.outcome_days is not None:
        horizon = literal(round(metric.outcome_days * DAY_MS), BigInteger)
        follows = and_(follows, outcomes.c.at < made.c.at + horizon)
    if metric.kind in {MetricKind.PROPORTION, MetricKind.RARE_COUNT}:
        y: ColumnElement[Any] = func.max(case((outcomes.c.y > 0, 1.0)))
    else:
        y = func.sum(outcomes.c.y)
    y = func.coalesce(y, 0.0)
    if metric.cap is not None:
        y = case((y > metric.cap, metric.cap), (y < -metric.cap, -metric.cap), else_=y)
    d = func.coalesce(func.sum(outcomes.c.d), 0.0) if metric.kind is MetricKind.RATIO else literal(1.0)
    return (
        select(
            made.c.unit, made.c.code, (1.0 / made.c.p).label("w"), cast(y, Double).label("y"), d.label("d")
        )
        .select_from(made.outerjoin(outcomes, follows))
        .where(made.c.usable == 1)
        .group_by(made.c.event, made.c.unit, made.c.at, made.c.code, made.c.p)
        .cte("valued")
    )


def _by_unit(each: CTE, shift: CTE) -> CTE:
    moved, happened = each.c.y - shift.c.level * each.c.d, each.c.y != 0
    w = each.c.w
    return (
        select(
            each.c.unit,
            each.c.code,
            func.sum(w).label("w"),
            func.sum(w * each.c.d).label("wd"),
            func.sum(w * moved).label("wy"),
            cast(func.count(), Double).label("n"),
            func.sum(moved).label("y"),
            func.sum(case((happened, w), else_=0.0)).label("e1"),
            func.sum(case((happened, w * w), else_=0.0)).label("e2"),
            func.sum(case((happened, 0.0), else_=w)).label("o1"),
            func.sum(case((happened, 0.0), else_=w * w)).label("o2"),
            func.max(w).label("largest"),
        )
        .select_from(each.join(shift, literal(1) == 1))
        .group_by(each.c.unit, each.c.code)
        .cte("by_unit")
    )


def _assembled(plan: LogPlan, rows: Sequence[RowMapping]) -> ChoiceLog:
    size, width = len(plan.choices) + 1, len(SUMS)
    sums, events, largest = np.zeros((size, width)), np.zeros((size, len(EVENTS))), np.zeros(size)
    products = np.zeros((size, size, width, width))
    for row in rows:
        if row["a"] is None:
            continue
        a, b = int(row["a"]), int(row["b"])
        for i, one in enumerate(SUMS):
            for j, other in enumerate(SUMS[i:], i):
                products[a, b, i, j] = products[b, a, j, i] = float(row[f"q_{one}_{other}"] or 0.0)
        if a == b:  # joined with itself, a unit's row is there once
            sums[a] = [float(row[name] or 0.0) for name in SUMS]
            events[a] = [float(row[name] or 0.0) for name in EVENTS]
            largest[a] = float(row["largest"])
    said = rows[0]
    return ChoiceLog(
        choices=plan.choices,
        decisions=int(said["decisions"]),
        unusable=int(said["unusable"]),
        units=int(said["units"]),
        values=int(said["values"]),
        broken=int(said["broken"]),
        level=float(said["level"] or 0.0),
        size=float(said["size"] or 0.0),
        sums=sums,
        products=products,
        events=events,
        largest=largest,
    )
