"""What one comparison shows, as a figure, a conclusion and a sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from belay.domain.metrics import Direction, PrimaryRule
from belay.measurement.cells import Segment
from belay.measurement.compare import MAX_UNUSABLE, Comparison
from belay.measurement.findings import Finding, to_plain
from belay.measurement.plan import Role
from belay.measurement.words import amount, interval, relative


class Conclusion(StrEnum):
    """What the interval says about the effect."""

    SUPERIOR = "superior"
    NON_INFERIOR = "non_inferior"
    NO_BENEFIT = "no_benefit"
    """Even the best effect that fits the data is smaller than the one worth having."""
    WORSE = "worse"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Effect:
    """One metric in one treatment and segment.

    Attributes
    ----------
    metric, title, unit : str
        What was measured, and the unit of ``control`` and ``treatment`` (scaled by ``scale`` for people).
    direction : Direction
        Which way is good.
    role : Role
        Primary or guardrail.
    rule : PrimaryRule
        What it must show.
    arm : str
        The treatment.
    segment : Segment
        Among which units.
    finding : Finding
        Harmless, harmful or unknown.
    conclusion : Conclusion
        The same in the words of the test.
    sentence : str
        The same for people.
    units_treatment, units_control, events_treatment, events_control : int
        Sample, and units whose value is not zero.
    treatment, control : float
        Values per unit.
    effect, low, high : float
        Relative effect and its interval, each side at ``alpha``.
    alpha : float
        One-sided error rate of the interval.
    margin, minimum_effect : float
        Relative, as in the plan.
    anytime : bool
        Whether the interval is a confidence sequence, valid at every look.
    e_value : float
        Evidence of harm; ``e_threshold`` shows it.
    e_threshold : float
        One over the error rate of this test.
    silent : str | None
        Why nothing can be said, in words; None when something can.
    """

    metric: str
    title: str
    unit: str
    direction: Direction
    role: Role
    rule: PrimaryRule
    arm: str
    segment: Segment
    finding: Finding
    conclusion: Conclusion
    sentence: str
    units_treatment: int
    units_control: int
    events_treatment: int
    events_control: int
    treatment: float
    control: float
    effect: float
    low: float
    high: float
    alpha: float
    margin: float
    minimum_effect: float
    anytime: bool
    e_value: float
    e_threshold: float
    silent: str | None = None

    def to_document(self) -> dict[str, Any]:
        """Return the effect as plain data."""
        document: dict[str, Any] = to_plain(self)
        return document


def shows_harm(comparison: Comparison, *, significant: bool) -> bool:
    """Return whether harm is shown: significantly worse than control, by more than the margin tolerates."""
    effect = comparison.good_effect
    beyond = effect < -comparison.planned.margin if math.isfinite(effect) else not comparison.increase_is_good
    return significant and beyond


def effect_of(
    comparison: Comparison,
    segment: Segment,
    *,
    alpha: float,
    anytime: bool,
    harmful: bool,
    log_e: float,
    log_threshold: float,
) -> Effect:
    """Return what ``comparison`` shows.

    Parameters
    ----------
    comparison, segment
        What was compared, and among whom.
    alpha
        One-sided error rate of the interval.
    anytime
        Whether the interval must be valid at every look.
    harmful
        Whether harm was shown, by a rule that accounts for all tests (see ``monitor`` and ``decision``).
    log_e, log_threshold
        Evidence of harm and what shows it, as logarithms.
    """
    bounds = comparison.bounds(alpha, anytime=anytime)
    conclusion = _conclude(comparison, bounds, harmful=harmful)
    usable = comparison.unusable <= MAX_UNUSABLE
    passes = conclusion is Conclusion.SUPERIOR or (
        conclusion is Conclusion.NON_INFERIOR and comparison.planned.rule is PrimaryRule.NON_INFERIOR
    )
    finding = Finding.HARMFUL if harmful else Finding.HARMLESS if passes and usable else Finding.UNKNOWN
    planned = comparison.planned
    return Effect(
        metric=planned.metric.id,
        title=planned.metric.title,
        unit=planned.metric.unit,
        direction=planned.metric.direction,
        role=planned.role,
        rule=planned.rule,
        arm=comparison.arm,
        segment=segment,
        finding=finding,
        conclusion=conclusion,
        sentence=_sentence(comparison, segment, bounds, conclusion, alpha, anytime=anytime, usable=usable),
        units_treatment=int(comparison.units[0]),
        units_control=int(comparison.units[1]),
        events_treatment=int(comparison.events[0]),
        events_control=int(comparison.events[1]),
        treatment=comparison.treatment,
        control=comparison.control,
        effect=comparison.effect,
        low=bounds[0],
        high=bounds[1],
        alpha=alpha,
        margin=planned.margin,
        minimum_effect=planned.minimum_effect,
        anytime=anytime,
        e_value=math.exp(min(log_e, 700.0)),
        e_threshold=math.exp(log_threshold),
        silent=comparison.why_silent,
    )


def _conclude(comparison: Comparison, bounds: tuple[float, float], *, harmful: bool) -> Conclusion:
    worst, best = comparison.good(bounds)
    if harmful:
        return Conclusion.WORSE
    if worst > 0:
        return Conclusion.SUPERIOR
    if comparison.planned.margin > 0 and worst > -comparison.planned.margin:
        return Conclusion.NON_INFERIOR
    if comparison.planned.rule is PrimaryRule.SUPERIOR and best < comparison.planned.minimum_effect:
        return Conclusion.NO_BENEFIT
    return Conclusion.INCONCLUSIVE


def _sentence(
    comparison: Comparison,
    segment: Segment,
    bounds: tuple[float, float],
    conclusion: Conclusion,
    alpha: float,
    *,
    anytime: bool,
    usable: bool,
) -> str:
    planned, metric = comparison.planned, comparison.planned.metric
    who = metric.title if segment.is_all else f"{metric.title} ({segment})"
    silent = comparison.why_silent
    if silent is not None and conclusion is not Conclusion.WORSE:
        return f"{who}: unknown, because {silent}."
    kind = "confidence sequence" if anytime else "interval"
    figures = (
        f"{who}: {amount(comparison.treatment, metric)} with {comparison.arm} against "
        f"{amount(comparison.control, metric)} in control, {relative(comparison.effect)} "
        f"({100 * (1 - 2 * alpha):.3g} % {kind} {interval(*bounds)})"
    )
    limit = relative(-planned.margin if comparison.increase_is_good else planned.margin)
    said = {
        Conclusion.WORSE: "shown worse than control",
        Conclusion.SUPERIOR: "shown better than control",
        Conclusion.NON_INFERIOR: f"shown to stay within its margin of {limit}",
        Conclusion.NO_BENEFIT: f"no benefit of {relative(planned.minimum_effect)} or more is left possible",
        Conclusion.INCONCLUSIVE: (
            f"not shown to stay within its margin of {limit}"
            if planned.rule is PrimaryRule.NON_INFERIOR
            else "not shown better than control"
        ),
    }[conclusion]
    ending = (
        ""
        if usable
        else f"; {100 * comparison.unusable:.1f} % of its values are missing or broken, so it stays unknown"
    )
    return f"{figures}: {said}{ending}."
