"""Proposals, gates in order and looks: each refusal by its name."""

from __future__ import annotations

import pytest
from tests.support.builders import BOT, Rehearsal, a_policy, a_proposal, evidence_of

from belay.domain import commands as c
from belay.domain.actors import agent, human
from belay.domain.events import GateJudged, NarrowingIntended, OptimizationEnded
from belay.domain.gates import Gate, ReviewVerdict, Verdict
from belay.domain.proposal import Variant
from belay.domain.scope import Ramp


def test_the_same_proposal_twice_is_one_and_another_one_needs_a_name() -> None:
    r = Rehearsal().proposed()
    assert r.do(c.Propose(a_proposal(), r.policy), BOT) == ()
    assert r.refused(c.Propose(a_proposal(title="Other"), r.policy), BOT) == "taken"


def test_who_may_propose() -> None:
    r = Rehearsal(a_policy(agents=("bot",))).adopt()
    other = agent("other")
    assert r.refused(c.Propose(a_proposal(), r.policy), other) == "agent"
    assert r.refused(c.Propose(a_proposal(proposed_by=other), r.policy), other) == "agent"
    r.do(c.Propose(a_proposal(), r.policy), BOT)
    r.do(c.Propose(a_proposal("by-hand", proposed_by=human("anna")), r.policy), human("anna"))


def test_what_is_proposed_for_nothing() -> None:
    r = Rehearsal().adopt()
    assert r.refused(c.Propose(a_proposal(capability="x"), r.policy), BOT) == "unknown-capability"
    other = a_policy(id="other")
    assert r.refused(c.Propose(a_proposal(), other), BOT) == "unknown-capability"


@pytest.mark.parametrize("payload", [float("nan"), {1: "a", "b": 2}, {"when": object()}, "\ud800"])
def test_a_payload_must_be_plain_json(payload: object) -> None:
    r = Rehearsal().adopt()
    proposal = a_proposal(variants=(Variant("treatment", payload),))
    assert r.refused(c.Propose(proposal, r.policy), BOT) == "plain-data"


def test_one_run_takes_one_step() -> None:
    r = Rehearsal().proposed()
    r.do(c.StartStep("opt-1", "run", r.policy))
    assert r.do(c.StartStep("opt-1", "run", r.policy)) == ()
    assert r.refused(c.StartStep("opt-2", "run", r.policy)) == "unknown-optimization"


def test_another_run_voids_no_open_question_and_takes_over_once_it_is_not_answered() -> None:
    r = Rehearsal().proposed()
    number = r.asked()
    asked = r.request()
    assert r.refused(c.StartStep("opt-1", "another", r.policy)) == "question-open"
    assert r.request() == asked
    r.tick((asked.expires_at - r.now).total_seconds())
    r.do(c.StartStep("opt-1", "another", r.policy))
    assert r.state.open_requests() == []
    step = r.optimization().step
    assert step is not None
    assert step.number == number + 1
    assert r.refused(c.RequestOversight("opt-1", number, r.policy)) == "no-such-step"


def test_the_top_of_the_ramp_is_its_end() -> None:
    r = Rehearsal(a_policy(ramp=Ramp((100, 2_000)))).proposed()
    r.widened(steps=2)
    assert r.optimization().scope == 2_000
    assert r.optimization().status == "completed"
    assert r.refused(c.StartStep("opt-1", "more", r.policy)) == "ended"


def test_a_ramp_cut_short_below_what_is_live() -> None:
    r = Rehearsal().proposed()
    r.widened(steps=2)
    short = a_policy(ramp=Ramp((100, 500)))
    r.adopt(short)
    assert r.refused(c.StartStep("opt-1", "more", short)) == "top-of-ramp"


def test_gates_in_order() -> None:
    r = Rehearsal().proposed()
    r.started()
    assert r.refused(c.JudgeGate("opt-1", 1, Gate.WINDOW, Verdict.PASS, "x", None)) == "gates-in-order"
    r.judged(Gate.QUALITY, Verdict.HOLD)
    assert r.refused(c.JudgeGate("opt-1", 1, Gate.WINDOW, Verdict.PASS, "x", None)) == "gates-in-order"
    assert (r.optimization().status, r.optimization().reason) == ("held", "quality: hold")
    r.judged(Gate.QUALITY)
    assert (r.optimization().status, r.optimization().reason) == ("climbing", "")
    r.judged(Gate.WINDOW)


def test_a_step_is_admitted_when_it_starts_and_by_nobody_later() -> None:
    r = Rehearsal().proposed()
    r.do(c.Freeze("all", "x"))
    r.started()
    assert r.optimization().status == "held"
    assert r.refused(c.JudgeGate("opt-1", 1, Gate.ADMIT, Verdict.PASS, "let me", None)) == "admitted-once"


def test_only_the_step_under_way_is_judged() -> None:
    r = Rehearsal().proposed()
    judge = c.JudgeGate("opt-1", 1, Gate.QUALITY, Verdict.PASS, "x", None)
    assert r.refused(judge) == "no-such-step"
    assert r.refused(c.JudgeGate("x", 1, Gate.QUALITY, Verdict.PASS, "x", None)) == "unknown-optimization"
    r.started()
    r.do(c.RollBack("opt-1", "person", "enough"))
    assert r.refused(judge) == "ended"
    assert r.refused(judge, BOT) == "agents-propose"


def test_a_verdict_and_its_review_agree() -> None:
    r = Rehearsal().proposed()
    r.started()
    r.judged(Gate.QUALITY)
    r.judged(Gate.WINDOW)
    wrong = c.JudgeGate("opt-1", 1, Gate.REVIEW, Verdict.PASS, "x", None, ReviewVerdict.ROLL_BACK)
    assert r.refused(wrong) == "verdict"


def test_the_same_verdict_is_recorded_once() -> None:
    r = Rehearsal().proposed()
    r.started()
    judge = c.JudgeGate("opt-1", 1, Gate.QUALITY, Verdict.PASS, "x", "e")
    assert len(r.do(judge)) == 1
    assert r.do(judge) == ()
    assert len(r.do(c.JudgeGate("opt-1", 1, Gate.QUALITY, Verdict.PASS, "x", "other"))) == 1


def test_a_repeated_gate_does_not_make_people_answer_again_but_a_changed_one_does() -> None:
    r = Rehearsal().proposed()
    r.asked()
    assert r.do(c.JudgeGate("opt-1", 1, Gate.REVIEW, Verdict.PASS, "x", "other")) == ()
    r.do(c.JudgeGate("opt-1", 1, Gate.REVIEW, Verdict.HOLD, "not sure", "other"))
    assert r.state.open_requests() == []


def test_a_review_after_the_grant_makes_it_void() -> None:
    r = Rehearsal().proposed()
    number = r.granted()
    r.do(c.JudgeGate("opt-1", number, Gate.REVIEW, Verdict.PASS, "seen anew", evidence_of("new")))
    assert r.refused(c.IntendWidening("opt-1", number)) == "grant-void"


def test_approval_cannot_be_claimed() -> None:
    r = Rehearsal().proposed()
    number = r.asked()
    claim = c.JudgeGate("opt-1", number, Gate.APPROVAL, Verdict.PASS, "yes, yes", None)
    assert r.refused(claim) == "no-grant"
    r.tick(r.policy.approval.notice_seconds)
    r.do(c.SettleRequest(r.request().id))
    r.do(claim)


@pytest.mark.parametrize(
    ("gate", "review", "outcome"),
    [
        (Gate.WINDOW, None, "rolled_back"),
        (Gate.REVIEW, ReviewVerdict.ROLL_BACK, "rolled_back"),
        (Gate.REVIEW, ReviewVerdict.STOP, "stopped"),
    ],
)
def test_harm_narrows_in_the_same_breath(gate: Gate, review: ReviewVerdict | None, outcome: str) -> None:
    r = Rehearsal().proposed()
    r.widened()
    number = r.started()
    r.judged(Gate.QUALITY)
    if gate is Gate.REVIEW:
        r.judged(Gate.WINDOW)
    events = r.do(c.JudgeGate("opt-1", number, gate, Verdict.FAIL, "it hurts", None, review))
    assert [type(event) for event in events] == [GateJudged, NarrowingIntended, OptimizationEnded]
    assert r.optimization().status == outcome
    pending = r.optimization().pending
    assert pending is not None
    assert pending.to_scope == 0


def test_quality_that_fails_rolls_nothing_back() -> None:
    r = Rehearsal().proposed()
    r.widened()
    r.started()
    r.judged(Gate.QUALITY, Verdict.FAIL)
    assert (r.optimization().status, r.optimization().scope) == ("held", 100)


def test_looks_are_counted_once() -> None:
    r = Rehearsal().proposed()
    r.started()

    def look(number: int, step: int = 1) -> c.TakeLook:
        return c.TakeLook("opt-1", step, number, r.now, harmful=False, sentence="nothing yet", evidence=None)

    assert len(r.do(look(1))) == 1
    assert r.do(look(1)) == ()
    assert len(r.do(look(3))) == 1
    assert r.do(look(2)) == ()
    assert r.refused(look(4, step=2)) == "no-such-step"
    assert r.refused(look(4), BOT) == "agents-propose"
