"""A stage is lost at once, by a rule with a name, and what stood on it narrows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.builders import EASY, GATE, NOW, Rehearsal, a_policy

from belay.domain import commands as c
from belay.domain.autonomy import DAY, DemotionRule
from belay.domain.events import NarrowingIntended, OptimizationEnded
from belay.domain.rules.due import Facts, due_demotions
from belay.domain.stages import DecisionClass, Stage

STRICT = replace(EASY, demotion=DemotionRule(harm_rate=0.05, within_seconds=30 * DAY, again_seconds=DAY))


def at(stage: Stage, **changes: object) -> Rehearsal:
    changes = {"autonomy": STRICT, "ceiling": Stage.AUTONOMOUS} | changes
    return Rehearsal(a_policy(initial_stage=stage, **changes))


def due(r: Rehearsal, **facts: str) -> list[tuple[str, str]]:
    found = due_demotions(r.state, r.policy, r.now, Facts(**facts))
    return [(demotion.rule, str(demotion.to_stage)) for demotion in found]


def harmed(r: Rehearsal, name: str) -> None:
    r.proposed(name)
    r.widened(name)
    r.do(c.RollBack(name, "harm", "page errors rose"))
    r.confirm(name)


@pytest.mark.parametrize(
    ("start", "steps", "stage", "left"),
    [
        # Bounded: the canary informed, 5 % by notice, 25 % approved by people.
        (Stage.BOUNDED, 1, Stage.SUPERVISED, 100),
        (Stage.BOUNDED, 2, Stage.SUPERVISED, 100),
        (Stage.BOUNDED, 3, Stage.SUPERVISED, 2500),
        (Stage.BOUNDED, 2, Stage.SUGGEST, 0),
        (Stage.BOUNDED, 3, Stage.SUGGEST, 2500),
        (Stage.BOUNDED, 3, Stage.OBSERVE, 0),
        # Autonomous: only beyond 5 % there is so much as a notice.
        (Stage.AUTONOMOUS, 3, Stage.BOUNDED, 500),
        (Stage.AUTONOMOUS, 3, Stage.SUPERVISED, 100),
        # Suggest: people approved every step.
        (Stage.SUGGEST, 2, Stage.OBSERVE, 0),
    ],
)
def test_what_is_live_keeps_what_the_lower_stage_permits_without_a_new_approval(start, steps, stage, left):
    r = at(start).proposed()
    r.widened(steps=steps)
    before = r.optimization().scope
    events = r.do(c.Demote("wording", stage, "harm-rate", "too much"))
    narrowings = [event for event in events if isinstance(event, NarrowingIntended)]
    assert [event.to_scope for event in narrowings] == ([] if left == before else [left])
    if narrowings:
        r.confirm()
    assert r.optimization().scope == left
    assert not any(isinstance(event, OptimizationEnded) for event in events), "it may climb again, approved"
    assert r.optimization().results.harmed_at is None, "a demotion says nothing about the change itself"


def test_a_widening_under_way_that_lost_its_right_is_turned_back() -> None:
    r = at(Stage.AUTONOMOUS).proposed()
    r.widened(steps=2)
    r.intended()
    assert r.optimization().pending.to_scope == 2500
    r.do(c.Demote("wording", Stage.BOUNDED, "lease", "lapsed"))
    assert (r.optimization().pending.to_scope, r.optimization().pending.widening) == (500, False)
    r.confirm()
    assert r.optimization().scope == 500


def test_what_people_always_approve_is_not_touched() -> None:
    r = at(Stage.BOUNDED).proposed(tags=("pricing",))
    r.widened(steps=3)
    r.do(c.Demote("wording", Stage.SUGGEST, "harm-rate", "too much"))
    assert (r.optimization().pending, r.optimization().scope) == (None, 2500)


def test_what_is_complete_counts_as_the_product() -> None:
    r = at(Stage.AUTONOMOUS).proposed()
    r.widened(steps=4)
    assert r.optimization().status == "completed"
    r.do(c.Demote("wording", Stage.SUGGEST, "lease", "lapsed"))
    assert r.optimization().scope == 10_000


def test_a_lapsed_lease_costs_a_stage_and_the_next_lease_runs() -> None:
    r = at(Stage.SUPERVISED).adopt()
    assert due(r) == []
    r.now = r.state.capabilities["wording"].lease_until
    assert due(r) == [("lease", "suggest")]
    (demotion,) = due_demotions(r.state, r.policy, r.now)
    assert "was not renewed" in demotion.reason
    r.do(demotion)
    assert due(r) == []
    assert r.state.capabilities["wording"].lease_until is None, "at suggest there is nothing to lease"


def test_harm_beyond_the_limit_is_shown_not_guessed_and_counted_once() -> None:
    r = at(Stage.SUPERVISED)
    harmed(r, "bad-1")
    assert due(r) == [("harm-rate", "suggest")]
    r.do(*due_demotions(r.state, r.policy, r.now))
    r.tick(60)
    assert due(r) == [], "the harm that cost a stage does not cost the next one"


def test_one_harm_among_many_is_not_beyond_the_limit() -> None:
    r = at(Stage.SUPERVISED, limits=replace(a_policy().limits, changes_per_day=100))
    for number in range(6):
        r.proposed(f"good-{number}")
        r.widened(f"good-{number}", steps=4)
    harmed(r, "bad")
    assert due(r) == []
    lenient = replace(r.policy, autonomy=replace(STRICT, demotion=replace(STRICT.demotion, harm_rate=0.001)))
    assert due_demotions(r.state, lenient, r.now)
    r.tick(31 * DAY)
    assert not due_demotions(r.state, lenient, r.now), "and it is forgotten after its time"


def test_a_cause_that_lasts_takes_the_next_stage_a_day_later() -> None:
    r = at(Stage.BOUNDED).adopt()
    fault = {"ledger_fault": "row 7 was changed"}
    assert due(r, **fault) == [("ledger", "supervised")]
    r.do(*due_demotions(r.state, r.policy, r.now, Facts(**fault)))
    assert due(r, **fault) == []
    r.tick(DAY)
    assert due(r, **fault) == [("ledger", "suggest")]


def test_two_causes_that_last_take_a_stage_each_and_not_one_in_turn() -> None:
    r = at(Stage.AUTONOMOUS).adopt()
    facts = {"ledger_fault": "row 7 was changed", "blind": "no data since yesterday"}
    for rule, stage in (("ledger", "bounded"), ("blind-guard", "supervised")):
        assert due(r, **facts) == [(rule, stage)]
        r.do(*due_demotions(r.state, r.policy, r.now, Facts(**facts)))
    assert due(r, **facts) == [], "each waits for `again` since it took one itself"
    r.tick(DAY)
    assert due(r, **facts) == [("ledger", "suggest")]


def test_a_blind_guard_and_saturated_supervision() -> None:
    r = at(Stage.SUPERVISED, limits=replace(a_policy().limits, max_open_requests=1)).proposed()
    assert due(r, blind="no data since yesterday") == [("blind-guard", "suggest")]
    r.asked()
    assert due(r) == [("saturated", "suggest")]
    below = at(Stage.SUGGEST).adopt()
    assert due(below, blind="no data since yesterday") == [], "nothing happens behind people's backs there"


def test_nothing_is_below_observe_and_human_only_stays() -> None:
    r = at(Stage.OBSERVE).adopt()
    assert due(r, ledger_fault="row 7 was changed") == []
    human_only = at(Stage.SUPERVISED, decision_class=DecisionClass.HUMAN_ONLY).adopt()
    assert human_only.state.capabilities["wording"].stage == "suggest"
    start = c.StartPromotion("wording", Stage.SUPERVISED, "run", human_only.policy)
    assert human_only.refused(start, GATE) == "ceiling"
    forged = replace(human_only.policy, decision_class=DecisionClass.REVERSIBLE)
    assert human_only.refused(replace(start, policy=forged), GATE) == "ceiling"


def test_a_policy_that_is_not_known_is_asked_nothing() -> None:
    assert due_demotions(Rehearsal().state, a_policy(), NOW) == ()
