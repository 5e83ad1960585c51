"""Policies, demotions and freezes: each refusal by its name."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.builders import BOT, GATE, MAY_LIFT, NORA, OLIVE, Rehearsal, a_policy

from belay.domain import commands as c
from belay.domain.oversight import Oversight
from belay.domain.rules.answer import Refusal
from belay.domain.stages import DecisionClass, Stage


def at(stage: Stage, **changes: object) -> Rehearsal:
    return Rehearsal(a_policy(initial_stage=stage, **changes)).adopt()


def test_a_policy_is_adopted_once() -> None:
    r = at(Stage.SUGGEST)
    assert r.do(c.AdoptPolicy(r.policy, "again")) == ()


def test_a_changed_policy_voids_what_was_asked_and_granted_under_the_old_one() -> None:
    r = Rehearsal().proposed()
    r.widened()
    number = r.granted()
    r.adopt(a_policy(title="Other words"))
    assert r.optimization().grant is None
    assert r.refused(c.IntendWidening("opt-1", number)) == "no-grant"
    assert {request.status for request in r.state.requests.values()} == {"granted", "void"}


def test_a_grant_stays_void_when_the_old_policy_comes_back() -> None:
    r = Rehearsal().proposed()
    number = r.granted()
    r.adopt(a_policy(ceiling=Stage.SUGGEST)).adopt()
    assert r.state.capabilities["wording"].stage == "suggest"
    assert r.refused(c.IntendWidening("opt-1", number)) == "no-grant"


def test_a_lower_ceiling_takes_the_stage_down_and_a_higher_one_does_not_lift_it() -> None:
    r = at(Stage.BOUNDED)
    r.tick(60)
    r.adopt(a_policy(ceiling=Stage.SUGGEST))
    assert (r.state.capabilities["wording"].stage, r.state.capabilities["wording"].stage_since) == (
        "suggest",
        r.now,
    )
    r.tick(60)
    r.adopt(a_policy(ceiling=Stage.AUTONOMOUS, title="x"))
    assert r.state.capabilities["wording"].stage == "suggest"


def test_only_a_person_ends_human_only() -> None:
    r = at(Stage.AUTONOMOUS, decision_class=DecisionClass.HUMAN_ONLY)
    assert r.state.capabilities["wording"].stage == "suggest"
    opened = a_policy(decision_class=DecisionClass.REVERSIBLE)
    assert r.refused(c.AdoptPolicy(opened, "file changed"), GATE) == "people-change-policy"
    r.do(c.AdoptPolicy(opened, "brand agreed"), OLIVE)
    assert r.state.capabilities["wording"].stage == "suggest", "and no stage comes with it"


def test_only_a_person_changes_a_policy() -> None:
    r = Rehearsal().adopt(by=GATE)
    stricter = a_policy(ceiling=Stage.SUGGEST)
    refusal = r.ask(c.AdoptPolicy(stricter, "the file says so"), GATE)
    assert isinstance(refusal, Refusal)
    assert (refusal.rule, refusal.kept) == ("people-change-policy", False)
    assert "belay policy adopt wording --reason" in refusal.message
    adopted, *_ = reversed(r.do(c.AdoptPolicy(stricter, "too fast for us"), OLIVE))
    assert (adopted.kind, adopted.reason) == ("policy.adopted", "too fast for us")
    assert r.do(c.AdoptPolicy(stricter, "now with its text", "f" * 64), GATE), "nothing changes by that"


def test_a_policy_that_permits_less_demotes_and_narrows_what_is_live() -> None:
    """By the new policy's own table: what the old one let happen without people is not enough any more."""
    r = Rehearsal(a_policy(initial_stage=Stage.AUTONOMOUS)).proposed()
    r.widened()
    assert r.optimization().scope > 0
    less = a_policy(initial_stage=Stage.AUTONOMOUS, ceiling=Stage.SUGGEST)
    demoted, *rest = r.do(c.AdoptPolicy(less, "too fast for us"), OLIVE)
    assert (demoted.kind, demoted.rule, demoted.to_stage) == ("capability.demoted", "policy", Stage.SUGGEST)
    assert demoted.reason == "its new policy never lets it pass suggest"
    (narrowing,) = [event for event in rest if event.kind == "scope.narrowing"]
    assert (narrowing.optimization, narrowing.to_scope, narrowing.cause) == ("opt-1", 0, "demotion")
    assert r.state.capabilities["wording"].stage is Stage.SUGGEST
    assert r.state.capabilities["wording"].demotions == {"policy": r.now}


def test_a_demotion_takes_back_what_was_granted_under_more_autonomy() -> None:
    r = Rehearsal(a_policy(initial_stage=Stage.AUTONOMOUS)).proposed()
    number = r.granted()
    grant = r.optimization().grant
    assert grant is not None
    assert grant.oversight is Oversight.INFORM
    r.do(c.Demote("wording", Stage.SUGGEST, "harm-rate", "too much"))
    assert r.refused(c.IntendWidening("opt-1", number)) == "no-grant"
    r.do(c.RequestOversight("opt-1", number, r.policy))
    assert r.request().oversight is Oversight.APPROVE
    r.do(r.vote(), NORA)
    r.do(c.IntendWidening("opt-1", number))


def test_a_notice_that_passed_is_asked_again_after_a_demotion() -> None:
    r = Rehearsal().proposed()
    number = r.granted()
    r.do(c.Demote("wording", Stage.SUGGEST, "harm-rate", "too much"))
    (old,) = r.state.requests.values()
    assert (old.status, old.outcome) == ("void", "the capability was demoted")
    r.do(c.RequestOversight("opt-1", number, r.policy))
    assert r.request().id != old.id


def test_a_demotion_voids_open_requests() -> None:
    r = Rehearsal().proposed()
    r.asked()
    r.do(c.Demote("wording", Stage.SUGGEST, "harm-rate", "too much"))
    assert r.state.open_requests() == []


@pytest.mark.parametrize("target", ["all", "surface:checkout", "capability:wording"])
def test_a_freeze_stops_widening_and_only_people_lift_it(target: str) -> None:
    r = Rehearsal().proposed()
    number = r.granted()
    r.do(c.Freeze(target, "sale"), BOT)
    assert r.do(c.Freeze(target, "sale")) == ()
    assert r.refused(c.IntendWidening("opt-1", number)) == "freeze"
    for nobody in (BOT, GATE):
        assert r.refused(c.Unfreeze(target, "over", MAY_LIFT), nobody) == "people-unfreeze"
    r.do(c.Unfreeze(target, "over", MAY_LIFT), OLIVE)
    assert r.refused(c.Unfreeze(target, "over", MAY_LIFT), OLIVE) == "not-frozen"
    r.do(c.IntendWidening("opt-1", number))


@pytest.mark.parametrize(
    "target", ["", "surface", "surface:", "surface:home", "capability:checkout", "wording"]
)
def test_what_cannot_be_frozen(target: str) -> None:
    r = at(Stage.SUGGEST)
    assert r.refused(c.Freeze(target, "x")) == "unknown-target"


def test_a_surface_that_the_policy_left_can_still_be_frozen_for_what_is_live_there() -> None:
    r = Rehearsal().proposed()
    r.widened()
    moved = a_policy(surface="basket")
    r.adopt(moved)
    r.policy = moved
    r.do(c.Freeze("surface:checkout", "sale"))
    r.started()
    assert r.optimization().status == "held"
    assert "surface:checkout is frozen" in r.optimization().reason


def test_agents_move_no_step() -> None:
    r = Rehearsal().proposed()
    number = r.intended()
    policy = replace(r.policy, title="mine", digest="f" * 64)
    pending = r.optimization().pending
    assert pending is not None
    for command in (
        c.AdoptPolicy(policy, "mine"),
        c.StartStep("opt-1", "mine", r.policy),
        c.RequestOversight("opt-1", number, r.policy),
        c.SettleRequest("x"),
        c.IntendWidening("opt-1", number),
        c.ConfirmScope("opt-1", pending.to_scope, pending.epoch, "mine", r.now),
    ):
        assert r.refused(command, BOT) == "agents-propose"
