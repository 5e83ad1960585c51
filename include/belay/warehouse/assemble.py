"""From the rows that a look read to its cells: combinations added up to marginal segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import RowMapping

from belay.cells.cells import ALL, Cells, MetricCells, Segment, no_cells
from belay.cells.plan import MeasurementPlan
from belay.cells.presence import Counted, presence_of, unadjusted_of
from belay.cells.reading import Reading
from belay.cells.values import sources_of, values_of
from belay.domain.metrics import MetricKind
from belay.domain.proposal import HOLDOUT
from belay.domain.vocabulary import Unreadable
from belay.warehouse.events import DROP_DUPLICATES
from belay.warehouse.look_query import TWO_ARMS, Combination, day_zero

Floats = NDArray[np.float64]

MAX_SEGMENT_VALUES = 20
"""Values of one segment column that are judged; the smallest beyond them are put together as ``(other)``."""
OTHER = "(other)"


def reading_of(
    plan: MeasurementPlan,
    rows: Sequence[RowMapping],
    surveyed: Sequence[RowMapping],
    outcomes: Sequence[Mapping[Any, Any]],
    unitless: int,
) -> Reading:
    """Return what the statements of one look counted.

    Parameters
    ----------
    plan
        What was measured.
    rows
        Of the look itself.
    surveyed
        Of ``audit.survey``.
    outcomes
        Of ``audit.outcome_audit``, one a source.
    unitless
        Exposures without a unit, of ``audit.without_unit``.
    """

    def units(code: int) -> int:
        return sum(int(row["n"]) for row in rows if row["arms"] == code)

    def exposures(name: str) -> int:
        return sum(int(row[name]) for row in surveyed)

    twice = [int(audit["twice"]) for audit in outcomes if "twice" in audit]
    return Reading(
        rows=exposures("rows"),
        filtered={name: exposures(f"f_{name}") for name in plan.filters if name != DROP_DUPLICATES},
        late_exposures=exposures("late"),
        late_outcomes=sum(int(audit["late"]) for audit in outcomes),
        outside=exposures("outside"),
        clock_ahead=exposures("ahead"),
        unknown_variants=sum(
            int(row["rows"]) for row in surveyed if row["variant"] not in (*plan.arms, HOLDOUT)
        ),
        without_unit=unitless,
        duplicate_outcomes=sum(twice) if twice else None,
        units=units(0),
        two_arms=units(TWO_ARMS),
    )


def combinations_of(plan: MeasurementPlan, surveyed: Sequence[RowMapping]) -> list[Combination]:
    """Return the combinations of arm and segment values that the survey saw, in order."""
    return sorted(
        (plan.arms.index(row["variant"]), tuple(str(row[f"g_{name}"]) for name in plan.segments))
        for row in surveyed
        if row["variant"] in plan.arms
    )


def assemble(
    plan: MeasurementPlan,
    until: datetime,
    combinations: Sequence[Combination],
    rows: Sequence[Mapping[Any, Any]],
    outcomes: Mapping[str, Mapping[Any, Any]],
    reading: Reading,
) -> Cells:
    """Return the cells of the rows that one look read: combinations added up to marginal segments."""
    measured = [row for row in rows if row["arms"] != TWO_ARMS]
    if not measured:
        why = Unreadable.NONE_COUNTS if reading.rows else Unreadable.NO_EXPOSURE
        return no_cells(plan, until, why, reading.why_empty, reading)
    zero = day_zero(plan).date()
    days = sorted({int(row["day"]) for row in measured})
    where = {day: h for h, day in enumerate(days)}
    seen = [combinations[int(row["code"])] for row in measured]
    segments, members = _segments(plan, [labels for _, labels in seen], [int(row["n"]) for row in measured])
    place = np.array(
        [where[int(row["day"])] * len(plan.arms) + arm for row, (arm, _) in zip(measured, seen, strict=True)]
    )
    size = len(days) * len(plan.arms)

    def add(values: Sequence[Any]) -> Floats:
        column = np.array([float(v) if v is not None else 0.0 for v in values])
        summed = [np.bincount(place[rows], weights=column[rows], minlength=size) for rows in members]
        return np.stack(summed).astype(np.float64).reshape(len(segments), len(days), len(plan.arms))

    units = add([row["n"] for row in measured])
    metrics = {}
    counted = Counted(measured, np.array([arm for arm, _ in seen]), len(plan.arms))
    notes: list[str] = []
    for i, (planned, values) in enumerate(zip(plan.metrics, values_of(plan), strict=True)):
        audit = outcomes[planned.metric.source]
        names = [name for name in (planned.metric.value, planned.metric.denominator) if name]
        events = add([row[f"e_y{i}"] for row in measured])
        mean, scatter = _moments([value.name for value in values], measured, add, units)
        unadjusted = unadjusted_of(counted, planned, values, plan.arms)
        if unadjusted:
            notes.append(unadjusted)
            mean[..., -1] = scatter[..., -1, :] = scatter[..., :, -1] = 0.0  # explains nothing
        silent = events == 0  # exactly zero, where the shift leaves a rounding error
        mean[silent, 0] = scatter[silent, 0, :] = scatter[silent, :, 0] = 0.0
        metrics[planned.metric.id] = MetricCells(
            mean,
            scatter,
            events,
            ratio=planned.metric.kind is MetricKind.RATIO,
            covariate=planned.metric.covariate is not None,
            rows=int(audit["rows"]),
            missing=sum(int(audit[f"null_{name}"]) for name in names),
            broken=sum(int(audit[f"broken_{name}"]) for name in names),
            **presence_of(counted, planned, values, plan.arms),
        )
    dates = tuple(zero + timedelta(days=day) for day in days)
    early = sum(int(counted.early(source)[0].void.sum()) for source in sources_of(plan))
    reading = replace(reading, early_outcomes=early, unadjusted=tuple(dict.fromkeys(notes)))
    return Cells(until, plan.arms, dates, segments, units, metrics, reading)


def _moments(
    names: Sequence[str], rows: Sequence[Mapping[Any, Any]], add: Any, units: Floats
) -> tuple[Floats, Floats]:
    """Return means and centred scatter from sums around the shift k: S²/n is taken off once, near zero."""
    n = np.maximum(units, 1.0)
    # Values near the largest double overflow to infinity or NaN: such a metric is reported as unknown.
    with np.errstate(over="ignore", invalid="ignore"):
        return _centred(names, rows, add, units, n)


def _centred(
    names: Sequence[str], rows: Sequence[Mapping[Any, Any]], add: Any, units: Floats, n: Floats
) -> tuple[Floats, Floats]:
    sums = np.stack([add([row[f"s_{name}"] for row in rows]) for name in names], axis=-1)
    shift = np.array([float(rows[0][f"k_{name}"]) for name in names])
    scatter = np.empty((*units.shape, len(names), len(names)))
    for a, name in enumerate(names):
        for b, other in enumerate(names):
            low, high = (name, other) if a <= b else (other, name)
            products = add([row[f"q_{low}_{high}"] for row in rows])
            scatter[..., a, b] = products - sums[..., a] * sums[..., b] / n
    return np.where(units[..., None] > 0, shift + sums / n[..., None], 0.0), scatter


def _segments(
    plan: MeasurementPlan, labels: Sequence[tuple[str, ...]], units: Sequence[int]
) -> tuple[tuple[Segment, ...], list[NDArray[np.intp]]]:
    """Return the marginal segments, and the rows that belong to each."""
    segments, members = [Segment(ALL, ALL)], [np.arange(len(labels))]
    for position, name in enumerate(plan.segments):
        values = [row[position] for row in labels]
        weight: dict[str, int] = {}
        for value, n in zip(values, units, strict=True):
            weight[value] = weight.get(value, 0) + n
        ranked = sorted(weight, key=lambda value: (-weight[value], value))
        kept = set(ranked[:MAX_SEGMENT_VALUES])
        grouped = np.array([value if value in kept else OTHER for value in values])
        for value in sorted(set(grouped.tolist())):
            segments.append(Segment(name, value))
            members.append(np.flatnonzero(grouped == value))
    return tuple(segments), members
