"""Many looks as few statements: everything live is read with one GROUP BY a source, not one a change.

The same three steps as ``query``: first exposure, outcomes from then on, sums a cell; here for every
optimization at once, each at the one scope it has now. A statement reads the plans that share segments and
filters, at most ``CHUNK`` of them: how many there are hardly grows with what is live.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    RowMapping,
    func,
    select,
)

from belay.cells.cells import Cells, no_cells, not_started
from belay.cells.plan import MeasurementPlan, Sight, whole_ms
from belay.cells.reading import Reading
from belay.cells.values import values_of_metric
from belay.domain.metrics import Metric
from belay.domain.vocabulary import Unreadable
from belay.warehouse.assemble import assemble
from belay.warehouse.audit import lacks
from belay.warehouse.connection import read_rows
from belay.warehouse.errors import UNREADABLE, first_line
from belay.warehouse.events import drops_duplicates, events_of
from belay.warehouse.expressions import finite
from belay.warehouse.fleet_query import LABELS, cells_of, outcome_span, repeats_of_each, survey
from belay.warehouse.look_query import TWO_ARMS, Ask, Combination
from belay.warehouse.unit_values import counts_of, early_counts
from belay.warehouse.unmatched import with_strangers

CHUNK = 250
"""Optimizations that one statement reads: few enough for a warehouse's memory."""

__all__ = ["CHUNK", "FleetReading", "Sight", "read_fleet"]


@dataclass(frozen=True, slots=True)
class FleetReading:
    """What was read, in the order that was asked for, and in how many statements."""

    cells: tuple[Cells, ...]
    statements: int


def read_fleet(engine: Engine, sights: Sequence[Sight]) -> FleetReading:
    """Read every optimization of ``sights`` up to its own moment, in few statements.

    Gives the cells that ``read_cells`` gives for each of them alone. Never raises for what the data hold:
    what cannot be read comes as cells with a ``problem``.
    """
    found: dict[int, Cells] = {}
    statements = 0
    shapes: dict[Any, list[int]] = defaultdict(list)
    for place, sight in enumerate(sights):
        start = sight.plan.start
        if start is None or whole_ms(sight.until) <= start:
            found[place] = not_started(sight.plan, whole_ms(sight.until))
        else:
            shapes[sight.plan.segments, tuple(sorted(sight.plan.filters.items()))].append(place)
    for places in shapes.values():
        for begin in range(0, len(places), CHUNK):
            chunk = places[begin : begin + CHUNK]
            chunk_cells, count = _read_apart(engine, [sights[place] for place in chunk])
            statements += count
            found.update(zip(chunk, chunk_cells, strict=True))
    return FleetReading(tuple(found[place] for place in range(len(sights))), statements)


class _TooManySegmentsError(Exception):
    """Why the optimizations of a chunk cannot be read together."""


def _read_apart(engine: Engine, sights: Sequence[Sight]) -> tuple[list[Cells], int]:
    """Read a chunk at once; where that is refused, each surface and set of metrics for itself.

    A column that one capability lacks, or a value that cannot be computed with, hides nobody else's harm.
    """
    try:
        with engine.connect() as connection:
            try:
                return _read_chunk(connection, sights)
            except UNREADABLE as error:
                if getattr(error, "connection_invalidated", False):
                    raise
                why, problem = Unreadable.WAREHOUSE, _problem(error)
            except _TooManySegmentsError as error:
                why, problem = Unreadable.SEGMENTS, str(error)
    except UNREADABLE as error:  # it does not answer at all: asking once more for each would only take longer
        return _hidden(sights, Unreadable.WAREHOUSE, _problem(error)), 1
    apart: dict[Any, list[int]] = defaultdict(list)
    for place, sight in enumerate(sights):
        apart[sight.plan.surface, tuple(planned.metric.id for planned in sight.plan.metrics)].append(place)
    if len(apart) == 1:
        return _hidden(sights, why, problem), 1
    found: dict[int, Cells] = {}
    statements = 1
    for places in apart.values():
        cells, count = _read_apart(engine, [sights[place] for place in places])
        found.update(zip(places, cells, strict=True))
        statements += count
    return [found[place] for place in range(len(sights))], statements


def _problem(error: Exception) -> str:
    return f"the warehouse cannot be read: {first_line(error)}"


def _hidden(sights: Sequence[Sight], why: Unreadable, problem: str) -> list[Cells]:
    return [no_cells(sight.plan, whole_ms(sight.until), why, problem) for sight in sights]


def _read_chunk(connection: Connection, sights: Sequence[Sight]) -> tuple[list[Cells], int]:
    metrics = list(dict.fromkeys(p.metric for sight in sights for p in sight.plan.metrics))
    surveyed = read_rows(connection, survey(sights))
    labels = sorted({tuple(str(row[f"g_{name}"]) for name in sights[0].plan.segments) for row in surveyed})
    if len(labels) > LABELS:
        raise _TooManySegmentsError(
            f"the segments have {len(labels):,} combinations of values; at most {LABELS:,} can be judged"
        )
    sources = list(dict.fromkeys(metric.source for metric in metrics))
    once = drops_duplicates(sights[0].plan.filters)
    twice = {source: repeats(connection, sights, source) for source in sources} if once else {}
    repeated = [source for source, found in twice.items() if found]
    audits = {source: audit(connection, sights, source, metrics) for source in sources}
    ask = Ask(repeated, _watched(metrics, audits))
    rows = read_rows(connection, cells_of(sights, metrics, labels, ask)) if labels else []
    by_plan: dict[int, list[RowMapping]] = defaultdict(list)
    for row in rows:
        by_plan[int(row["k"])].append(row)
    seen: dict[int, int] = defaultdict(int)
    for row in surveyed:
        seen[int(row["k"])] += int(row["rows"])
    cells = [
        _assembled(
            sight,
            metrics,
            labels,
            by_plan[k],
            audits,
            Reading(rows=seen[k], duplicate_outcomes=_dropped(sight, twice, k) if once else None),
        )
        for k, sight in enumerate(sights)
    ]
    cells = [with_strangers(connection, sight.plan, each) for sight, each in zip(sights, cells, strict=True)]
    return cells, 2 + len(sources) + len(twice)


def _watched(metrics: Sequence[Metric], audits: Mapping[str, Mapping[str, Mapping[str, int]]]) -> list[str]:
    """Return the values of which any is missing on any surface."""
    found = []
    for i, metric in enumerate(metrics):
        columns, read = {"y": metric.value, "d": metric.denominator}, audits[metric.source].values()
        values = [value for value in values_of_metric(i, metric) if value.part != "x"]
        found += [v.name for v in values if any(lacks(audit, columns[v.part]) for audit in read)]
    return found


def _dropped(sight: Sight, twice: Mapping[str, Mapping[int, int]], k: int) -> int:
    """Return how many repeated events of the plan's own outcomes were counted once."""
    mine = {planned.metric.source for planned in sight.plan.metrics}
    return sum(found.get(k, 0) for source, found in twice.items() if source in mine)


def repeats(connection: Connection, sights: Sequence[Sight], source: str) -> dict[int, int]:
    """Count each plan's outcome rows that repeat an earlier one; a plan without any is not in it."""
    return {int(row["k"]): int(row["rows"]) for row in read_rows(connection, repeats_of_each(sights, source))}


def _assembled(
    sight: Sight,
    metrics: Sequence[Metric],
    labels: Sequence[tuple[str, ...]],
    rows: Sequence[RowMapping],
    audits: Mapping[str, Mapping[str, Mapping[str, int]]],
    reading: Reading,
) -> Cells:
    """Return the cells of one optimization from its rows of the fleet's."""
    plan = sight.plan
    units = sum(int(row["n"]) for row in rows)
    two = sum(int(row["n"]) for row in rows if row["arms"] == TWO_ARMS)
    reading = replace(reading, units=units - two, two_arms=two)
    names = _renamed(plan, metrics)
    combinations: list[Combination] = []
    places: dict[Combination, int] = {}
    mine: list[dict[str, Any]] = []
    for row in rows:
        combination = (int(row["arm"]), labels[int(row["label"])])
        if combination not in places:
            places[combination] = len(combinations)
            combinations.append(combination)
        own = {name: row[theirs] for name, theirs in names.items() if theirs in row}
        own |= {
            "code": places[combination],
            "day": row["day"],
            "arms": row["arms"],
            "n": row["n"],
        }
        mine.append(own)
    audit = {
        planned.metric.source: audits[planned.metric.source].get(plan.surface, _NOTHING)
        for planned in plan.metrics
    }
    return assemble(plan, whole_ms(sight.until), combinations, mine, audit, reading)


class Zeros(dict[str, int]):
    """Counts of a surface without a row."""

    def __missing__(self, _name: str) -> int:
        return 0


_NOTHING = Zeros()


def _renamed(plan: MeasurementPlan, metrics: Sequence[Metric]) -> dict[str, str]:
    """Return the columns that the plan alone would read, and what the fleet calls each."""
    names: dict[str, str] = {}
    for i, planned in enumerate(plan.metrics):
        j = metrics.index(planned.metric)
        names[f"e_y{i}"] = f"e_y{j}"
        names |= {name: name for name in early_counts(planned.metric.source)}
        parts = values_of_metric(j, planned.metric)
        for a, value in enumerate(parts):
            names[f"k_{value.part}{i}"] = f"k_{value.name}"
            names[f"s_{value.part}{i}"] = f"s_{value.name}"
            own = counts_of(f"{value.part}{i}")
            names |= dict(zip(own, counts_of(value.name), strict=True))
            for other in parts[a:]:
                names[f"q_{value.part}{i}_{other.part}{i}"] = f"q_{value.name}_{other.name}"
    return names


def audit(
    connection: Connection, sights: Sequence[Sight], source: str, metrics: Sequence[Metric]
) -> dict[str, Zeros]:
    """Count the outcome rows of each surface, and those without a usable value."""
    names = dict.fromkeys(
        n for metric in metrics if metric.source == source for n in (metric.value, metric.denominator) if n
    )
    outcomes = events_of(source, names, outcome_span(sights), once=False)
    columns: list[ColumnElement[Any]] = [outcomes.c.surface.label("surface"), func.count().label("rows")]
    for name in names:
        known, usable = func.count(outcomes.c[name]), func.count(finite(outcomes.c[name]))
        columns += [(func.count() - known).label(f"null_{name}"), (known - usable).label(f"broken_{name}")]
    statement = select(*columns).group_by(outcomes.c.surface)
    found = {}
    for row in read_rows(connection, statement):
        found[str(row["surface"])] = Zeros({k: int(v) for k, v in row.items() if k != "surface"})
    return found
