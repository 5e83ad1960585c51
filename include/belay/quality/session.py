"""One suite, one scope, one warehouse: what every check needs, and what they gather."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from belay.quality.great_expectations_engine import Asker, Question, Result
from belay.quality.report import Check, Finding, Severity, Statistic
from belay.quality.scope import Scope
from belay.quality.suites import Suite, When

if TYPE_CHECKING:
    import sqlalchemy as sa


@dataclass(slots=True)
class Asked:
    """What one suite gave.

    Attributes
    ----------
    checks : list[Check]
        What was found.
    rows : int
        Rows in scope.
    examples : dict[str, tuple[dict[str, Any], ...]]
        A check's id to a few rows that failed it (for the Data Docs only).
    statements : dict[str, str]
        A check's id to the expectation in Great Expectations' words.
    unusable : set[str]
        Columns that are not there, or hold something else.
    """

    checks: list[Check] = field(default_factory=list)
    rows: int = 0
    examples: dict[str, tuple[dict[str, Any], ...]] = field(default_factory=dict)
    statements: dict[str, str] = field(default_factory=dict)
    unusable: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Session:
    """What every check of a suite needs.

    Attributes
    ----------
    asker : Asker
        Great Expectations on the warehouse.
    engine : sa.Engine
        The same connection, for what has to be looked up before a question can be asked.
    suite : Suite
        What must hold.
    scope : Scope
        Of which rows.
    shares : Mapping[str, float]
        Expected split; empty when nothing is live.
    max_age : timedelta | None
        Replaces the suite's own ``freshness.max_age`` when it is shorter.
    asked : Asked
        Where findings go.
    """

    asker: Asker
    engine: sa.Engine
    suite: Suite
    scope: Scope
    shares: Mapping[str, float]
    max_age: timedelta | None
    asked: Asked

    def key(self, check: str) -> str:
        """Return the id of ``check`` in the report."""
        return f"{self.suite.name}.{check}"

    def add(
        self,
        check: str,
        finding: Finding,
        sentence: str,
        look_at: str = "",
        numbers: Mapping[str, Statistic] | None = None,
        severity: Severity = Severity.CRITICAL,
    ) -> None:
        """Record what ``check`` found; what to look at is told when it did not pass."""
        hint = look_at if finding in {Finding.FAILED, Finding.UNKNOWN} else ""
        self.asked.checks.append(Check(self.key(check), finding, severity, sentence, hint, numbers or {}))

    def applies(self, check: str, when: When, severity: Severity) -> bool:
        """Return whether ``check`` applies now; record it when it does not."""
        if when is When.ALWAYS or self.scope.live:
            return True
        sentence = "nobody has been exposed yet, so there is nothing that this could be about"
        self.add(check, Finding.NOT_APPLICABLE, sentence, severity=severity)
        return False

    def count_between(self, check: str, query: str, bounds: dict[str, Any], severity: Severity) -> Result:
        """Ask whether the number of rows of ``query`` is within ``bounds``."""
        question = Question(check, "expect_table_row_count_to_be_between", bounds, str(severity))
        result = self.asker.ask_rows(query, [question])[check]
        self.asked.statements[self.key(check)] = result.statement
        return result


def plain(value: Any) -> Statistic:
    """Return ``value`` as it can stand in JSON."""
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    if isinstance(value, int | str | bool) or value is None:
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)[:200]
