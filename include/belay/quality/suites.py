"""Suites as data: one YAML file of expectations/ for each table."""

from __future__ import annotations

import difflib
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from belay.domain.durations import seconds_of
from belay.quality.report import Severity


class SuiteError(ValueError):
    """A suite cannot be used; the message names the file, the key, and what would be right."""


class When(StrEnum):
    """When a check applies."""

    ALWAYS = "always"
    LIVE = "live"
    """Only while an optimization is live: before, there is nothing that it could be about."""


class Reads(StrEnum):
    """Which rows a suite reads."""

    EVENTS = "events"
    """Rows of one surface and period, by ``event_time``."""
    TABLE = "table"
    """All rows."""


def _duration(value: Any) -> timedelta:
    return timedelta(seconds=seconds_of(value))


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Word = Annotated[str, Field(min_length=1)]
Kind = Annotated[str, Field(pattern=r"^(text|timestamp|integer|number|boolean)$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Freshness(_Strict):
    """There are rows of the last ``max_age`` of the period."""

    max_age: Duration
    when: When = When.ALWAYS
    severity: Severity = Severity.CRITICAL
    look_at: Word


class Volume(_Strict):
    """The last day has between ``at_least`` and ``at_most`` times the median rows of the days before."""

    days: Annotated[int, Field(ge=2, le=60)] = 7
    at_least: Annotated[float, Field(gt=0, lt=1)]
    at_most: Annotated[float, Field(gt=1)]
    when: When = When.ALWAYS
    severity: Severity = Severity.CRITICAL
    look_at: Word


class CheckSpec(_Strict):
    """One expectation of Great Expectations.

    Attributes
    ----------
    id : str
        Its name in the suite.
    expect : str
        Great Expectations' name, such as ``expect_column_values_to_be_between``.
    kwargs : dict[str, Any]
        Its arguments (``with`` in the file). ``$latest``, ``$since``, ``$until``, ``$now`` and
        ``$variants`` stand for values of the run.
    columns : tuple[str, ...]
        The expectation is asked of each of these columns.
    when : When
        When it applies.
    severity : Severity
        What failing means.
    wrong : str
        What is wrong with a row that fails; ``{column}`` stands for the column.
    look_at : str
        What a person should look at.
    """

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    expect: Annotated[str, Field(pattern=r"^[a-z_]+$")]
    kwargs: dict[str, Any] = Field(default={}, alias="with")
    columns: tuple[Word, ...] = ()
    when: When = When.ALWAYS
    severity: Severity = Severity.CRITICAL
    wrong: Word
    look_at: Word


class Suite(_Strict):
    """What must hold of one table.

    Attributes
    ----------
    name : str
        Name of the file.
    table : str
        Table (or view) of the warehouse.
    reads : Reads
        Which rows.
    required : When | None
        When having no row at all means that nothing is known; None: an empty table is fine.
    columns : dict[str, Kind]
        Columns that there must be, and what they hold: text, timestamp, integer, number, boolean.
    columns_look_at : str
        What a person should look at when they are not there.
    freshness, volume : Freshness | Volume | None
        How new, and how many.
    checks : tuple[CheckSpec, ...]
        Everything else.
    """

    name: Word
    table: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    reads: Reads = Reads.EVENTS
    required: When | None = None
    columns: Annotated[dict[Word, Kind], Field(min_length=1)]
    columns_look_at: Word
    freshness: Freshness | None = None
    volume: Volume | None = None
    checks: tuple[CheckSpec, ...] = ()


def load_suite(folder: Path, name: str) -> Suite:
    """Return the suite ``name`` of ``folder``.

    Raises
    ------
    SuiteError
        When there is no such file, or it is not a suite.
    """
    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = sorted(found.stem for found in folder.glob("*.yaml")) if folder.is_dir() else []
        near = difflib.get_close_matches(name, known, n=1)
        right = f"did you mean {near[0]!r}?" if near else f"known suites: {', '.join(known) or 'none'}"
        raise SuiteError(f"there is no suite {name!r} in {folder}; {right}")
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise SuiteError(f"{path.name} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict):
        raise SuiteError(f"{path.name} is not a mapping; write table:, columns: and checks:")
    try:
        suite = Suite.model_validate({**document, "name": name})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise SuiteError(
            f"{path.name}: {where}: {problem['msg']} (found {problem['input']!r:.60})"
        ) from error
    ids = [check.id for check in suite.checks]
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        raise SuiteError(f"{path.name}: checks need names of their own: {', '.join(twice)}")
    return suite
