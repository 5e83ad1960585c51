"""Cells: the sufficient statistics of one look, and the only thing that leaves the warehouse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from belay.cells.documents import to_plain
from belay.cells.plan import MeasurementPlan
from belay.cells.reading import Reading
from belay.domain.vocabulary import Unreadable

Floats = NDArray[np.float64]

ALL = "all"
"""The segment that holds every unit."""


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
        Means, shape (segment, day, arm, value).
    scatter : ndarray
        Sums of products of deviations from the cell's mean, shape (segment, day, arm, value, value).
    events : ndarray
        Units whose y is not zero, shape (segment, day, arm).
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
    """One look: counts and moments by segment × exposure day × arm × metric.

    ``problem`` says in words why there is nothing to measure, and ``unreadable`` of which kind that is; both
    are None when there is something.
    """

    until: datetime
    arms: tuple[str, ...]
    days: tuple[date, ...]
    segments: tuple[Segment, ...]
    units: Floats
    metrics: Mapping[str, MetricCells]
    reading: Reading
    problem: str | None = None
    unreadable: Unreadable | None = None

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
        """Return the look as plain data: every day of all units, and each segment over all strata."""
        rows = [
            {
                "day": day.isoformat(),
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
            for h, day in enumerate(self.days)
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


def not_started(plan: MeasurementPlan, until: datetime) -> Cells:
    """Return the cells of a plan before its period."""
    said = "no unit was exposed yet: its period has not started"
    return no_cells(plan, until, Unreadable.NOT_STARTED, said)


def no_cells(
    plan: MeasurementPlan,
    until: datetime,
    unreadable: Unreadable,
    problem: str,
    reading: Reading | None = None,
) -> Cells:
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
        unreadable,
    )
