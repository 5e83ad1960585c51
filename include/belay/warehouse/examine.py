"""What is in a warehouse that Belay would stumble over, in sentences that name table and column."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from belay.warehouse.catalogue import Kind, Relation, read_catalogue
from belay.warehouse.errors import UnusableColumnError, first_line
from belay.warehouse.forms import TIMES, forms_of
from belay.warehouse.parts import disagreements


@dataclass(frozen=True, slots=True)
class Remark:
    """One sentence about the warehouse, and whether it keeps figures from being right."""

    sentence: str
    wrong: bool = False


def examine_tables(engine: Engine, names: Iterable[str]) -> list[Remark]:
    """Return what is to be said of the tables ``names``: what is missing, unreadable or read in UTC."""
    names = list(dict.fromkeys(names))
    with engine.connect() as connection:
        there = read_catalogue(connection, names)
    missing = [name for name in names if name not in there]
    found = [Remark(f"there is no table {name}", wrong=True) for name in missing]
    for relation in there.values():
        found += _examine(engine, relation)
    return found


def _examine(engine: Engine, relation: Relation) -> list[Remark]:
    if relation.problem:
        return [Remark(f"{relation.name} cannot be read: {relation.problem}", wrong=True)]
    try:
        with engine.connect() as connection:
            forms_of(connection, relation)
            differ = disagreements(connection, relation.name)
    except UnusableColumnError as error:
        return [Remark(str(error), wrong=True)]
    except DBAPIError as error:
        return [Remark(f"{relation.name} cannot be read: {first_line(error)}", wrong=True)]
    columns = [relation.columns[name] for name in TIMES if name in relation.columns]
    return [
        *(Remark(str(each), wrong=not each.widened) for each in differ),
        *(
            Remark(f"{relation.name}.{column.name} is {column.type}, read as UTC")
            for column in columns
            if column.kind in {Kind.ZONED, Kind.DATE, Kind.INTEGER, Kind.NUMBER}
        ),
    ]
