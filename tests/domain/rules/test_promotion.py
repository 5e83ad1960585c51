"""A stage is earned by a record and granted by people, once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.builders import ANNA, APPROVER, BOT, EASY, GATE, NORA, OLIVE, Rehearsal, a_policy

from belay.domain import commands as c
from belay.domain.actors import human
from belay.domain.autonomy import Criteria
from belay.domain.capability import ApprovalRule
from belay.domain.events import Choice, LeaseRenewed, StagePromoted
from belay.domain.gates import PromotionGate, Verdict
from belay.domain.stages import DecisionClass, Stage

PAUL = human("paul")
TWO = ApprovalRule((APPROVER, "risk"), 2, ("duty",), expires_seconds=7200, notice_seconds=3600)


def at(stage: Stage, **changes: object) -> Rehearsal:
    return Rehearsal(a_policy(initial_stage=stage, **changes)).adopt()


def vote(r: Rehearsal, *roles: str, choice: Choice = Choice.APPROVE) -> c.CastVote:
    request = r.request()
    return c.CastVote(request.id, choice, "seen", frozenset(roles or {APPROVER}), request.digest, "cli")


def test_a_promotion_uses_the_grant_of_people_once() -> None:
    r = at(Stage.SUGGEST)
    (event,) = r.promoted(Stage.SUPERVISED)
    assert isinstance(event, StagePromoted)
    assert r.state.capabilities["wording"].stage == "supervised"
    assert event.grant in r.state.requests
    assert r.refused(c.Promote("wording", Stage.BOUNDED, "more"), OLIVE) == "no-grant"


@pytest.mark.parametrize("who", [OLIVE, NORA, GATE])
def test_nobody_promotes_without_the_grant(who) -> None:
    r = at(Stage.SUGGEST)
    assert r.refused(c.Promote("wording", Stage.SUPERVISED, "x"), who) == "no-grant"
    assert r.refused(c.Promote("wording", Stage.SUPERVISED, "x"), BOT) == "people-promote"
    assert r.refused(c.Promote("other", Stage.SUPERVISED, "x"), who) == "unknown-capability"
    for stage in (Stage.OBSERVE, Stage.BOUNDED, Stage.AUTONOMOUS):
        assert r.refused(c.Promote("wording", stage, "x"), who) == "one-stage-at-a-time"


def test_an_agent_moves_no_part_of_a_promotion() -> None:
    r = at(Stage.SUGGEST)
    start = c.StartPromotion("wording", Stage.SUPERVISED, "run", r.policy)
    assert r.refused(start, BOT) == "agents-propose"
    r.promotion_granted(Stage.SUPERVISED)
    assert r.refused(c.Promote("wording", Stage.SUPERVISED, "mine"), BOT) == "people-promote"


@pytest.mark.parametrize(
    ("changes", "stage"),
    [
        ({"ceiling": Stage.SUPERVISED}, Stage.SUPERVISED),
        ({"decision_class": DecisionClass.HUMAN_ONLY}, Stage.SUGGEST),
        ({"decision_class": DecisionClass.BOUNDED}, Stage.BOUNDED),
    ],
)
def test_nothing_passes_its_ceiling(changes: dict[str, object], stage: Stage) -> None:
    r = at(stage, **changes)
    above = stage.above
    assert above is not None
    assert r.refused(c.StartPromotion("wording", above, "run", r.policy)) == "ceiling"
    assert r.refused(c.Promote("wording", above, "x"), OLIVE) == "ceiling"


def test_two_roles_are_two_people_and_the_owner_is_not_enough() -> None:
    r = at(Stage.SUGGEST, approval=TWO).proposed()
    run = r.promotion_reviewed(Stage.SUPERVISED)
    r.do(c.RequestPromotion("wording", run, r.policy))
    r.do(vote(r, APPROVER, "risk"), OLIVE)
    assert r.state.capabilities["wording"].grant is None
    (answer,) = r.do(vote(r, APPROVER, "risk"), ANNA)
    assert not answer.counted, "she answers for the agent"
    r.do(vote(r, APPROVER), NORA)
    assert r.state.capabilities["wording"].grant is not None
    r.do(c.Promote("wording", Stage.SUPERVISED, "earned"))


def test_the_record_is_asked_in_the_domain_whatever_the_gate_said() -> None:
    asks = {**EASY.criteria, Stage.SUGGEST: Criteria(days=10, completed=3, harm_rate=0.2)}
    r = at(Stage.SUGGEST, autonomy=replace(EASY, criteria=asks))
    run = r.promotion_reviewed(Stage.SUPERVISED)
    assert r.refused(c.RequestPromotion("wording", run, r.policy)) == "criteria"
    kept = r.ask(c.RequestPromotion("wording", run, r.policy))
    assert "0 of 3 optimizations completed" in kept.message
    assert "nothing was decided yet" in kept.message, "unknown is not met"


def test_a_stage_without_criteria_cannot_be_asked_for() -> None:
    r = at(Stage.SUGGEST, autonomy=replace(EASY, criteria={}))
    run = r.promotion_reviewed(Stage.SUPERVISED)
    assert r.refused(c.RequestPromotion("wording", run, r.policy)) == "criteria"


def test_gates_come_in_order_and_people_last() -> None:
    r = at(Stage.SUGGEST)
    r.do(c.StartPromotion("wording", Stage.SUPERVISED, "run", r.policy))
    review = c.JudgePromotion("wording", "run", PromotionGate.REVIEW, Verdict.PASS, "fine", "e")
    assert r.refused(review) == "gates-in-order"
    assert r.refused(c.RequestPromotion("wording", "run", r.policy)) == "review-first"
    assert r.refused(replace(review, gate=PromotionGate.ADMIT)) == "admitted-once"
    assert r.refused(replace(review, run="other")) == "no-such-promotion"


@pytest.mark.parametrize(
    ("then", "rule"),
    [
        (c.Demote("wording", Stage.OBSERVE, "harm-rate", "harm"), "one-stage-at-a-time"),
        (c.AdoptPolicy(a_policy(title="Other words"), "changed"), "no-grant"),
        (c.StartPromotion("wording", Stage.SUPERVISED, "other", a_policy()), "no-grant"),
        (c.Freeze("capability:wording", "look"), "freeze"),
    ],
)
def test_a_grant_holds_for_what_was_shown_only(then, rule) -> None:
    r = at(Stage.SUGGEST)
    r.promotion_granted(Stage.SUPERVISED)
    r.do(then, OLIVE)
    assert r.refused(c.Promote("wording", Stage.SUPERVISED, "earned")) == rule


def test_harm_after_people_were_asked_stops_the_promotion() -> None:
    r = at(Stage.SUGGEST).proposed()
    r.widened()
    r.promotion_granted(Stage.SUPERVISED)
    r.do(c.RollBack("opt-1", "harm", "page errors rose"))
    assert r.refused(c.Promote("wording", Stage.SUPERVISED, "earned")) == "harm-since"


def test_silence_and_a_rejection_promote_nobody() -> None:
    r = at(Stage.SUGGEST)
    for settle in (True, False):
        run = r.promotion_reviewed(Stage.SUPERVISED)
        r.do(c.RequestPromotion("wording", run, r.policy))
        if settle:
            request = r.request()
            r.tick(7200)
            r.do(c.SettleRequest(request.id))
        else:
            r.do(vote(r, choice=Choice.REJECT), NORA)
        assert r.do(c.RequestPromotion("wording", run, r.policy)) == (), "this run has its answer"
        assert r.refused(c.Promote("wording", Stage.SUPERVISED, "x")) == "no-grant"


def test_a_lease_is_renewed_by_people_and_starts_anew() -> None:
    r = at(Stage.SUPERVISED)
    first = r.state.capabilities["wording"].lease_until
    since = r.state.capabilities["wording"].stage_since
    r.tick(86_400)
    (event,) = r.promoted(Stage.SUPERVISED)
    assert isinstance(event, LeaseRenewed)
    known = r.state.capabilities["wording"]
    assert (known.lease_until - first).total_seconds() == 86_400
    assert known.stage_since == since, "the stage is kept, not begun again"


def test_there_is_no_lease_where_ai_decides_nothing_alone() -> None:
    r = at(Stage.SUGGEST)
    assert r.state.capabilities["wording"].lease_until is None
    assert r.refused(c.StartPromotion("wording", Stage.SUGGEST, "run", r.policy)) == "no-lease"


def test_a_policy_ends_a_lease_earlier_and_never_prolongs_it() -> None:
    r = at(Stage.SUPERVISED)
    first = r.state.capabilities["wording"].lease_until
    longer = {Stage.SUPERVISED: 900 * 86_400.0}
    r.adopt(a_policy(initial_stage=Stage.SUPERVISED, autonomy=replace(EASY, leases=longer)))
    assert r.state.capabilities["wording"].lease_until == first
    shorter = {Stage.SUPERVISED: 3600.0}
    r.adopt(a_policy(initial_stage=Stage.SUPERVISED, autonomy=replace(EASY, leases=shorter)))
    assert (r.state.capabilities["wording"].lease_until - r.now).total_seconds() == 3600
