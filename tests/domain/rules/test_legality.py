"""A history that could not have been decided is named: each rule of legality, at its limit (I12)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.builders import GATE, Rehearsal, a_policy

from belay.domain import commands as c
from belay.domain import events as e
from belay.domain.evolve import Draft
from belay.domain.oversight import Oversight
from belay.domain.recorded import Recorded
from belay.domain.rules.legality import Legality
from belay.domain.scope import HoldbackRule
from belay.domain.stages import Stage
from belay.domain.state import State


def problem(state: State, r: Rehearsal, event: e.Event) -> str:
    return Legality().problem(Draft(state), Recorded(state.seq + 1, r.now, GATE, event))


@pytest.mark.parametrize(("ahead", "legal"), [(0, False), (1, True), (2, False)])
def test_a_turn_of_the_hold_back_has_the_next_epoch(ahead: int, *, legal: bool) -> None:
    r = Rehearsal(a_policy(holdback=HoldbackRule(200, 7200, 3600))).proposed()
    r.widened(steps=4)
    event = e.HoldbackIntended("opt-1", 200, 1, r.optimization().epoch + ahead, "others' turn")
    assert (problem(r.state, r, event) == "") is legal


@pytest.mark.parametrize(("ahead", "legal"), [(0, False), (1, True), (2, True)])
def test_a_narrowing_has_a_later_epoch(ahead: int, *, legal: bool) -> None:
    r = Rehearsal().proposed()
    r.widened()
    event = e.NarrowingIntended("opt-1", 100, 0, r.optimization().epoch + ahead, "harm", "it hurts")
    assert (problem(r.state, r, event) == "") is legal
    wider = replace(event, to_scope=101, epoch=9)
    assert "it narrows to" in problem(r.state, r, wider)
    assert problem(r.state, r, replace(wider, to_scope=100)) == ""


def promoted(to_stage: Stage, ceiling: Stage) -> str:
    """Return what is wrong with using a grant, from suggest, for ``to_stage`` under a ceiling."""
    r = Rehearsal(a_policy(initial_stage=Stage.SUGGEST)).adopt()
    r.promotion_granted(Stage.SUPERVISED)
    known = r.state.capabilities["wording"]
    assert known.grant is not None
    changed = replace(known, ceiling=ceiling, grant=replace(known.grant, to_stage=to_stage))
    event = e.StagePromoted("wording", Stage.SUGGEST, to_stage, "earned", grant=known.grant.id)
    return problem(replace(r.state, capabilities={"wording": changed}), r, event)


@pytest.mark.parametrize(
    ("to_stage", "ceiling", "legal"),
    [
        (Stage.SUPERVISED, Stage.SUPERVISED, True),
        (Stage.SUPERVISED, Stage.SUGGEST, False),
        (Stage.BOUNDED, Stage.AUTONOMOUS, False),
        (Stage.SUGGEST, Stage.AUTONOMOUS, False),
        (Stage.OBSERVE, Stage.AUTONOMOUS, False),
    ],
)
def test_a_promotion_is_one_stage_and_within_the_ceiling(
    to_stage: Stage, ceiling: Stage, *, legal: bool
) -> None:
    assert (promoted(to_stage, ceiling) == "") is legal


def test_a_question_is_about_the_step_under_way_and_asks_for_enough() -> None:
    r = Rehearsal(a_policy(initial_stage=Stage.SUGGEST)).proposed()
    r.reviewed()
    before = r.state
    r.asked()
    asked = [entry.event for entry in r.history if isinstance(entry.event, e.OversightRequested)]
    event = replace(asked[-1], step=1)
    assert problem(before, r, event) == ""
    assert "no step 2" in problem(before, r, replace(event, step=2))
    assert "goes" in problem(before, r, replace(event, to_scope=500))
    assert "less oversight" in problem(before, r, replace(event, oversight=Oversight.NOTICE))
    assert "of their own" in problem(before, r, replace(event, conflicted=()))


@pytest.mark.parametrize("oversight", list(Oversight))
def test_a_question_about_a_promotion_takes_approval_and_its_gates(oversight: Oversight) -> None:
    r = Rehearsal(a_policy(initial_stage=Stage.SUGGEST)).adopt()
    run = r.promotion_reviewed(Stage.SUPERVISED)
    before = r.state
    (event,) = r.do(c.RequestPromotion("wording", run, r.policy))
    assert isinstance(event, e.OversightRequested)
    legal = problem(before, r, replace(event, oversight=oversight)) == ""
    assert legal is (oversight is Oversight.APPROVE)
    assert "other stages" in problem(before, r, replace(event, to_stage=Stage.BOUNDED))
    known = before.capabilities["wording"]
    without = replace(before, capabilities={"wording": replace(known, promotion=None)})
    assert "have not passed" in problem(without, r, event)
