"""The decision at the pre-registered end: what was shown, about every metric, treatment and segment.

At the planned end an ordinary one-sided test is used once. Before it, and in a window that was
extended beyond it, the confidence sequence is used instead, by itself: it is the rule that keeps its
error rate at any look. The two share each test's α (see ``plan.spend``). Every guardrail is tested at
α without correction, since all must pass (intersection-union; Schultzberg, Ankargren, Frånberg 2024,
arXiv 2402.11609).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from belay.cells.cells import Cells
from belay.cells.documents import to_plain
from belay.cells.plan import MeasurementPlan, Role
from belay.measurement.compare import Comparison, compare
from belay.measurement.effects import Conclusion, Effect, HarmTest, effect_of
from belay.measurement.findings import Finding
from belay.measurement.monitor import SplitFinding, has_enough, segment_harm, split_of
from belay.measurement.patterns import Novelty, Point, Reversal, novelty, over_time, reversals
from belay.measurement.words import names


class Basis(StrEnum):
    """Which rule the intervals come from."""

    PLANNED = "planned end: fixed-horizon test, used once"
    EARLY = "before the planned end: confidence sequence"
    EXTENDED = "after the planned end: confidence sequence"

    @property
    def anytime(self) -> bool:
        """Whether the rule is valid at every look."""
        return self is not Basis.PLANNED


@dataclass(frozen=True, slots=True)
class ArmFindings:
    """Everything about one treatment together: may it widen?"""

    arm: str
    finding: Finding
    sentence: str
    primary: Effect
    guardrails: tuple[Effect, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """What the measurement found.

    Attributes
    ----------
    until : datetime
        Moment of the look (data time).
    basis : Basis
        Which rule the intervals come from.
    finding : Finding
        The best treatment's: harmless when its primary and all its guardrails are shown; harmful when
        any treatment or segment is shown harmful; else unknown.
    sentence : str
        The same for people.
    arms : tuple[ArmFindings, ...]
        Every treatment, in the plan's order.
    segments : tuple[Effect, ...]
        Every metric in every treatment and segment; harm with multiplicity control (e-BH).
    novelty : tuple[Novelty, ...]
        Whether the primary effect drifts or differs between exposure days. Reported, never gated on.
    reversals : tuple[Reversal, ...]
        Where pooled and stratified figures, or the whole and all its parts, disagree in sign.
    timeline : Mapping[str, tuple[Point, ...]]
        Per treatment and metric: effect and 95 % confidence sequence up to each exposure day.
    split : SplitFinding
        The sample ratio check.
    planned_units : int | None
        Units that were planned, for the reader.
    notes : tuple[str, ...]
        What the reading left out, in words.
    """

    until: datetime
    basis: Basis
    finding: Finding
    sentence: str
    arms: tuple[ArmFindings, ...]
    segments: tuple[Effect, ...]
    novelty: tuple[Novelty, ...]
    reversals: tuple[Reversal, ...]
    timeline: tuple[Point, ...]
    split: SplitFinding
    planned_units: int | None
    notes: tuple[str, ...]

    @property
    def effects(self) -> tuple[Effect, ...]:
        """Every metric in every treatment over all units, the primary first."""
        return tuple(e for arm in self.arms for e in (arm.primary, *arm.guardrails))

    @property
    def best(self) -> ArmFindings | None:
        """The treatment to widen: harmless with the largest primary effect; else the least bad."""
        order = {Finding.HARMLESS: 0, Finding.UNKNOWN: 1, Finding.HARMFUL: 2}

        def key(found: ArmFindings) -> tuple[int, float]:
            effect = found.primary.effect if found.primary.direction == "increase" else -found.primary.effect
            return order[found.finding], -effect if math.isfinite(effect) else math.inf

        return min(self.arms, key=key, default=None)

    @property
    def caution(self) -> bool:
        """Whether harm is shown so far, and none of it is shown to last."""
        harms = [e for e in (*self.effects, *self.segments) if e.finding is Finding.HARMFUL]
        return bool(harms) and not any(e.lasting for e in harms)

    @property
    def no_benefit(self) -> bool:
        """Whether every treatment's primary metric is shown to lack a benefit worth having."""
        return bool(self.arms) and all(a.primary.conclusion is Conclusion.NO_BENEFIT for a in self.arms)

    def to_document(self) -> dict[str, Any]:
        """Return the findings as plain data."""
        document: dict[str, Any] = to_plain(self)
        return document


def basis_of(until: datetime, plan: MeasurementPlan, *, extended: bool = False) -> Basis:
    """Return the rule that applies at ``until``: the fixed-horizon test at the planned end, there only."""
    if extended:
        return Basis.EXTENDED
    if plan.planned_end is None or until < plan.planned_end:
        return Basis.EARLY
    return Basis.PLANNED if until <= plan.planned_end + plan.grace else Basis.EXTENDED


def decide_effects(cells: Cells, plan: MeasurementPlan, *, extended: bool = False) -> Findings:
    """Return what the look shows about every metric, treatment and segment. Never raises for its data.

    Parameters
    ----------
    cells
        One look; read it ``until`` the planned end for the pre-registered test.
    plan
        Its plan.
    extended
        The planned look was taken before this one, whatever the time: only the confidence sequence
        keeps its error rate now. A look after the planned end is treated so by itself.
    """
    basis = basis_of(cells.until, plan, extended=extended)
    split = split_of(cells, plan)
    if cells.problem is not None:
        return Findings(
            cells.until,
            basis,
            Finding.UNKNOWN,
            f"Unknown: {cells.problem}.",
            (),
            (),
            (),
            (),
            (),
            split,
            plan.planned_units,
            cells.reading.sentences,
        )
    segments = segment_harm(cells, plan)
    enough = has_enough(cells, plan)
    arms = tuple(
        _arm(cells, plan, arm, basis, segments, mismatch=split.mismatch, enough=enough)
        for arm in range(1, len(plan.arms))
    )
    finding = _together(arms)
    return Findings(
        cells.until,
        basis,
        finding,
        " ".join(arm.sentence for arm in arms),
        arms,
        segments,
        novelty(cells, plan),
        reversals(cells, plan),
        over_time(cells, plan),
        split,
        plan.planned_units,
        cells.reading.sentences,
    )


def _together(arms: Sequence[ArmFindings]) -> Finding:
    values = {arm.finding for arm in arms}
    if Finding.HARMFUL in values:
        return Finding.HARMFUL
    return Finding.HARMLESS if Finding.HARMLESS in values else Finding.UNKNOWN


def _arm(
    cells: Cells,
    plan: MeasurementPlan,
    arm: int,
    basis: Basis,
    segments: tuple[Effect, ...],
    *,
    mismatch: bool,
    enough: bool,
) -> ArmFindings:
    effects = [_effect(compare(cells, plan, planned, arm), cells, plan, basis) for planned in plan.metrics]
    name = plan.arms[arm]
    harms = [e for e in (*effects, *(s for s in segments if s.arm == name)) if e.finding is Finding.HARMFUL]
    open_ = [e for e in effects if e.finding is Finding.UNKNOWN]
    if harms:
        where = names([e.title if e.segment.is_all else f"{e.title} ({e.segment})" for e in harms])
        finding, said = Finding.HARMFUL, f"{name} does harm: {where}"
    elif mismatch:
        finding, said = Finding.UNKNOWN, f"{name}: unknown, because the split is not the one asked for"
    elif not enough:
        finding, said = Finding.UNKNOWN, f"{name}: too early, the minimum of units or time is not reached"
    elif open_:
        finding, said = Finding.UNKNOWN, f"{name}: not shown for {names([e.title for e in open_])}"
    else:
        finding, said = Finding.HARMLESS, f"{name}: primary and every guardrail shown"
    primary = next(e for e in effects if e.role is Role.PRIMARY)
    guardrails = tuple(e for e in effects if e.role is Role.GUARDRAIL)
    return ArmFindings(name, finding, f"{said}.", primary, guardrails)


def _effect(comparison: Comparison, cells: Cells, plan: MeasurementPlan, basis: Basis) -> Effect:
    level = plan.overall_alpha / max(plan.overall_tests, 1)
    log_e = comparison.log_e_harm(level)
    anytime = basis.anytime or log_e >= -math.log(level)
    significant = log_e >= -math.log(level)
    if not anytime:
        significant = comparison.good(comparison.bounds(level, anytime=False))[1] < 0
    return effect_of(
        comparison,
        cells.segments[0],
        alpha=plan.decision_alpha(comparison.planned, anytime=basis.anytime),
        anytime=basis.anytime,
        test=HarmTest(log_e, -math.log(level), significant, level, level, anytime),
    )
