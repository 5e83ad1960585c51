"""Do the part files of a DuckDB view agree about what their columns hold?

A view over files takes the types of the file that sorts first, unless it says ``union_by_name``: decimals
that a later part brings are then rounded to the first part's whole numbers, without a word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from sqlalchemy import Connection, text

_PARQUET = re.compile(
    r"\b(?:read_parquet|parquet_scan)\(\s*"
    r"((?:main\.)?list_value\((?:[^()']|'(?:[^']|'')*')*\)|'(?:[^']|'')*')([^;]*)"
)
_LITERAL = re.compile(r"'((?:[^']|'')*)'")
_SCALE = re.compile(r"scale=(\d+)")


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One column that part files hold differently.

    Attributes
    ----------
    table, column : str
        Which.
    held : Mapping[str, str]
        What it holds (integer, double, decimal(2), text, …) to the first file that holds that.
    widened : bool
        Whether the view takes the type that fits all parts; if not, that of one file is forced on all.
    """

    table: str
    column: str
    held: Mapping[str, str]
    widened: bool

    def __str__(self) -> str:
        parts = " and ".join(f"{kind} in {PurePath(file).name}" for kind, file in self.held.items())
        end = "" if self.widened else "; the view reads all parts as the first (say union_by_name = true)"
        return f"the part files of {self.table} differ: {self.table}.{self.column} is {parts}{end}"


def disagreements(connection: Connection, table: str) -> list[Disagreement]:
    """Return the columns of a view that its part files hold differently; none for what is no such view."""
    if connection.dialect.name != "duckdb":
        return []
    statement = "SELECT sql FROM duckdb_views() WHERE view_name = :name AND NOT temporary"
    made = connection.execute(text(statement), {"name": table}).scalar()
    match = _PARQUET.search(str(made or ""))
    if match is None:
        return []
    files = [literal.replace("''", "'") for literal in _LITERAL.findall(match[1])]
    listed = ", ".join("'" + name.replace("'", "''") + "'" for name in files)
    columns = "file_name, name, type, converted_type, logical_type, num_children"
    statement = f"SELECT {columns} FROM parquet_schema([{listed}])"  # noqa: S608 - of the view's own text
    rows = sorted(connection.exec_driver_sql(statement).all(), key=lambda row: str(row[0]))
    held: dict[str, dict[str, str]] = {}
    seen: set[tuple[str, str]] = set()
    for file, name, kind, converted, logical, children in rows:
        if children is None and (str(file), str(name)) not in seen:
            seen.add((str(file), str(name)))
            if label := _label(kind, converted, logical):
                held.setdefault(str(name), {}).setdefault(label, str(file))
    widened = bool(re.search(r"union_by_name\s*=\s*(?:CAST\('t'|true)", match[2], re.IGNORECASE))
    return [Disagreement(table, name, of, widened) for name, of in sorted(held.items()) if len(of) > 1]


def _label(kind: Any, converted: Any, logical: Any) -> str | None:
    said = f"{converted or ''} {logical or ''}".upper()
    if "NULLTYPE" in said or "UNKNOWNTYPE" in said:  # a column without a value holds nothing yet
        return None
    if "TIMESTAMP" in said or kind == "INT96":
        return "timestamp"
    if "DECIMAL" in said:
        scale = _SCALE.search(str(logical))
        return f"decimal({scale[1]})" if scale else "decimal"
    if "DATE" in said:
        return "date"
    return {
        "BOOLEAN": "boolean",
        "INT32": "integer",
        "INT64": "integer",
        "FLOAT": "double",
        "DOUBLE": "double",
        "BYTE_ARRAY": "text",
    }.get(str(kind))
