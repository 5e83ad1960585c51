"""Harm alone: the monitor's e-values without its intervals, for a guard that looks at a thousand changes.

The tests, their levels and their data are those of ``monitor``: harm is found here exactly when it is found
there. What people read, intervals and sentences, costs most of a look and is made only for what is found.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from belay.cells.cells import Cells
from belay.cells.plan import MeasurementPlan
from belay.measurement.compare import compare
from belay.measurement.findings import Finding, combine
from belay.measurement.monitor import has_enough, monitor, overall_harm, split_of
from belay.measurement.sequences import e_benjamini_hochberg


@dataclass(frozen=True, slots=True)
class Screened:
    """What the guard needs to know of a look.

    Attributes
    ----------
    until : datetime
        Moment of the look (data time).
    finding : Finding
        Harmful, harmless or unknown, as the monitor would say; harmless only when it was asked for.
    sentence : str
        The same for people.
    log_e : float
        The largest log e-value of harm.
    caution : bool
        Whether harm is shown so far, and none of it is shown to last.
    """

    until: datetime
    finding: Finding
    sentence: str
    log_e: float
    caution: bool = False


def screen(cells: Cells, plan: MeasurementPlan, *, harmless: bool) -> Screened:
    """Return what one look shows.

    Parameters
    ----------
    cells, plan
        As for ``monitor``.
    harmless
        Also ask whether every metric is shown to stay within its margin.
    """
    if cells.problem is not None:
        return Screened(cells.until, Finding.UNKNOWN, f"Unknown: {cells.problem}.", 0.0)
    suspicious, log_e = _evidence(cells, plan)
    if suspicious:
        found = monitor(cells, plan)
        return Screened(cells.until, found.finding, found.sentence, log_e, found.caution)
    shown = harmless and has_enough(cells, plan) and not split_of(cells, plan).alarm
    units = f"{sum(cells.totals.values()):,} units measured"
    if shown and combine([effect.finding for effect in overall_harm(cells, plan)]) is Finding.HARMLESS:
        sentence = f"No harm: {units}, every metric is shown to stay within its margin."
        return Screened(cells.until, Finding.HARMLESS, sentence, log_e)
    return Screened(cells.until, Finding.UNKNOWN, f"No harm shown: {units}.", log_e)


def _evidence(cells: Cells, plan: MeasurementPlan) -> tuple[bool, float]:
    """Return whether any test speaks, and the largest log e-value."""
    level = plan.overall_alpha / max(plan.overall_tests, 1)
    overall = _log_e(cells, plan, [0], level)
    groups = [g for g, segment in enumerate(cells.segments) if not segment.is_all]
    tests = len(groups) * plan.overall_tests
    segments = _log_e(cells, plan, groups, plan.segment_alpha / max(tests, 1))
    speaks = bool((overall >= -math.log(level)).any())
    if segments.size:
        speaks = speaks or bool(e_benjamini_hochberg(segments, plan.segment_alpha).any())
    return speaks, float(max(overall.max(initial=0.0), segments.max(initial=0.0)))


def _log_e(cells: Cells, plan: MeasurementPlan, groups: list[int], level: float) -> np.ndarray:
    return np.array(
        [
            compare(cells, plan, planned, arm, group).log_e_harm(level)
            for group in groups
            for arm in range(1, len(plan.arms))
            for planned in plan.metrics
        ]
    )
