"""The monitor: harm at a look, enough and decided, the split, and what people read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.measurement.conftest import NOW, START

from belay.cells.cells import Cells
from belay.cells.plan import MeasurementPlan, Phase
from belay.measurement.effects import Conclusion
from belay.measurement.findings import Finding, combine
from belay.measurement.monitor import monitor

Plans = Callable[..., MeasurementPlan]
Draw = Callable[..., Cells]


def test_harm_is_named_with_its_figures(make_plan: Plans, make_cells: Draw) -> None:
    plan = make_plan(segments=("device",))
    watched = monitor(make_cells(plan, {"conversion": -0.3}), plan)
    assert watched.finding is Finding.HARMFUL
    assert watched.decided
    harm = watched.harms[0]
    assert (harm.metric, harm.arm, harm.segment.is_all) == ("conversion", "b", True)
    assert harm.e_value > harm.e_threshold == pytest.approx(4 / 0.025)
    assert watched.harm_sentence == watched.sentence
    assert watched.sentence.startswith("Harm: Conversion: ")
    assert "% with b against" in watched.sentence
    assert "shown worse than control" in watched.sentence


@pytest.mark.parametrize(("metric", "lift"), [("revenue", -0.4), ("tickets", 2.0), ("errors", 0.5)])
def test_every_kind_of_guardrail_can_fire(
    make_plan: Plans, make_cells: Draw, metric: str, lift: float
) -> None:
    plan = make_plan(segments=())
    watched = monitor(make_cells(plan, {metric: lift}, units=3000), plan)
    assert [harm.metric for harm in watched.harms] == [metric]


def test_a_good_change_is_not_harmful(make_plan: Plans, make_cells: Draw) -> None:
    plan = make_plan(segments=("device",))
    lift = {"conversion": 0.3, "revenue": 0.3, "tickets": -0.5, "errors": -0.3}
    watched = monitor(make_cells(plan, lift, units=8000), plan)
    assert watched.finding is Finding.HARMLESS
    assert watched.decided
    assert watched.sentence.startswith("No harm: ")
    assert {effect.conclusion for effect in watched.effects} == {Conclusion.SUPERIOR}


def test_worse_within_the_margin_is_tolerated(make_plan: Plans, make_cells: Draw) -> None:
    plan = make_plan(segments=())
    wide = replace(plan, metrics=(plan.metrics[0], replace(plan.metrics[1], margin=0.5), *plan.metrics[2:]))
    cells = make_cells(plan, {"revenue": -0.25}, units=4000)
    assert monitor(cells, plan).finding is Finding.HARMFUL
    revenue = monitor(cells, wide).effects[1]
    assert revenue.e_value > revenue.e_threshold
    assert (revenue.finding, revenue.conclusion) == (Finding.HARMLESS, Conclusion.NON_INFERIOR)
    assert "shown to stay within its margin of −50.0 %" in revenue.sentence


def test_harm_in_one_segment_is_found_there(make_plan: Plans, make_cells: Draw) -> None:
    plan = make_plan(segments=("device",))
    watched = monitor(make_cells(plan, {"conversion": -0.6}, only="desktop", units=3000), plan)
    assert {str(harm.segment) for harm in watched.harms if not harm.segment.is_all} == {"device = desktop"}
    assert any("Conversion (device = desktop)" in harm.sentence for harm in watched.harms)


def test_nothing_is_decided_before_the_minimum(make_plan: Plans, make_cells: Draw) -> None:
    plan = make_plan(segments=(), minimum_units=10**6)
    lift = {"conversion": 0.3, "revenue": 0.3, "tickets": -0.5, "errors": -0.3}
    watched = monitor(make_cells(plan, lift, units=8000), plan)
    assert (watched.finding, watched.decided, watched.enough) == (Finding.UNKNOWN, "", False)
    assert "of at least 1,000,000 in the smallest treatment, minimum duration reached" in watched.sentence
    early = make_plan(segments=(), minimum_end=NOW + timedelta(days=1))
    assert "minimum duration not reached" in monitor(make_cells(early, lift), early).sentence


def test_harm_needs_no_minimum(make_plan: Plans, make_cells: Draw) -> None:
    plan = make_plan(segments=(), minimum_units=10**6)
    assert monitor(make_cells(plan, {"conversion": -0.5}), plan).finding is Finding.HARMFUL


def test_a_hopeless_change_is_decided(make_plan: Plans, make_cells: Draw) -> None:
    plan = make_plan(segments=())
    hopeful = replace(plan, metrics=(replace(plan.metrics[0], minimum_effect=0.5), *plan.metrics[1:]))
    watched = monitor(make_cells(plan, units=6000), hopeful)
    assert watched.decided
    assert watched.effects[0].conclusion is Conclusion.NO_BENEFIT
    assert "no benefit of +50.0 % or more is left possible" in watched.effects[0].sentence


def test_a_treatment_that_stops_everything_is_not_silenced(make_plan: Plans, make_cells: Draw) -> None:
    plan = make_plan(
        segments=(), phase=Phase(0, START, 100, {"control": 0.99, "b": 0.01}), planned_units=60_000
    )
    cells = make_cells(plan, {"conversion": -1.0}, units=10_000)
    watched = monitor(cells, plan)
    assert watched.effects[0].events_treatment == 0
    assert watched.finding is Finding.HARMFUL


def test_too_few_events_say_so(make_plan: Plans, make_cells: Draw) -> None:
    plan = make_plan(segments=())
    watched = monitor(make_cells(plan, units=20), plan)
    assert "too few events" in watched.effects[0].sentence
    assert watched.effects[0].e_value == 1.0


def test_a_broken_split_makes_everything_unknown(make_plan: Plans, make_cells: Draw) -> None:
    asked = make_plan(segments=())
    given = make_plan(segments=(), phase=Phase(0, START, 5000, {"control": 0.45, "b": 0.55}))
    lift = {"conversion": 0.3, "revenue": 0.3, "tickets": -0.5, "errors": -0.3}
    watched = monitor(make_cells(given, lift, units=8000), asked)
    assert watched.split.alarm
    assert (watched.finding, watched.decided) == (Finding.UNKNOWN, "")
    assert watched.sentence.startswith("Split: not the one asked for (")


def test_findings_combine_to_the_worst_and_never_to_harmless_by_default() -> None:
    harmless, harmful, unknown = Finding.HARMLESS, Finding.HARMFUL, Finding.UNKNOWN
    assert combine([harmless, unknown, harmful]) is harmful
    assert combine([harmless, unknown]) is unknown
    assert combine([harmless]) is harmless
    assert combine([]) is unknown
