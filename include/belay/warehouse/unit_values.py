"""What a unit's outcomes become, and what of them is missing: the same columns for a look and for the guard.

Three levels of one statement: sums over a unit's outcome events, its values, and sums over the units of a
cell. A value that is absent is not zero: how many units and events lack it is counted beside, for values of
which any is missing at all (the audit says which), and a covariate that is absent takes the mean of those
that are there, which leaves the unit's value as it was.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, and_, case, cast, func, literal
from sqlalchemy.sql.selectable import FromClause

from belay.cells.values import Value
from belay.domain.metrics import Grain, Metric, MetricKind
from belay.warehouse.expressions import AsNumber, Tiny, WholeDivision, finite

DAY_MS = 86_400_000
_HAPPENS = frozenset({MetricKind.PROPORTION, MetricKind.RARE_COUNT})


def outcome_columns(
    metrics: Mapping[int, Metric],
    events: FromClause,
    since_zero: ColumnElement[int],
    after_zero: ColumnElement[int],
    watched: Collection[str],
) -> list[ColumnElement[Any]]:
    """Return the sums over one unit's outcome events: values from its first exposure on, and what is missing.

    Parameters
    ----------
    metrics
        Those whose outcomes are in ``events``, by number.
    since_zero, after_zero
        Milliseconds from the plan's first midnight to the event, and to the unit's first exposure.
    watched
        Names of the values of which any is missing.
    """
    exposed = since_zero >= after_zero
    day = WholeDivision(after_zero, DAY_MS) * DAY_MS
    columns: list[ColumnElement[Any]] = []
    for i, metric in metrics.items():
        begin = day if metric.grain is Grain.DAY else after_zero
        inside = since_zero >= begin
        if metric.outcome_days is not None:
            horizon = begin + literal(round(metric.outcome_days * DAY_MS), BigInteger)
            inside = and_(inside, since_zero < horizon)
        for part, column in (("y", metric.value), ("d", metric.denominator)):
            if column is None:
                continue
            value, name = finite(events.c[column]), f"{part}{i}"
            if metric.kind in _HAPPENS:
                columns.append(func.max(case((and_(inside, value > 0), cast(literal(1), Tiny)))).label(name))
            else:
                columns.append(func.sum(case((inside, value))).label(name))
            if name in watched:
                columns.append(func.count(case((inside, 1))).label(f"a_{name}"))
                columns.append(func.count(case((and_(inside, value.is_(None)), 1))).label(f"m_{name}"))
    same_day = and_(since_zero >= day, since_zero < day + literal(DAY_MS, BigInteger))
    columns.append(func.count(case((exposed, 1))).label("after"))
    columns.append((func.count() - func.count(case((exposed, 1)))).label("before"))
    columns.append(func.count(case((and_(same_day, exposed), 1))).label("day_after"))
    columns.append(func.count(case((and_(same_day, ~exposed), 1))).label("day_before"))
    return columns


def value_columns(
    values: Sequence[Value],
    metric: Metric,
    outcomes: FromClause,
    units: FromClause | None,
    watched: Collection[str],
) -> list[ColumnElement[Any]]:
    """Return a unit's values of one metric: 0 where it did nothing, no covariate where none is there."""
    columns: list[ColumnElement[Any]] = []
    for value in values:
        if value.part == "x" and units is not None:
            columns.append(units.c[metric.covariate or ""].label(value.name))
            continue
        raw = outcomes.c[value.name]
        if value.part == "y" and metric.kind in _HAPPENS:
            # 0 or 1: a byte is enough
            columns.append(func.coalesce(raw, cast(literal(0), Tiny)).label(value.name))
        else:
            known: ColumnElement[Any] = func.coalesce(AsNumber(raw), 0.0)
            if value.part == "y" and metric.cap is not None:
                known = case(
                    (known > metric.cap, metric.cap), (known < -metric.cap, -metric.cap), else_=known
                )
            columns.append(known.label(value.name))
        if value.name in watched:
            columns += [outcomes.c[f"{kind}_{value.name}"] for kind in ("a", "m")]
    return columns


def early_columns(tables: Mapping[str, FromClause]) -> list[ColumnElement[Any]]:
    """Return how many of a unit's outcomes came before its first exposure and after, in all and that day."""
    return [
        outcomes.c[kind].label(f"{kind}_{source}") for source, outcomes in tables.items() for kind in EARLY
    ]


EARLY = ("before", "after", "day_before", "day_after")


def cell_columns(
    units: FromClause,
    shifts: FromClause,
    groups: Sequence[Sequence[Value]],
    sources: Collection[str],
    watched: Collection[str],
) -> list[ColumnElement[Any]]:
    """Return the sums over the units of a cell: moments around the shifts, and what is missing."""
    columns: list[ColumnElement[Any]] = []
    for group in groups:
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
            if value.part == "x":
                columns.append(func.count(units.c[value.name]).label(f"h_{value.name}"))
            if value.name in watched:
                read, void = units.c[f"a_{value.name}"], units.c[f"m_{value.name}"]
                columns += [
                    func.count(case((read > 0, 1))).label(f"ua_{value.name}"),
                    func.count(case((void > 0, 1))).label(f"um_{value.name}"),
                    func.sum(read).label(f"sa_{value.name}"),
                    func.sum(void).label(f"sm_{value.name}"),
                ]
    for source in sources:
        for mark, day in (("", ""), ("d", "day_")):
            before, after = units.c[f"{day}before_{source}"], units.c[f"{day}after_{source}"]
            columns += [
                func.count(case((before > 0, 1))).label(f"u{mark}b_{source}"),
                func.sum(before).label(f"s{mark}b_{source}"),
                func.sum(after).label(f"s{mark}r_{source}"),
            ]
    return columns


def early_counts(source: str) -> tuple[str, ...]:
    """Return the columns that say which outcomes of a table came before the first exposure."""
    return tuple(f"{kind}_{source}" for kind in ("ub", "sb", "sr", "udb", "sdb", "sdr"))


def counts_of(value: str) -> tuple[str, ...]:
    """Return the columns that say what of ``value`` is missing."""
    return tuple(f"{kind}_{value}" for kind in ("h", "ua", "um", "sa", "sm"))
