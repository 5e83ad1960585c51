"""Cells: the sufficient statistics of one look, and the only thing that leaves the warehouse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, RowMapping

from belay.cells.plan import MeasurementPlan, whole_ms
from belay.cells.presence import Counted, presence_of, unadjusted_of
from belay.cells.reading import Reading, reading_of
from belay.domain.metrics import MetricKind
from belay.measurement.findings import to_plain
from belay.warehouse.audit import outcome_audit, repeats_audit, survey, without_repeats, without_unit
from belay.warehouse.catalogue import read_catalogue
from belay.warehouse.errors import UNREADABLE
from belay.warehouse.events import columns_of, drops_duplicates
from belay.warehouse.freshness import first_line, read_rows
from belay.warehouse.look_query import (
    MAX_COMBINATIONS,
    TWO_ARMS,
    Ask,
    Combination,
    day_zero,
    look,
    sources_of,
    values_of,
)
from belay.warehouse.unmatched import strangers

Floats = NDArray[np.float64]

ALL = "all"
"""The segment that holds every unit."""
MAX_SEGMENT_VALUES = 20
"""Values of one segment column that are judged; the smallest beyond them are put together as ``(other)``."""
OTHER = "(other)"


@dataclass(frozen=True, slots=True)
class Stratum:
    """One exposure day in one phase: units in it saw the same split in the same time."""

    day: date
    phase: int


@dataclass(frozen=True, slots=True)
class Segment:
    """One value of one declared segment column; ``all`` of ``all`` is everybody."""

    column: str
    value: str

    @property
    def is_all(self) -> bool:
        """Whether this is everybody."""
        return self.column == ALL

    def __str__(self) -> str:
        return "all units" if self.is_all else f"{self.column} = {self.value}"


@dataclass(frozen=True, slots=True)
class MetricCells:
    """Moments of one metric's values per unit (y, then d of a ratio, then x of a covariate).

    Attributes
    ----------
    mean : ndarray
        Means, shape (segment, stratum, arm, value).
    scatter : ndarray
        Sums of products of deviations from the cell's mean, shape (segment, stratum, arm, value, value).
    events : ndarray
        Units whose y is not zero, shape (segment, stratum, arm).
    ratio, covariate : bool
        Whether there is a d, an x.
    rows, missing, broken : int
        Outcome rows read, of all arms; those without a value; those whose value is no finite number.
    unusable : tuple[float, ...]
        Share of values that are missing or broken, by arm: the treatment's, or control's if it lacks more.
    spoilt : tuple[str | None, ...]
        Why treatment and control cannot be compared, by arm, in words.
    """

    mean: Floats
    scatter: Floats
    events: Floats
    ratio: bool = False
    covariate: bool = False
    rows: int = 0
    missing: int = 0
    broken: int = 0
    unusable: tuple[float, ...] = ()
    spoilt: tuple[str | None, ...] = ()

    def unusable_in(self, arm: int) -> float:
        """Return the share of missing or broken values that a comparison of ``arm`` with control rests on."""
        if self.unusable:
            return self.unusable[arm]
        return (self.missing + self.broken) / self.rows if self.rows else 0.0

    def spoilt_in(self, arm: int) -> str | None:
        """Return why ``arm`` and control cannot be compared, or None."""
        return self.spoilt[arm] if self.spoilt else None


@dataclass(frozen=True, slots=True)
class Cells:
    """One look: counts and moments by segment × (exposure day × phase) × arm × metric.

    ``problem`` says in words why there is nothing to measure, and is None when there is.
    """

    until: datetime
    arms: tuple[str, ...]
    strata: tuple[Stratum, ...]
    segments: tuple[Segment, ...]
    units: Floats
    metrics: Mapping[str, MetricCells]
    reading: Reading
    problem: str | None = None

    @property
    def totals(self) -> dict[str, int]:
        """Units per arm."""
        return {arm: int(n) for arm, n in zip(self.arms, self.units[0].sum(axis=0), strict=True)}

    @property
    def hidden(self) -> str | None:
        """Which metrics cannot be compared, and why, in words; None when all can."""
        whys = {name: next(filter(None, metric.spoilt), None) for name, metric in self.metrics.items()}
        return "; ".join(f"{name}: {why}" for name, why in whys.items() if why) or None

    @property
    def smallest_treatment_units(self) -> int:
        """Units in the treatment that has the fewest."""
        return min((self.totals[arm] for arm in self.arms[1:]), default=0)

    def to_document(self) -> dict[str, Any]:
        """Return the look as plain data: every stratum of all units, and each segment over all strata."""
        rows = [
            {
                "day": stratum.day.isoformat(),
                "phase": stratum.phase,
                "arm": arm,
                "units": int(self.units[0, h, a]),
                "metrics": {
                    name: {
                        "mean": m.mean[0, h, a],
                        "scatter": m.scatter[0, h, a],
                        "events": m.events[0, h, a],
                    }
                    for name, m in self.metrics.items()
                },
            }
            for h, stratum in enumerate(self.strata)
            for a, arm in enumerate(self.arms)
        ]
        segments = [
            {"column": segment.column, "value": segment.value, "units": self.units[g].sum(axis=0)}
            for g, segment in enumerate(self.segments)
        ]
        document: dict[str, Any] = to_plain(
            {
                "until": self.until,
                "problem": self.problem,
                "units": self.totals,
                "reading": self.reading,
                "notes": self.reading.sentences,
                "values": {
                    name: {"rows": m.rows, "missing": m.missing, "broken": m.broken}
                    for name, m in self.metrics.items()
                },
                "strata": rows,
                "segments": segments,
            }
        )
        return document


def read_cells(engine: Engine, plan: MeasurementPlan, until: datetime) -> Cells:
    """Take one look: read everything that happened, and had arrived, by ``until``.

    Never raises for what the data holds: a warehouse that cannot be read gives cells with a ``problem``,
    and every finding on them is unknown.

    Parameters
    ----------
    engine
        From ``open_warehouse``.
    plan
        What to measure.
    until
        Moment of the look (data time). The same plan and moment give the same cells again.
    """
    moment = whole_ms(until)
    if plan.start is None or moment <= plan.start:
        return no_cells(plan, moment, "no unit was exposed yet: the first phase has not started")
    try:
        with engine.connect() as connection:
            surveyed = read_rows(connection, survey(plan, moment))
            combinations = combinations_of(plan, surveyed)
            if len(combinations) > MAX_COMBINATIONS:
                many = f"the segments have {len(combinations):,} combinations of values"
                return no_cells(plan, moment, f"{many}; at most {MAX_COMBINATIONS:,} can be judged")
            unitless = int(read_rows(connection, without_unit(plan))[0]["rows"])
            outcomes = {
                source: _audited(connection, plan, source, moment)
                for source in dict.fromkeys(planned.metric.source for planned in plan.metrics)
            }
            repeated = [source for source, audit in outcomes.items() if audit.get("twice")]
            ask = Ask(repeated, _watched(plan, outcomes))
            rows = read_rows(connection, look(plan, moment, combinations, ask)) if combinations else []
            reading = reading_of(plan, rows, surveyed, list(outcomes.values()), unitless)
            cells = assemble(plan, moment, combinations, rows, outcomes, reading)
            return with_strangers(connection, plan, cells)
    except UNREADABLE as error:
        return no_cells(plan, moment, _why_unreadable(engine, plan, error))


def with_strangers(connection: Connection, plan: MeasurementPlan, cells: Cells) -> Cells:
    """Return ``cells`` with a note of each table of outcomes whose units never meet the exposed ones.

    Where that is so of all of them, and there are many units on both sides, nothing was measured: then it
    is the cells' ``problem``.
    """
    if cells.problem is not None:
        return cells
    sources: dict[str, list[MetricCells]] = {}
    for planned in plan.metrics:
        sources.setdefault(planned.metric.source, []).append(cells.metrics[planned.metric.id])
    silent = [name for name, of in sources.items() if all(m.rows and not m.events.any() for m in of)]
    found = [told for name in silent if (told := strangers(connection, plan, cells.until, name)) is not None]
    if not found:
        return cells
    reading = replace(cells.reading, strangers=tuple(sentence for sentence, _ in found))
    if len(found) == len(sources) and all(many for _, many in found):
        return no_cells(plan, cells.until, found[0][0], reading)
    return replace(cells, reading=reading)


def _watched(plan: MeasurementPlan, audits: Mapping[str, Mapping[Any, Any]]) -> list[str]:
    """Return the values of which any is missing in the outcomes read."""
    found = []
    for planned, group in zip(plan.metrics, values_of(plan), strict=True):
        audit = audits[planned.metric.source]
        columns = {"y": planned.metric.value, "d": planned.metric.denominator}
        found += [v.name for v in group if v.part != "x" and lacks(audit, columns[v.part])]
    return found


def lacks(audit: Mapping[Any, Any], column: str | None) -> bool:
    """Return whether an audit of outcomes found ``column`` without a usable value."""
    return bool(int(audit[f"null_{column}"]) + int(audit[f"broken_{column}"]))


def _audited(
    connection: Connection, plan: MeasurementPlan, source: str, moment: datetime
) -> Mapping[Any, Any]:
    """Return what the outcomes hold; where repeated events count once, without those repetitions."""
    read = read_rows(connection, outcome_audit(plan, source, moment))[0]
    if not drops_duplicates(plan.filters):
        return read
    return without_repeats(read, read_rows(connection, repeats_audit(plan, source, moment))[0])


def _why_unreadable(engine: Engine, plan: MeasurementPlan, error: Exception) -> str:
    """Return what is wrong in words: the table or columns that are missing, else what the driver says."""
    wanted_of = columns_of(plan)
    try:
        with engine.connect() as connection:
            there = read_catalogue(connection, wanted_of)
    except UNREADABLE as unreadable:
        return f"the warehouse cannot be read: {first_line(unreadable)}"
    for name, wanted in wanted_of.items():
        if name not in there:
            return f"the warehouse cannot be read: there is no table {name}"
        if there[name].problem:
            return f"the warehouse cannot be read: {name}: {there[name].problem}"
        if gone := sorted(wanted - set(there[name].columns)):
            return f"the warehouse cannot be read: table {name} has no column {', '.join(gone)}"
    return f"the warehouse cannot be read: {first_line(error)}"


def no_cells(plan: MeasurementPlan, until: datetime, problem: str, reading: Reading | None = None) -> Cells:
    """Return cells without a unit, and why."""
    return Cells(
        until,
        plan.arms,
        (),
        (Segment(ALL, ALL),),
        np.zeros((1, 0, len(plan.arms))),
        {},
        reading or Reading(),
        problem,
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
        return no_cells(plan, until, reading.why_empty, reading)
    zero = day_zero(plan).date()
    strata = sorted({(int(row["phase"]), int(row["day"])) for row in measured})
    where = {stratum: h for h, stratum in enumerate(strata)}
    seen = [combinations[int(row["code"])] for row in measured]
    segments, members = _segments(plan, [labels for _, labels in seen], [int(row["n"]) for row in measured])
    place = np.array(
        [
            where[int(row["phase"]), int(row["day"])] * len(plan.arms) + arm
            for row, (arm, _) in zip(measured, seen, strict=True)
        ]
    )
    size = len(strata) * len(plan.arms)

    def add(values: Sequence[Any]) -> Floats:
        column = np.array([float(v) if v is not None else 0.0 for v in values])
        summed = [np.bincount(place[rows], weights=column[rows], minlength=size) for rows in members]
        return np.stack(summed).astype(np.float64).reshape(len(segments), len(strata), len(plan.arms))

    units = add([row["n"] for row in measured])
    metrics = {}
    of_phase = np.array([int(row["phase"]) for row in measured])
    by_arm = of_phase * len(plan.arms) + np.array([arm for arm, _ in seen])
    counted = Counted(measured, by_arm, int(of_phase.max()) + 1, len(plan.arms))
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
    days = tuple(Stratum(zero + timedelta(days=day), phase) for phase, day in strata)
    early = sum(int(counted.early(source).void.sum()) for source in sources_of(plan))
    reading = replace(reading, early_outcomes=early, unadjusted=tuple(dict.fromkeys(notes)))
    return Cells(until, plan.arms, days, segments, units, metrics, reading)


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
