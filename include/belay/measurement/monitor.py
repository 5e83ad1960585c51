"""The monitor: harm at a look, with error rates that hold however often one looks.

Each metric in each treatment has an e-value of harm; all overall tests together cry wolf with
probability at most α (half of it where segments are watched too; those share the other half by e-BH).
Stopping for harm does not touch the error rate of the decision at the end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from belay.cells.cells import Cells
from belay.cells.documents import to_plain
from belay.cells.plan import SRM_ALPHA, MeasurementPlan, Role
from belay.measurement.compare import Comparison, compare
from belay.measurement.effects import Conclusion, Effect, HarmTest, effect_of
from belay.measurement.findings import Finding, combine
from belay.measurement.sequences import e_benjamini_hochberg
from belay.measurement.srm import LARGE, LARGE_SAMPLE, SMALL, log_e_split, srm_test


@dataclass(frozen=True, slots=True)
class SplitFinding:
    """Whether the split observed is the split asked for, over all looks.

    ``finding`` is harmless (the split is as asked) or unknown (it is not, or there is nothing to see):
    a broken split harms the measurement, not the customers.
    """

    finding: Finding
    sentence: str
    e_value: float
    e_threshold: float
    p: float
    observed: Mapping[str, int]
    expected: Mapping[str, float]

    @property
    def alarm(self) -> bool:
        """Whether a sample ratio mismatch was found."""
        return self.e_value >= self.e_threshold

    @property
    def mismatch(self) -> bool:
        """Whether a decision may not rest on this split: an alarm, or a chi-square test that rejects it."""
        return self.alarm or self.p < SRM_ALPHA


@dataclass(frozen=True, slots=True)
class Monitoring:
    """What one look found.

    Attributes
    ----------
    until : datetime
        Moment of the look (data time).
    finding : Finding
        Harmful when any metric or segment is; harmless when every metric is shown to stay within its
        margin at any look; else unknown.
    sentence : str
        The same for people.
    effects : tuple[Effect, ...]
        Every metric in every treatment, over all units.
    segments : tuple[Effect, ...]
        Every metric in every treatment and segment.
    split : SplitFinding
        The sequential sample ratio check.
    enough : bool
        Whether the smallest treatment arm has its minimum of units, and the phase its minimum duration.
    decided : str
        Why looking longer can change nothing that matters, in words: harm, or in every treatment
        everything is shown, or the primary metric is shown to have no benefit worth having. Empty while
        it can. Rests on the confidence sequence at its share of each level, so that a window that ends
        here keeps the decision's error rate.
    notes : tuple[str, ...]
        What the reading left out, in words.
    """

    until: datetime
    finding: Finding
    sentence: str
    effects: tuple[Effect, ...]
    segments: tuple[Effect, ...]
    split: SplitFinding
    enough: bool
    decided: str
    notes: tuple[str, ...]

    @property
    def harms(self) -> tuple[Effect, ...]:
        """Everything shown harmful."""
        return tuple(e for e in (*self.effects, *self.segments) if e.finding is Finding.HARMFUL)

    @property
    def caution(self) -> bool:
        """Whether harm is shown so far, and none of it is shown to last: it narrows, and is no verdict."""
        return bool(self.harms) and not any(e.lasting for e in self.harms)

    @property
    def standing(self) -> str:
        """What the look shows, as a phrase: shown, not shown, or why it cannot be seen."""
        if self.finding is Finding.HARMFUL:
            return self.sentence
        if self.split.alarm:
            return self.split.sentence
        if self.finding is Finding.HARMLESS:
            return "; ".join(["every metric is shown to stay within its margin", *self._scatter])
        silent = [f"{e.title} cannot be judged ({e.silent})" for e in self.effects if e.silent]
        return "; ".join(["no harm shown", *silent, *self._scatter])

    @property
    def _scatter(self) -> list[str]:
        """Where the effects of days differ by more than chance, in words."""
        return [
            f"{e.title} differs from day to day ({e.dispersion.ratio:.1f} times chance)"
            for e in self.effects
            if e.dispersion is not None and e.dispersion.noticed
        ]

    @property
    def harm_sentence(self) -> str | None:
        """What is shown harmful, in words; None when nothing is."""
        return self.sentence if self.finding is Finding.HARMFUL else None

    def to_document(self) -> dict[str, Any]:
        """Return the look's findings as plain data."""
        document: dict[str, Any] = to_plain(self) | {
            "harms": to_plain(self.harms),
            "caution": self.caution,
        }
        return document


def monitor(cells: Cells, plan: MeasurementPlan) -> Monitoring:
    """Return what one look shows. Never raises for what the data holds.

    Parameters
    ----------
    cells
        One look, from ``read_cells``.
    plan
        Its plan.
    """
    split = split_of(cells, plan)
    if cells.problem is not None:
        return Monitoring(
            cells.until,
            Finding.UNKNOWN,
            f"Unknown: {cells.problem}.",
            (),
            (),
            split,
            enough=False,
            decided="",
            notes=cells.reading.sentences,
        )
    overall = overall_harm(cells, plan)
    segments = segment_harm(cells, plan)
    harms = [e for e in (*overall, *segments) if e.finding is Finding.HARMFUL]
    enough = has_enough(cells, plan)
    finding = combine([e.finding for e in overall])
    if harms:
        finding = Finding.HARMFUL
    elif split.alarm or not enough:
        finding = Finding.UNKNOWN
    return Monitoring(
        cells.until,
        finding,
        _sentence(cells, plan, finding, harms, split, enough=enough),
        overall,
        segments,
        split,
        enough,
        "harm is shown" if harms else _decided(overall, plan) if enough and not split.mismatch else "",
        cells.reading.sentences,
    )


def has_enough(cells: Cells, plan: MeasurementPlan) -> bool:
    """Return whether the minimum of units and of time is there."""
    return cells.smallest_treatment_units >= plan.minimum_units and not _too_soon(cells, plan)


def _too_soon(cells: Cells, plan: MeasurementPlan) -> bool:
    return plan.minimum_end is not None and cells.until < plan.minimum_end


def overall_harm(cells: Cells, plan: MeasurementPlan) -> tuple[Effect, ...]:
    """Return every metric in every treatment, with harm by e-values at α over the number of tests."""
    level = plan.overall_alpha / max(plan.overall_tests, 1)
    threshold = -math.log(level)
    found = []
    for comparison in _comparisons(cells, plan, 0):
        log_e = comparison.log_e_harm(level)
        test = HarmTest(log_e, threshold, log_e >= threshold, level, level)
        alpha = plan.decision_alpha(comparison.planned, anytime=True)
        found.append(effect_of(comparison, cells.segments[0], alpha=alpha, anytime=True, test=test))
    return tuple(found)


def segment_harm(cells: Cells, plan: MeasurementPlan) -> tuple[Effect, ...]:
    """Return every metric in every treatment and segment, with harm by e-BH over all of them."""
    members = [
        (segment, comparison)
        for g, segment in enumerate(cells.segments)
        if not segment.is_all
        for comparison in _comparisons(cells, plan, g)
    ]
    if not members:
        return ()
    level = plan.segment_alpha / len(members)
    logs = np.array([comparison.log_e_harm(level) for _, comparison in members])
    rejected = e_benjamini_hochberg(logs, plan.segment_alpha)
    # What e-BH rejects, it rejects at its share of the level: k of G tests at k·α/G each.
    shared = plan.segment_alpha * max(int(rejected.sum()), 1) / len(members)
    return tuple(
        effect_of(
            comparison,
            segment,
            alpha=plan.decision_alpha(comparison.planned, anytime=True),
            anytime=True,
            test=HarmTest(float(logs[i]), -math.log(level), bool(rejected[i]), shared, level),
        )
        for i, (segment, comparison) in enumerate(members)
    )


def _comparisons(cells: Cells, plan: MeasurementPlan, segment: int) -> list[Comparison]:
    return [
        compare(cells, plan, planned, arm, segment)
        for arm in range(1, len(plan.arms))
        for planned in plan.metrics
    ]


def _decided(effects: tuple[Effect, ...], plan: MeasurementPlan) -> str:
    """Return what is decided in every treatment, in words; the review widens all of them or none."""
    by_arm = [[e for e in effects if e.arm == arm] for arm in plan.treatments]
    if all(e.finding is Finding.HARMLESS for found in by_arm for e in found):
        return "everything is shown"
    if all(
        e.conclusion is Conclusion.NO_BENEFIT for found in by_arm for e in found if e.role is Role.PRIMARY
    ):
        return "no benefit worth having is left possible"
    return ""


def split_of(cells: Cells, plan: MeasurementPlan) -> SplitFinding:
    """Return the sequential sample ratio check: its e-value against 1/α."""
    threshold = 1.0 / SRM_ALPHA
    shares = {arm: share for arm, share in plan.phase.shares.items() if share > 0} if plan.phase else {}
    seen = {arm: units for arm, units in cells.totals.items() if arm in shares}
    if sum(seen.values()) == 0 or len(seen) < 2:
        return SplitFinding(Finding.UNKNOWN, "Split: no units to compare.", 1.0, threshold, 1.0, {}, {})
    planned = plan.planned_units or plan.minimum_units
    prior = LARGE if planned >= LARGE_SAMPLE else SMALL
    asked = np.array([shares[arm] for arm in seen])
    log_e = float(log_e_split(list(seen.values()), asked / asked.sum(), prior))
    e_value = math.exp(min(log_e, 700.0))
    test = srm_test(seen, {arm: shares[arm] for arm in seen})
    p = 1.0 if test.p is None else test.p  # too few to test: nothing speaks against the split
    figures = ", ".join(
        f"{units:,.0f} units where {test.expected[arm]:,.0f} were expected" for arm, units in seen.items()
    )
    if e_value >= threshold:
        finding = Finding.UNKNOWN
        sentence = f"Split: not the one asked for ({figures}); no effect can be believed."
    else:
        finding, sentence = Finding.HARMLESS, f"Split: as asked ({figures})."
    return SplitFinding(finding, sentence, e_value, threshold, p, test.observed, test.expected)


def _sentence(
    cells: Cells,
    plan: MeasurementPlan,
    finding: Finding,
    harms: list[Effect],
    split: SplitFinding,
    *,
    enough: bool,
) -> str:
    if harms:
        more = f" {len(harms) - 1} more shown harmful." if len(harms) > 1 else ""
        doubt = f" {split.sentence}" if split.alarm else ""
        return f"Harm: {harms[0].sentence}{more}{doubt}"
    if split.alarm:
        return split.sentence
    sample = f"{sum(cells.totals.values()):,} units measured"
    if not enough:
        duration = "not reached" if _too_soon(cells, plan) else "reached"
        return (
            f"Unknown: too early; {sample}, {cells.smallest_treatment_units:,} of at least "
            f"{plan.minimum_units:,} in the smallest treatment, minimum duration {duration}."
        )
    if finding is Finding.HARMLESS:
        return f"No harm: {sample}, every metric is shown to stay within its margin."
    return f"No harm shown, and not yet shown harmless: {sample}."
