"""Reads what the metrics look like without any optimization."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Engine,
    RowMapping,
    Select,
    SmallInteger,
    case,
    cast,
    func,
    literal,
    select,
)

from belay.cells.baseline import Baseline
from belay.cells.plan import naive_utc, whole_ms
from belay.cells.presence import MOST_MISSING, MOST_UNUSABLE
from belay.domain.figures import short_percent
from belay.domain.metrics import Metric, MetricKind
from belay.warehouse.connection import read_rows
from belay.warehouse.errors import UNREADABLE, WarehouseUnavailableError, first_line
from belay.warehouse.events import Span, arrived, events_of, units_of
from belay.warehouse.expressions import AsNumber, UnitKey, finite


def read_baselines(
    engine: Engine,
    metrics: Sequence[Metric],
    surface: str,
    since: datetime,
    until: datetime,
    *,
    once: bool = False,
) -> Mapping[str, Baseline]:
    """Return the baseline of each metric over the units that came to ``surface`` in [since, until).

    ``once`` tells apart events that were delivered more than once, as the policy's looks do.

    Raises
    ------
    WarehouseUnavailableError
        When the warehouse cannot be read.
    """
    found: dict[str, Baseline] = {}
    try:
        with engine.connect() as connection:
            for metric in metrics:
                asked = _statement(metric, surface, naive_utc(since), whole_ms(until), once=once)
                found[metric.id] = _baseline(metric, read_rows(connection, asked)[0])
    except UNREADABLE as error:
        raise WarehouseUnavailableError(
            f"the metrics of {surface} cannot be read: {first_line(error)}"
        ) from error
    return found


def _statement(metric: Metric, surface: str, since: datetime, until: datetime, *, once: bool) -> Select[Any]:
    names = [name for name in (metric.value, metric.denominator) if name]
    events = events_of(metric.source, names, Span((surface,), since, until), once=once)
    parts: list[ColumnElement[Any]] = []
    for label, name in zip(("y", "d"), names, strict=False):
        value = finite(events.c[name])
        parts.append(func.count(value).label(f"read_{label}"))
        if metric.kind in {MetricKind.PROPORTION, MetricKind.RARE_COUNT}:
            parts.append(func.max(case((value > 0, cast(literal(1), SmallInteger)))).label(label))
        else:
            parts.append(func.sum(value).label(label))
    per_unit = (
        select(UnitKey(events.c.unit_id).label("unit"), func.count().label("rows"), *parts)
        .where(*arrived(events, until), events.c.unit_id.is_not(None))
        .group_by(UnitKey(events.c.unit_id))
        .cte("units_read")
    )
    source: Any = per_unit
    y: ColumnElement[Any] = func.coalesce(AsNumber(per_unit.c.y), 0.0)
    if metric.cap is not None:
        y = case((y > metric.cap, metric.cap), (y < -metric.cap, -metric.cap), else_=y)
    values: dict[str, ColumnElement[Any]] = {"y": y}
    if metric.denominator:
        values["d"] = func.coalesce(AsNumber(per_unit.c.d), 0.0)
    if metric.covariate:
        units = units_of([metric.covariate])
        source = per_unit.outerjoin(units, units.c.unit == per_unit.c.unit)
        values["x"] = units.c[metric.covariate]  # absent is not zero: it takes the mean of the others
    counts = [per_unit.c[name] for name in ("rows", *(f"read_{label}" for label in values if label != "x"))]
    rows = (
        select(*counts, *(value.label(label) for label, value in values.items()))
        .select_from(source)
        .cte("rows_read")
    )
    means = select(*(func.avg(rows.c[label]).label(f"k_{label}") for label in values)).cte("means")
    labels = list(values)
    columns: list[ColumnElement[Any]] = [func.count().label("n")]
    columns += [func.sum(rows.c[count.name]).label(count.name) for count in counts]
    columns += [func.count(rows.c.x).label("known_x")] if "x" in values else []
    columns += [func.max(means.c[f"k_{label}"]).label(f"k_{label}") for label in labels]
    columns += [
        func.sum((rows.c[a] - means.c[f"k_{a}"]) * (rows.c[b] - means.c[f"k_{b}"])).label(f"q_{a}_{b}")
        for i, a in enumerate(labels)
        for b in labels[i:]
    ]
    return select(*columns).select_from(rows.join(means, literal(1) == 1))


def _baseline(metric: Metric, row: RowMapping) -> Baseline:
    n = int(row["n"])
    if n < 2:
        return Baseline(n, math.nan, math.nan)
    read = int(row["rows"])
    missing = max(1.0 - int(row[name]) / read for name in ("read_y", "read_d") if name in row)
    if missing > MOST_UNUSABLE:
        said = f"{short_percent(missing)} of its values are missing or no finite numbers"
        return Baseline(n, math.nan, math.nan, problem=said)
    ratio = metric.kind is MetricKind.RATIO

    def moment(a: str, b: str) -> float:
        return float(row.get(f"q_{a}_{b}", row.get(f"q_{b}_{a}", 0.0)) or 0.0) / (n - 1)

    mean, scale = float(row["k_y"]), 1.0
    if ratio:
        scale = float(row["k_d"])
        if scale <= 0:
            return Baseline(n, math.nan, math.nan)
        mean /= scale
    level = mean if ratio else 0.0
    variance = (moment("y", "y") - 2 * level * moment("y", "d") + level**2 * moment("d", "d")) / scale**2
    if (
        not metric.covariate
        or moment("x", "x") <= 0
        or variance <= 0
        or row["known_x"] < n * (1 - MOST_MISSING)
    ):
        return Baseline(n, mean, variance)
    shared = (moment("y", "x") - level * moment("d", "x")) / scale
    explained = min(shared**2 / moment("x", "x") / variance, 1.0)
    return Baseline(n, mean, variance * (1.0 - explained), explained)
