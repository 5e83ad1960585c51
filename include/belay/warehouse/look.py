"""One look: the cells of a plan, up to a moment.

The one entry for whoever needs the cells of one optimization; ``fleet`` gives those of many.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine

from belay.cells.cells import Cells, no_cells, not_started
from belay.cells.plan import MeasurementPlan, whole_ms
from belay.cells.values import values_of
from belay.domain.vocabulary import Unreadable
from belay.warehouse.assemble import assemble, combinations_of, reading_of
from belay.warehouse.audit import lacks, outcome_audit, repeats_audit, survey, without_repeats, without_unit
from belay.warehouse.catalogue import read_catalogue
from belay.warehouse.connection import read_rows
from belay.warehouse.errors import UNREADABLE, first_line
from belay.warehouse.events import columns_of, drops_duplicates
from belay.warehouse.look_query import MAX_COMBINATIONS, Ask, look
from belay.warehouse.unmatched import with_strangers


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
        return not_started(plan, moment)
    try:
        with engine.connect() as connection:
            surveyed = read_rows(connection, survey(plan, moment))
            combinations = combinations_of(plan, surveyed)
            if len(combinations) > MAX_COMBINATIONS:
                many = f"the segments have {len(combinations):,} combinations of values"
                said = f"{many}; at most {MAX_COMBINATIONS:,} can be judged"
                return no_cells(plan, moment, Unreadable.SEGMENTS, said)
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
        return no_cells(plan, moment, Unreadable.WAREHOUSE, _why_unreadable(engine, plan, error))


def _watched(plan: MeasurementPlan, audits: Mapping[str, Mapping[Any, Any]]) -> list[str]:
    """Return the values of which any is missing in the outcomes read."""
    found = []
    for planned, group in zip(plan.metrics, values_of(plan), strict=True):
        audit = audits[planned.metric.source]
        columns = {"y": planned.metric.value, "d": planned.metric.denominator}
        found += [v.name for v in group if v.part != "x" and lacks(audit, columns[v.part])]
    return found


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
