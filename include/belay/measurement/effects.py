"""What one comparison shows, as a figure, a conclusion and a sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from belay.cells.cells import Segment
from belay.cells.documents import to_plain
from belay.cells.plan import Role
from belay.domain.figures import signed_percent
from belay.domain.metrics import Direction, PrimaryRule
from belay.measurement.compare import MAX_UNUSABLE, Comparison
from belay.measurement.dispersion import Dispersion
from belay.measurement.findings import Finding
from belay.measurement.words import amount, interval

NEARLY = 0.01
"""Relative difference of values stratified by day from raw ones from which the raw ones are told too."""


class Conclusion(StrEnum):
    """What the interval says about the effect."""

    SUPERIOR = "superior"
    NON_INFERIOR = "non_inferior"
    NO_BENEFIT = "no_benefit"
    """Even the best effect that fits the data is smaller than the one worth having."""
    WORSE = "worse"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval of a relative effect, each side at ``alpha``, and whether it is valid at every look."""

    low: float
    high: float
    alpha: float
    anytime: bool


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
    expected, so_far : Interval | None
        The interval of the effect to be expected (days are draws), and of the effect on those exposed so
        far. ``low`` and ``high`` are the one that the verdict used: so far where harm is shown, else
        expected.
    lasting : bool
        Whether harm is shown to be expected, and not only so far.
    dispersion : Dispersion | None
        How much the effects of exposure days scatter.
    raw_treatment, raw_control : float
        Values over all units; ``treatment`` and ``control`` weight days alike in both arms.
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
    expected: Interval | None = None
    so_far: Interval | None = None
    lasting: bool = False
    dispersion: Dispersion | None = None
    raw_treatment: float = math.nan
    raw_control: float = math.nan

    def to_document(self) -> dict[str, Any]:
        """Return the effect as plain data."""
        document: dict[str, Any] = to_plain(self)
        return document


@dataclass(frozen=True, slots=True)
class HarmTest:
    """What a test of harm so far found, and the bound that it used.

    Attributes
    ----------
    log_e, log_threshold : float
        Evidence of harm and what shows it, as logarithms.
    significant : bool
        Whether "no harm" is rejected, by a rule that accounts for all tests (``monitor``, ``decision``).
    alpha, tuned : float
        One-sided level at which it was rejected, and the one that the evidence is tuned for.
    anytime : bool
        Whether the evidence that is valid at every look showed it, or the test at the planned end.
    """

    log_e: float
    log_threshold: float
    significant: bool
    alpha: float
    tuned: float
    anytime: bool = True


def shows_harm(comparison: Comparison, *, significant: bool) -> bool:
    """Return whether harm is shown: significantly worse than control, by more than the margin tolerates."""
    effect = comparison.good_effect
    beyond = effect < -comparison.planned.margin if math.isfinite(effect) else not comparison.increase_is_good
    return significant and beyond


def effect_of(
    comparison: Comparison, segment: Segment, *, alpha: float, anytime: bool, test: HarmTest
) -> Effect:
    """Return what ``comparison`` shows.

    Harm is judged so far, on those exposed so far; everything else is judged as it is to be expected, with
    days as draws (see ``dispersion``). The interval of the verdict is the one that is told.

    Parameters
    ----------
    comparison, segment
        What was compared, and among whom.
    alpha
        One-sided error rate of the interval.
    anytime
        Whether the interval must be valid at every look.
    test
        What the test of harm found.
    """
    harmful = shows_harm(comparison, significant=test.significant)
    expected = Interval(*comparison.expected_bounds(alpha, anytime=anytime), alpha, anytime)
    so_far = Interval(*comparison.bounds(alpha, anytime=anytime), alpha, anytime)
    lasting = False
    if harmful:
        bounds = comparison.harm_bounds(test.alpha, anytime=test.anytime, tuned=test.tuned)
        so_far = Interval(*bounds, test.alpha, test.anytime)
        expected = _if_it_lasts(comparison, test)
        lasting = comparison.good((expected.low, expected.high))[1] < 0
    told = so_far if harmful else expected
    conclusion = _conclude(comparison, (told.low, told.high), harmful=harmful)
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
        sentence=_sentence(comparison, segment, told, conclusion, lasting=lasting, usable=usable),
        units_treatment=int(comparison.units[0]),
        units_control=int(comparison.units[1]),
        events_treatment=int(comparison.events[0]),
        events_control=int(comparison.events[1]),
        treatment=comparison.treatment,
        control=comparison.control,
        effect=comparison.effect,
        low=told.low,
        high=told.high,
        alpha=told.alpha,
        margin=planned.margin,
        minimum_effect=planned.minimum_effect,
        anytime=told.anytime,
        e_value=math.exp(min(test.log_e, 700.0)),
        e_threshold=math.exp(test.log_threshold),
        silent=comparison.why_silent,
        expected=expected,
        so_far=so_far,
        lasting=lasting,
        dispersion=comparison.dispersion,
        raw_treatment=comparison.raw[0],
        raw_control=comparison.raw[1],
    )


def _if_it_lasts(comparison: Comparison, test: HarmTest) -> Interval:
    """Return the expected interval that decides whether harm so far is to be expected on other days too.

    Asked once, when harm is shown at a level that holds at every look; so the interval of one look decides,
    at half that level and with as much dispersion as is assumed at any look.
    """
    level = test.alpha / 2
    return Interval(*comparison.expected_bounds(level, anytime=False, cautious=True), level, anytime=False)


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
    told: Interval,
    conclusion: Conclusion,
    *,
    lasting: bool,
    usable: bool,
) -> str:
    planned, metric = comparison.planned, comparison.planned.metric
    who = metric.title if segment.is_all else f"{metric.title} ({segment})"
    silent = comparison.why_silent
    worse = conclusion is Conclusion.WORSE
    if silent is not None and not worse:
        return f"{who}: unknown, because {silent}."
    limit = signed_percent(-planned.margin if comparison.increase_is_good else planned.margin)
    least = signed_percent(planned.minimum_effect)
    said = {
        Conclusion.WORSE: "shown worse than control",
        Conclusion.SUPERIOR: "shown better than control",
        Conclusion.NON_INFERIOR: f"shown to stay within its margin of {limit}",
        Conclusion.NO_BENEFIT: f"no benefit of {least} or more is left possible",
        Conclusion.INCONCLUSIVE: (
            f"not shown to stay within its margin of {limit}"
            if planned.rule is PrimaryRule.NON_INFERIOR
            else "not shown better than control"
        ),
    }[conclusion]
    share = 100 * comparison.unusable
    ending = "" if usable else f"; {share:.1f} % of its values are missing or broken, so it stays unknown"
    if worse and not lasting:
        ending += f"; not shown to last ({comparison.dispersion.sentence}), so it counts as caution"
    return f"{who}: {_rates(comparison)}, {_change(comparison, told, so_far=worse)}: {said}{ending}."


def _rates(comparison: Comparison) -> str:
    """Return both arms' values; where days were weighted, and it shows, the raw ones as well."""
    metric = comparison.planned.metric
    shown = [amount(value, metric) for value in (comparison.treatment, comparison.control)]
    raw = [amount(value, metric) for value in comparison.raw]
    told = f"{shown[0]} with {comparison.arm} against {shown[1]} in control"
    if shown == raw:
        return told
    pairs = zip(comparison.raw, (comparison.treatment, comparison.control), strict=True)
    alike = all(math.isclose(a, b, rel_tol=NEARLY) for a, b in pairs)
    return f"{told}, stratified by day{'' if alike else f' (raw {raw[0]} against {raw[1]})'}"


def _change(comparison: Comparison, told: Interval, *, so_far: bool) -> str:
    """Return the relative effect with the interval that the verdict used, and which effect it is of."""
    kind = "confidence sequence" if told.anytime else "interval"
    dispersion = comparison.dispersion
    days = f"{dispersion.days} {'day' if dispersion.days == 1 else 'days'}"
    which = f"so far, on {days}"
    if not so_far:
        which = "expected"
        if dispersion.factor(told.alpha, anytime=told.anytime) > 1 and dispersion.noticed:
            which += f"; daily effects scatter {dispersion.ratio:.1f} times chance over {days}"
    level = f"{100 * (1 - 2 * told.alpha):.3g} % {kind}"
    return f"{signed_percent(comparison.effect)} ({level} {interval(told.low, told.high)}, {which})"
