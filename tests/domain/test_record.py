"""The record says what happened at the stage, and no more."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support.builders import (
    APPROVER,
    BOT,
    EASY,
    GATE,
    NORA,
    OLIVE,
    VERA,
    VETO,
    Rehearsal,
    a_policy,
    a_proposal,
)

from belay.domain import commands as c
from belay.domain.autonomy import DAY, Criteria
from belay.domain.criteria import Standing, judge_record
from belay.domain.digest import canonical_json
from belay.domain.events import Choice
from belay.domain.gates import Estimate, Gate, Verdict
from belay.domain.oversight import Oversight
from belay.domain.proposal import Prediction
from belay.domain.record import Share, interval_score, record_of, shown_together
from belay.domain.stages import Stage
from belay.domain.state import Status

SHORT = replace(EASY, half_life_seconds=10 * DAY)


def at(stage: Stage = Stage.SUGGEST, **changes: object) -> Rehearsal:
    return Rehearsal(a_policy(initial_stage=stage, autonomy=SHORT, **changes))


def record(r: Rehearsal):
    return record_of(r.state, r.policy, r.now)


def standing(r: Rehearsal, to_stage: Stage = Stage.SUPERVISED, **asks: object) -> dict[str, Standing]:
    policy = replace(r.policy, autonomy=replace(SHORT, criteria={to_stage.below: Criteria(**asks)}))
    return {one.name: one.standing for one in judge_record(record(r), policy, to_stage)}


def test_counts_shares_and_times_of_a_short_life() -> None:
    r = at().proposed("good", prediction=Prediction(0.05, 0.0, 0.1))
    r.widened("good", steps=4)
    r.proposed("bad")
    r.widened("bad")
    r.do(c.RollBack("bad", "harm", "page errors rose"))
    r.tick(90)
    r.confirm("bad")
    r.proposed("idle")
    r.do(c.Veto("idle", "no", frozenset({VETO}), "cli"), VERA)
    found = record(r)
    assert (found.proposed, found.completed, found.rolled_back, found.vetoed) == (3, 1, 1, 1)
    assert (found.widened, found.live) == (5, 1)
    assert (found.harm.hits, found.harm.count) == pytest.approx((1, 2), rel=1e-3)
    assert (found.overrides.count, found.agreement.count) == (3, 5)
    assert found.agreement.rate == 1
    assert (found.containment.count, found.containment.longest_seconds) == (1, 90)
    assert found.answers.asked == found.answers.answered == 5
    assert found.answers.hasty == 5, "the tests answer in no time, and that shows"
    assert found.quality.rate == 1
    assert canonical_json(found.to_document()), "plain JSON, fit to be evidence"


def test_merit_starts_with_the_stage_and_harm_is_carried_over() -> None:
    r = at().proposed("good")
    r.widened("good", steps=4)
    r.proposed("bad")
    r.widened("bad")
    r.do(c.RollBack("bad", "harm", "page errors rose"))
    r.confirm("bad")
    r.tick(DAY)
    r.do(c.Demote("wording", Stage.OBSERVE, "harm-rate", "too much"))
    found = record(r)
    assert (found.completed, found.widened, found.agreement.count) == (0, 0, 0)
    assert found.harm.count == 1
    assert found.harm.rate == 1, "what was good before does not make up for it"


def test_evidence_fades_with_its_half_life() -> None:
    r = at().proposed("good")
    r.widened("good", steps=4)
    fresh = record(r).harm
    r.tick(20 * DAY)
    old = record(r).harm
    assert old.of == pytest.approx(fresh.of / 4)
    assert old.count == fresh.count
    assert old.high > fresh.high, "older evidence proves less"


def test_what_a_person_takes_down_is_an_override_and_no_harm() -> None:
    r = at().proposed("good")
    r.widened("good")
    r.do(c.RollBack("good", "harm", "I do not like it"), OLIVE)
    r.confirm("good")
    found = record(r)
    assert found.harm.rate == 0
    assert found.overrides.rate == 1


def test_a_cautious_narrowing_is_neither() -> None:
    r = at().proposed("good")
    r.widened("good")
    r.do(c.RollBack("good", "blind", "nothing was seen for a day"))
    r.confirm("good")
    assert (record(r).harm.rate, record(r).overrides.rate) == (0, 0)


def test_harm_so_far_that_is_not_shown_to_last_is_caution_and_people_may_resume() -> None:
    r = at().proposed("odd")
    r.widened("odd")
    r.do(c.RollBack("odd", "caution", "harm so far, on 1 day"))
    r.confirm("odd")
    known = r.state.optimizations["odd"]
    assert (known.status, known.scope) == (Status.HELD, 0)
    assert known.results.harmed_at is None
    assert known.results.hurt_at is not None, "people met it: it counts in the week's harm budget"
    found = record(r)
    assert (found.harm.rate, found.cautions, found.rolled_back) == (None, 1, 0)
    step = r.granted("odd")
    assert r.state.optimizations["odd"].step.number == step
    (asked,) = [request for request in r.state.requests.values() if request.step == step]
    assert asked.oversight is Oversight.APPROVE


def test_a_gate_may_find_harm_so_far_only() -> None:
    r = at().proposed("odd")
    r.widened("odd")
    number = r.started("odd")
    r.judged(Gate.QUALITY, name="odd")
    r.do(c.JudgeGate("odd", number, Gate.WINDOW, Verdict.FAIL, "harm so far, on 1 day", None, caution=True))
    r.confirm("odd")
    known = r.state.optimizations["odd"]
    assert (known.status, known.scope, known.results.harmed_at) == (Status.HELD, 0, None)
    assert record(r).cautions == 1


def test_silence_is_counted_and_is_no_agreement() -> None:
    r = at().proposed("good")
    r.asked("good")
    name = r.request().id
    r.tick(7200)
    r.do(c.SettleRequest(name))
    found = record(r)
    assert (found.answers.expired, found.answers.answered, found.agreement.count) == (1, 0, 0)
    assert standing(r)["supervision"] is Standing.NOT_MET


def test_at_observe_people_say_what_they_would_have_done() -> None:
    r = at(Stage.OBSERVE).adopt()
    roles = frozenset({APPROVER})
    for number, agrees in enumerate([True, True, False]):
        r.do(c.Propose(a_proposal(f"idea-{number}"), r.policy), BOT)
        r.do(c.JudgeProposal(f"idea-{number}", agrees, "because", roles, "cli"), NORA)
    r.do(c.Propose(a_proposal("mine", proposed_by=NORA), r.policy), NORA)
    r.do(c.JudgeProposal("mine", True, "of course", roles, "cli"), NORA)
    assert (record(r).judged, record(r).agreement.count) == (3, 3), "her own idea does not count"
    assert record(r).agreement.rate == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("by", "changes", "rule"),
    [
        (BOT, {}, "people-judge"),
        (GATE, {}, "people-judge"),
        (NORA, {"roles": frozenset({"passer-by"})}, "role"),
        (NORA, {"reason": " "}, "reason"),
        (NORA, {"optimization": "other"}, "unknown-optimization"),
    ],
)
def test_who_may_judge(by, changes, rule) -> None:
    r = at(Stage.OBSERVE).proposed("idea")
    judge = c.JudgeProposal("idea", True, "because", frozenset({APPROVER}), "cli")
    assert r.refused(replace(judge, **changes), by) == rule


def test_a_proposal_is_judged_once_and_before_it_is_shown() -> None:
    r = at().proposed("idea")
    judge = c.JudgeProposal("idea", True, "because", frozenset({APPROVER}), "cli")
    r.do(judge, NORA)
    assert r.refused(judge, NORA) == "judged-already"
    r.widened("idea")
    assert r.refused(judge, OLIVE) == "shown-already"


def test_predictions_are_scored_by_a_proper_rule() -> None:
    assert interval_score(-0.1, 0.1, 0.0) == pytest.approx(0.2)
    assert interval_score(-0.1, 0.1, 0.2) == pytest.approx(0.2 + 20 * 0.1)
    r = at()
    for name, prediction in (("sharp", Prediction(0.05, 0.02, 0.08)), ("wild", Prediction(0.5, 0.4, 0.6))):
        r.proposed(name, prediction=prediction)
        r.started(name)
        for gate in (Gate.QUALITY, Gate.WINDOW):
            r.judged(gate, name=name)
        r.judged(Gate.REVIEW, name=name, found=Estimate(0.05, 0.0, 0.1))
        found = record(r).calibration
        good = name == "sharp"
        assert (found.ratio < 1) is good
        assert standing(r, calibration=2.0)["calibration"] is (Standing.MET if good else Standing.NOT_MET)
    assert (found.predictions, found.covered) == (2, 0.5)


def test_a_shadow_scores_a_prediction_until_the_change_is_shown() -> None:
    r = at(Stage.OBSERVE).proposed("idea", prediction=Prediction(0.05, 0.02, 0.08))
    assert record(r).calibration is None
    shadow = c.RecordShadow("idea", Estimate(0.04, 0.0, 0.08), "it would have helped", None)
    r.do(shadow)
    assert record(r).calibration.predictions == 1
    assert record(r).calibration.covered == 1.0
    assert r.do(shadow) == (), "the same reading twice is one"
    later = at().proposed("shown", prediction=Prediction(0.05, 0.02, 0.08))
    later.do(replace(shadow, optimization="shown"))
    later.widened("shown")
    assert later.optimization("shown").results.found is None, (
        "what is shown is measured, and claims no shadow"
    )
    assert later.refused(replace(shadow, optimization="shown")) == "shown-already"


@pytest.mark.parametrize("found", [Estimate(0.5, 0.6, 0.7), Estimate(0.1, float("-inf"), 0.2)])
def test_an_estimate_that_is_none_is_refused(found) -> None:
    r = at().proposed("good")
    r.started("good")
    for gate in (Gate.QUALITY, Gate.WINDOW):
        r.judged(gate, name="good")
    review = c.JudgeGate("good", 1, Gate.REVIEW, Verdict.PASS, "fine", None, found=found)
    assert r.refused(review) == "interval"
    oec = c.RecordOec("wording", found, r.now, r.now, "so it is", None)
    assert r.refused(oec) == "interval"
    assert r.refused(c.RecordShadow("good", found, "so it is", None)) == "interval"


def test_the_overall_criterion_is_met_not_met_or_unknown() -> None:
    r = at().adopt()
    asks = {"oec_margin": 0.02}
    assert standing(r, **asks)["oec"] is Standing.UNKNOWN
    for found, expected in (
        (Estimate(0.0, -0.01, 0.01), Standing.MET),
        (Estimate(-0.1, -0.15, -0.05), Standing.NOT_MET),
        (Estimate(0.0, -0.05, 0.05), Standing.UNKNOWN),
    ):
        r.do(c.RecordOec("wording", found, r.now, r.now + timedelta(seconds=r.state.seq), "so it is", None))
        assert standing(r, **asks)["oec"] is expected
    r.tick(DAY)
    r.do(c.Demote("wording", Stage.OBSERVE, "harm-rate", "too much"))
    assert record(r).oec is None, "it was read at another stage"


def test_the_winners_curse_is_what_was_claimed_less_what_the_holdout_shows() -> None:
    r = at().proposed("good")
    for step in range(4):
        r.started("good")
        for gate in (Gate.QUALITY, Gate.WINDOW):
            r.judged(gate, name="good")
        r.judged(Gate.REVIEW, name="good", found=Estimate(0.1 - step / 100, 0.0, 0.2))
        number = r.optimization("good").step.number
        r.do(c.RequestOversight("good", number, r.policy))
        r.do(r.vote(Choice.APPROVE), NORA)
        r.do(c.IntendWidening("good", number))
        r.confirm("good")
    assert record(r).claimed_lift == pytest.approx(0.07)
    r.do(c.RecordOec("wording", Estimate(0.02, -0.01, 0.05), r.now, r.now, "so it is", None))
    assert record(r).curse == pytest.approx(0.05)
    r.do(c.Demote("wording", Stage.SUGGEST, "lease", "lapsed"))
    assert record(r).claimed_lift == pytest.approx(0.07), "the holdout goes without it still"


def test_unknown_is_not_met_and_a_doubt_is_unknown() -> None:
    r = at().adopt()
    assert standing(r, harm_rate=0.5, override_rate=0.5, agreement=0.1, data_quality=0.5) == {
        "harm_rate": Standing.UNKNOWN,
        "override_rate": Standing.UNKNOWN,
        "agreement": Standing.UNKNOWN,
        "data_quality": Standing.UNKNOWN,
        "supervision": Standing.MET,
    }
    r.proposed("good")
    r.widened("good", steps=4)
    assert standing(r, harm_rate=0.5)["harm_rate"] is Standing.UNKNOWN, "one success shows little"
    assert standing(r, completed=2, days=3) == {
        "completed": Standing.NOT_MET,
        "days": Standing.NOT_MET,
        "supervision": Standing.MET,
    }


def test_a_proposal_that_as_many_people_liked_as_not_is_not_agreed_on() -> None:
    r = at(Stage.OBSERVE).proposed()
    for person, agrees in ((NORA, True), (VERA, False)):
        r.do(c.JudgeProposal("opt-1", agrees, "so", frozenset({APPROVER}), "cli"), person)
    assert (record(r).judged, record(r).agreement.hits, record(r).agreement.count) == (1, 0, 1)


def test_a_question_that_became_void_without_its_votes_is_no_answer() -> None:
    r = at(approval=replace(a_policy().approval, quorum=2)).proposed()
    r.asked()
    r.do(r.vote(), NORA)
    r.do(c.RollBack("opt-1", "person", "enough"))
    assert r.state.requests
    assert not r.state.open_requests()
    assert record(r).agreement.count == 0


def test_a_question_that_was_granted_and_then_taken_back_was_an_answer() -> None:
    r = at().proposed()
    r.asked()
    r.do(r.vote(), NORA)
    (request,) = r.state.requests.values()
    assert (request.status, record(r).agreement.hits, record(r).agreement.count) == ("granted", 1, 1)


def test_a_stage_that_begins_now_has_no_days_and_saying_nothing_is_scored_by_its_width() -> None:
    r = at().proposed(prediction=Prediction(0.05, 0.0, 0.1))
    assert record(r).days == 0
    r.started()
    r.judged(Gate.QUALITY)
    r.judged(Gate.WINDOW)
    r.judged(Gate.REVIEW, found=Estimate(0.0, -0.1, 0.1))
    scored = record(r).calibration
    assert scored is not None
    assert scored.naive == pytest.approx(2 * r.policy.primary.minimum_effect)
    assert (scored.predictions, scored.score, scored.covered) == (1, pytest.approx(0.1), 1)


def test_what_nobody_saw_is_no_evidence_and_is_claimed_by_nobody() -> None:
    r = at().proposed()
    nothing = Share(0.0, 0.0, 0, None, None, None)
    found = record(r)
    assert (found.harm, found.overrides, found.agreement, found.quality) == (nothing,) * 4
    assert shown_together(r.state, r.state.capabilities["wording"]) == []
    r.widened()
    assert [o.id for o in shown_together(r.state, r.state.capabilities["wording"])] == ["opt-1"]
    other = replace(r.state.capabilities["wording"], holdout=100)
    assert shown_together(r.state, other) == [], "its units were held out otherwise"
