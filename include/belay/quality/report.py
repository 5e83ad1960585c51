"""What the checks found: a verdict, a sentence, and statistics that can be kept as evidence.

Rows never appear here: they may be personal, so they stay in the Data Docs, behind the permission to
read those.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from belay.domain.gates import Verdict

Statistic = int | float | str | bool | None


class Severity(StrEnum):
    """What a failed check means."""

    CRITICAL = "critical"
    """Figures from these rows cannot be believed: the gate fails."""
    WARNING = "warning"
    """Somebody should look; the gate still passes, and the report says so."""


class Finding(StrEnum):
    """What a check found."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """It could not run: nothing is known, so nothing widens."""
    NOT_APPLICABLE = "not_applicable"
    """There is nothing here that it could be about yet."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check and what it found.

    Attributes
    ----------
    id : str
        ``suite.check``.
    finding : Finding
        What it found.
    severity : Severity
        What failing means.
    sentence : str
        What was found, with counts.
    look_at : str
        What a person should look at when it did not pass.
    statistics : Mapping[str, Statistic]
        Counts and limits behind the sentence; no rows.
    """

    id: str
    finding: Finding
    severity: Severity
    sentence: str
    look_at: str = ""
    statistics: Mapping[str, Statistic] = field(default_factory=dict)

    @property
    def blocks(self) -> bool:
        """Whether this check keeps the gate from passing."""
        return self.finding is Finding.UNKNOWN or (
            self.finding is Finding.FAILED and self.severity is Severity.CRITICAL
        )

    def to_document(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "id": self.id,
            "finding": str(self.finding),
            "severity": str(self.severity),
            "sentence": self.sentence,
            "look_at": self.look_at,
            "statistics": dict(self.statistics),
        }


@dataclass(frozen=True, slots=True)
class QualityReport:
    """All checks of one reading.

    Attributes
    ----------
    verdict : Verdict
        ``fail`` when a critical check failed; else ``hold`` when a check could not run; else ``pass``.
    sentence : str
        The verdict in one sentence.
    checks : tuple[Check, ...]
        What was found, what matters most first.
    surface, optimization : str
        What was read; an empty optimization means the surface's history before the first exposure.
    since, until, now : datetime
        The period that was read, and the data clock, UTC, naive.
    rows : int
        Rows that were read.
    docs : str | None
        Page in the folder of Data Docs, relative to it; None when it could not be written.
    """

    verdict: Verdict
    sentence: str
    checks: tuple[Check, ...]
    surface: str
    optimization: str
    since: datetime
    until: datetime
    now: datetime
    rows: int
    docs: str | None = None

    def to_document(self) -> dict[str, Any]:
        """Return it as plain JSON: the evidence."""
        return {
            "kind": "quality",
            "verdict": str(self.verdict),
            "sentence": self.sentence,
            "surface": self.surface,
            "optimization": self.optimization,
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "now": self.now.isoformat(),
            "rows": self.rows,
            "checks": [check.to_document() for check in self.checks],
            "docs": self.docs,
        }


def verdict_of(checks: Iterable[Check]) -> Verdict:
    """Return the verdict of ``checks``; none at all is not a pass."""
    found = list(checks)
    if any(c.finding is Finding.FAILED and c.severity is Severity.CRITICAL for c in found):
        return Verdict.FAIL
    if any(c.finding is Finding.UNKNOWN for c in found):
        return Verdict.HOLD
    return Verdict.PASS if any(c.finding is Finding.PASSED for c in found) else Verdict.HOLD


def sentence_of(verdict: Verdict, checks: Iterable[Check], rows: int) -> str:
    """Return the verdict in one sentence, with what matters most first."""
    found = list(checks)
    failed = [c for c in found if c.finding is Finding.FAILED and c.severity is Severity.CRITICAL]
    unknown = [c for c in found if c.finding is Finding.UNKNOWN]
    warned = [c for c in found if c.finding is Finding.FAILED and c.severity is Severity.WARNING]
    passed = sum(c.finding is Finding.PASSED for c in found)
    if verdict is Verdict.FAIL:
        return f"the data cannot be believed: {_first(failed)}"
    if verdict is Verdict.HOLD:
        return f"nobody knows whether the data is sound: {_first(unknown) or 'no check could speak'}"
    notes = f"; to look at: {_first(warned)}" if warned else ""
    return f"{passed} checks passed on {rows:,} rows{notes}"


def by_weight(check: Check) -> tuple[int, str]:
    """Sort key: failures first, then what is unknown, warnings, passes, and what does not apply."""
    if check.blocks:
        return (0 if check.finding is Finding.FAILED else 1), check.id
    order = {Finding.FAILED: 2, Finding.PASSED: 3, Finding.NOT_APPLICABLE: 4}
    return order[check.finding], check.id


def _first(checks: list[Check]) -> str:
    if not checks:
        return ""
    more = f" (and {len(checks) - 1} more)" if len(checks) > 1 else ""
    return f"{checks[0].id}: {checks[0].sentence}{more}"
