"""Has the warehouse what the policies ask for? Tables, columns and traffic, before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from sqlalchemy import column, func, select, table

from belay.domain.metrics import Metric
from belay.policy.errors import did_you_mean
from belay.warehouse.catalogue import read_catalogue
from belay.warehouse.examine import examine_tables

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from belay.domain.capability import CapabilityPolicy
    from belay.warehouse.catalogue import Relation

EXPOSURES = frozenset(
    {"event_id", "unit_id", "optimization", "variant", "surface", "event_time", "ingested_at"}
)
"""Columns that every table of exposures has: who saw which variant of what, where and when."""

_OUTCOMES = frozenset({"unit_id", "event_time", "ingested_at"})
_UNITS = frozenset({"unit_id"})
_CHOICES = frozenset({"unit_id", "surface", "event_time"})
_FILTER_OF_ITS_OWN = "duplicate_events"


def needed(policies: Iterable[CapabilityPolicy]) -> dict[str, dict[str, str]]:
    """Return what is read, by table: column to who needs it, in words."""
    wanted: dict[str, dict[str, str]] = {}

    def want(source: str, columns: Iterable[str], who: str) -> None:
        for name in columns:
            wanted.setdefault(source, {}).setdefault(name, who)

    for policy in policies:
        filters = [name for name in policy.exposure_filters if name != _FILTER_OF_ITS_OWN]
        want("exposures", EXPOSURES, "every look")
        want("exposures", policy.segments, f"segments of {policy.id}")
        want("exposures", filters, f"exposure_filters of {policy.id}")
        for metric in policy.metrics:
            want(metric.source, [*_OUTCOMES, *_figures(metric)], f"metric {metric.id}")
            if metric.covariate:
                want("units", [*_UNITS, metric.covariate], f"covariate of {metric.id}")
        if (shadow := policy.shadow) is not None:
            columns = [*_CHOICES, shadow.choice, shadow.propensity, *shadow.filters]
            want(shadow.source, columns, f"shadow of {policy.id}")
    return wanted


def _figures(metric: Metric) -> list[str]:
    return [name for name in (metric.value, metric.denominator) if name]


def cannot_be_read(engine: Engine, policies: Iterable[CapabilityPolicy]) -> Iterator[str]:
    """Yield a sentence for each table or column that a policy needs and the warehouse lacks or cannot read.

    Raises
    ------
    sqlalchemy.exc.SQLAlchemyError
        When the warehouse does not answer.
    """
    usable = list(policies)
    wanted = needed(usable)
    with engine.connect() as connection:
        there = read_catalogue(connection, wanted)
        for source, columns in wanted.items():
            yield from _lacks(source, columns, there.get(source))
        readable = [name for name, relation in there.items() if not relation.problem]
        yield from (remark.sentence for remark in examine_tables(engine, readable) if remark.wrong)
        exposures = there.get("exposures")
        if exposures is None or "surface" not in exposures.columns:
            return
        seen = table("exposures", column("surface"))
        for surface in sorted({policy.surface for policy in usable}):
            statement = select(func.count()).select_from(
                select(seen.c.surface).where(seen.c.surface == surface).limit(1).subquery()
            )
            if not connection.scalar(statement):
                yield f"no exposures of surface {surface} are in the warehouse: nothing could be measured"


def _lacks(source: str, columns: dict[str, str], relation: Relation | None) -> Iterator[str]:
    if relation is None:
        yield f"the warehouse has no table {source}; {', '.join(dict.fromkeys(columns.values()))} need it"
    elif relation.problem:
        yield f"the table {source} cannot be read: {relation.problem}"
    else:
        for name, who in columns.items():
            if name not in relation.columns:
                right = did_you_mean(name, relation.columns, "columns")
                yield f"the table {source} has no column {name}, which {who} needs; {right}"
