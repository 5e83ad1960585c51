"""The decision: which rule applies when, what is shown, and the patterns reported beside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from tests.measurement.conftest import NOW, START

from belay.cells.cells import Cells, Segment
from belay.cells.plan import MeasurementPlan, Phase
from belay.domain.metrics import PrimaryRule
from belay.measurement.decision import Basis, basis_of, decide_effects
from belay.measurement.effects import Conclusion
from belay.measurement.findings import Finding

Plans = Callable[..., MeasurementPlan]
Draw = Callable[..., Cells]
GOOD = {"conversion": 0.2, "revenue": 0.1, "tickets": -0.3, "errors": -0.1}


def test_the_fixed_horizon_test_is_used_at_the_planned_end_only(make_plan: Plans) -> None:
    plan = make_plan()
    assert basis_of(NOW - timedelta(hours=1), plan) is Basis.EARLY
    assert basis_of(NOW, plan) is Basis.PLANNED
    assert basis_of(NOW + plan.grace, plan) is Basis.PLANNED
    assert basis_of(NOW + 2 * plan.grace, plan) is Basis.EXTENDED
    assert basis_of(NOW, plan, extended=True) is Basis.EXTENDED
    assert basis_of(NOW, make_plan(planned_end=None)) is Basis.EARLY


def test_a_good_change_is_shown(make_plan: Plans, make_cells: Draw) -> None:
    plan = make_plan(segments=("device",))
    found = decide_effects(make_cells(plan, GOOD, units=4000), plan)
    assert (found.basis, found.finding) == (Basis.PLANNED, Finding.HARMLESS)
    assert found.sentence == "b: primary and every guardrail shown."
    assert found.best is not None
    assert found.best.primary.conclusion is Conclusion.SUPERIOR
    assert not found.best.primary.anytime
    assert "(92 % interval +" in found.best.primary.sentence
    json.dumps(found.to_document(), allow_nan=False)


def test_an_extended_window_pays_for_its_extra_look(make_plan: Plans, make_cells: Draw) -> None:
    plan = make_plan(segments=())
    cells = make_cells(plan, GOOD, units=3000)
    planned = decide_effects(cells, plan)
    later = decide_effects(replace(cells, until=NOW + timedelta(days=2)), plan)
    early = decide_effects(replace(cells, until=NOW - timedelta(days=2)), plan)
    for other in (later, early):
        assert other.basis.anytime
        for ours, theirs in zip(planned.effects, other.effects, strict=True):
            assert theirs.low < ours.low < ours.high < theirs.high


def test_one_guardrail_that_is_not_shown_holds_everything(make_plan: Plans, make_cells: Draw) -> None:
    plan = make_plan(segments=())
    narrow = replace(plan, metrics=(*plan.metrics[:3], replace(plan.metrics[3], margin=0.0001)))
    found = decide_effects(make_cells(plan, GOOD | {"errors": 0.0}, units=4000), narrow)
    assert found.finding is Finding.UNKNOWN
    assert found.sentence == "b: not shown for Errors."


def test_a_primary_may_be_asked_to_be_non_inferior_only(make_plan: Plans, make_cells: Draw) -> None:
    plan = make_plan(segments=())
    cells = make_cells(
        plan, {"conversion": -0.01, "revenue": 0.1, "tickets": -0.3, "errors": -0.1}, units=6000
    )
    assert decide_effects(cells, plan).finding is Finding.UNKNOWN
    primary = replace(plan.metrics[0], rule=PrimaryRule.NON_INFERIOR, margin=0.1)
    found = decide_effects(cells, replace(plan, metrics=(primary, *plan.metrics[1:])))
    assert found.finding is Finding.HARMLESS
    assert found.effects[0].conclusion is Conclusion.NON_INFERIOR
    assert not found.no_benefit


def test_no_benefit_worth_having_is_a_result(make_plan: Plans, make_cells: Draw) -> None:
    plan = make_plan(segments=())
    hopeful = replace(plan, metrics=(replace(plan.metrics[0], minimum_effect=0.2), *plan.metrics[1:]))
    found = decide_effects(make_cells(plan, {"tickets": -0.3}, units=6000), hopeful)
    assert (found.finding, found.no_benefit) == (Finding.UNKNOWN, True)


@pytest.mark.parametrize("only", [None, "desktop"])
def test_harm_overall_or_in_a_segment_is_harm(make_plan: Plans, make_cells: Draw, only: str | None) -> None:
    plan = make_plan(segments=("device",))
    found = decide_effects(make_cells(plan, {"conversion": -0.6}, only=only, units=3000), plan)
    assert found.finding is Finding.HARMFUL
    assert found.sentence.startswith("b does harm: Conversion")
    assert ("device = desktop" in found.sentence) or only is None


def test_of_two_treatments_the_better_one_is_named(make_plan: Plans, make_cells: Draw) -> None:
    thirds = {"control": 1 / 3, "b": 1 / 3, "c": 1 / 3}
    plan = make_plan(
        arms=("control", "b", "c"),
        segments=(),
        phase=Phase(0, START, 6667, thirds),
        primary_alpha=0.025,
    )
    cells = make_cells(plan, GOOD, units=6000)
    better = cells.metrics["conversion"].mean.copy()
    better[:, :, 2] *= 1.1
    conversion = replace(cells.metrics["conversion"], mean=better)
    found = decide_effects(replace(cells, metrics=cells.metrics | {"conversion": conversion}), plan)
    assert [arm.arm for arm in found.arms] == ["b", "c"]
    assert found.best is not None
    assert (found.finding, found.best.arm) == (Finding.HARMLESS, "c")
    assert found.best.primary.alpha == pytest.approx(0.02)


def test_too_little_data_is_unknown_in_words(make_plan: Plans, make_cells: Draw) -> None:
    plan = make_plan(segments=())
    found = decide_effects(make_cells(plan, GOOD, units=20), plan)
    assert found.finding is Finding.UNKNOWN
    assert found.sentence == "b: too early, the minimum of units or time is not reached."


def test_a_split_that_is_off_at_the_end_is_unknown(make_plan: Plans, make_cells: Draw) -> None:
    given = make_plan(segments=(), phase=Phase(0, START, 5000, {"control": 0.48, "b": 0.52}))
    plan = make_plan(segments=())
    found = decide_effects(make_cells(given, GOOD, units=4000), plan)
    assert found.finding is Finding.UNKNOWN
    assert found.sentence == "b: unknown, because the split is not the one asked for."


def test_a_fading_effect_is_reported_as_novelty(make_plan: Plans, make_cells: Draw) -> None:
    plan = make_plan(segments=())
    steady = decide_effects(make_cells(plan, {"conversion": 0.3}, units=4000, days=10, seed=3), plan).novelty[
        0
    ]
    fading = decide_effects(
        make_cells(plan, {"conversion": 0.6}, units=4000, days=10, fade=0.4), plan
    ).novelty[0]
    assert not steady.noticeable
    assert fading.noticeable
    assert "the effect shrinks from exposure day to exposure day" in fading.sentence
    short = decide_effects(make_cells(plan, days=2), plan).novelty[0]
    assert short.drift is None
    assert "fewer than 3 exposure days" in short.sentence


def test_a_reversal_between_days_is_reported(make_plan: Plans, make_cells: Draw) -> None:
    plan = make_plan(segments=())
    cells = make_cells(plan, {"conversion": 0.15}, units=4000, days=2)
    tilt = np.array([[0.2, 1.8], [1.8, 0.2]])  # few treated on the good day, many on the bad one
    units = cells.units * tilt[None]
    conversion = cells.metrics["conversion"]
    level = np.array([3.0, 1.0])[None, :, None, None]
    moved = replace(
        conversion,
        mean=conversion.mean * level,
        scatter=conversion.scatter * tilt[None, :, :, None, None] * level[..., None],
        events=conversion.events * tilt[None] * level[..., 0],
    )
    swapped = units[:, :, ::-1]  # treatment gets the day with the low base rate
    found = decide_effects(replace(cells, units=swapped, metrics=cells.metrics | {"conversion": moved}), plan)
    reversal = next(r for r in found.reversals if r.metric == "conversion")
    assert reversal.column == "day"
    assert "pooled over days b looks −" in reversal.sentence


def test_a_reversal_between_segments_is_reported(make_plan: Plans, make_cells: Draw) -> None:
    plan = make_plan(segments=("device",))
    cells = make_cells(plan, {"conversion": -0.2}, units=4000)
    conversion = cells.metrics["conversion"]
    mean = conversion.mean.copy()
    mean[0, :, 1] *= 1.6  # the whole says better, each device says worse
    found = decide_effects(
        replace(cells, metrics=cells.metrics | {"conversion": replace(conversion, mean=mean)}), plan
    )
    reversal = next(r for r in found.reversals if r.column == "device")
    assert "the opposite in every device" in reversal.sentence


def test_the_timeline_ends_at_the_whole_effect(make_plan: Plans, make_cells: Draw) -> None:
    plan = make_plan(segments=())
    found = decide_effects(make_cells(plan, GOOD), plan)
    points = [p for p in found.timeline if p.metric == "conversion"]
    assert [p.day for p in points] == sorted(p.day for p in points)
    assert len(points) == 6
    assert points[-1].effect == pytest.approx(found.effects[0].effect)
    assert points[-1].low < found.effects[0].low
    assert points[0].high - points[0].low > points[-1].high - points[-1].low


def test_segments_are_judged_each_on_their_own(make_plan: Plans, make_cells: Draw) -> None:
    plan = make_plan(segments=("device",))
    found = decide_effects(make_cells(plan, GOOD), plan)
    assert {effect.segment for effect in found.segments} == {
        Segment("device", "desktop"),
        Segment("device", "phone"),
    }
    assert len(found.segments) == 2 * len(plan.metrics)
