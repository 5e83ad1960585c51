"""Requests, votes and quorum: who counts, what binds, and how silence ends it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.builders import ANNA, APPROVER, BOT, GATE, NORA, OLIVE, VETO, Rehearsal, a_policy

from belay.domain import commands as c
from belay.domain.actors import human, service
from belay.domain.capability import ApprovalRule
from belay.domain.events import Choice, OversightGranted, OversightRequested, VoteCast
from belay.domain.gates import Gate, Verdict
from belay.domain.oversight import Oversight
from belay.domain.rules.answer import Refusal
from belay.domain.rules.requests import step_digest
from belay.domain.stages import DecisionClass, Stage

SUGGEST = a_policy(initial_stage=Stage.SUGGEST)
TWO = replace(SUGGEST, approval=ApprovalRule((APPROVER, "legal"), 2, (VETO,), 7200, 3600))


def asked(policy: object = SUGGEST, **changes: object) -> Rehearsal:
    r = Rehearsal(policy).proposed(**changes)  # type: ignore[arg-type]
    r.asked()
    return r


def test_a_request_binds_what_was_shown() -> None:
    r = asked()
    request = r.request()
    assert (request.from_scope, request.to_scope, request.oversight) == (0, 100, Oversight.APPROVE)
    assert request.conflicted == ("anna", "bot")
    assert (request.expires_at - r.now).total_seconds() == SUGGEST.approval.expires_seconds
    assert request.rules[0].startswith("policy-table: approve")
    assert r.do(c.RequestOversight("opt-1", 1, r.policy)) == ()


def test_when_nobody_is_asked() -> None:
    r = Rehearsal(SUGGEST).proposed()
    assert r.refused(c.RequestOversight("opt-1", 1, r.policy)) == "no-such-step"
    assert r.refused(c.RequestOversight("opt-9", 1, r.policy)) == "no-such-step"
    r.started()
    assert r.refused(c.RequestOversight("opt-1", 1, r.policy)) == "review-first"
    r.do(c.RollBack("opt-1", "person", "enough"))
    assert r.refused(c.RequestOversight("opt-1", 1, r.policy)) == "ended"


def test_a_policy_that_changed_meanwhile() -> None:
    r = Rehearsal(SUGGEST).proposed()
    r.reviewed()
    other = replace(SUGGEST, digest="a" * 64)
    assert r.refused(c.RequestOversight("opt-1", 1, other)) == "policy-changed"
    r.adopt(other)
    assert r.refused(c.RequestOversight("opt-1", 1, other)) == "policy-changed"


def test_a_stage_that_shows_nothing() -> None:
    r = Rehearsal(SUGGEST).proposed()
    r.reviewed()
    r.do(c.Demote("wording", Stage.OBSERVE, "kill-switch", "now"))
    assert r.refused(c.RequestOversight("opt-1", 1, r.policy)) == "stage-forbids"


def test_a_scope_that_moved_since() -> None:
    r = Rehearsal(SUGGEST).proposed()
    r.widened(steps=2)
    r.reviewed()
    r.do(c.RollBack("opt-1", "guard", "blind for too long", to_scope=100))
    assert r.refused(c.RequestOversight("opt-1", 3, r.policy)) == "scope-moved"
    r.confirm()
    assert r.refused(c.RequestOversight("opt-1", 3, r.policy)) == "scope-moved"


def test_the_ledgers_class_counts_not_the_one_that_is_handed_in() -> None:
    r = Rehearsal(a_policy(decision_class=DecisionClass.HUMAN_ONLY)).proposed()
    r.policy = replace(r.policy, decision_class=DecisionClass.REVERSIBLE)
    r.asked()
    assert r.request().oversight is Oversight.APPROVE


def test_inform_is_granted_at_once() -> None:
    r = Rehearsal(a_policy(initial_stage=Stage.BOUNDED)).proposed()
    r.reviewed()
    (event,) = r.do(c.RequestOversight("opt-1", 1, r.policy))
    assert isinstance(event, OversightGranted)
    assert (event.oversight, event.request) == (Oversight.INFORM, None)
    assert r.do(c.RequestOversight("opt-1", 1, r.policy)) == ()


def test_one_approval_completes_a_quorum_of_one() -> None:
    r = asked()
    vote, grant = r.do(r.vote(), NORA)
    assert isinstance(vote, VoteCast)
    assert vote.counted
    assert isinstance(grant, OversightGranted)
    (request,) = r.state.requests.values()
    assert (request.status, request.votes[0].voter) == ("granted", "nora")


def test_every_refusal_of_a_vote() -> None:
    r = asked()
    vote = r.vote()
    assert r.refused(replace(vote, request="x"), NORA) == "no-such-request"
    for nobody in (BOT, service("nora"), GATE):
        assert r.refused(vote, nobody) == "people-approve"
    assert r.refused(replace(vote, digest="0" * 64), NORA) == "digest"
    assert r.refused(replace(vote, roles=frozenset({VETO})), NORA) == "role"
    assert r.refused(replace(vote, reason=" \n"), NORA) == "reason"
    r.do(vote, ANNA)
    assert r.refused(vote, ANNA) == "voted-already"
    r.tick(SUGGEST.approval.expires_seconds)
    assert r.refused(vote, NORA) == "expired"
    r.do(c.SettleRequest(vote.request))
    assert r.refused(vote, NORA) == "request-closed"


@pytest.mark.parametrize("voter", [ANNA, human("bot")])
def test_who_proposed_or_answers_for_the_agent_does_not_count(voter: object) -> None:
    r = asked()
    (event,) = r.do(r.vote(), voter)  # type: ignore[arg-type]
    assert isinstance(event, VoteCast)
    assert not event.counted
    assert r.request().status == "open"


def test_the_owner_never_completes_a_quorum_alone() -> None:
    r = asked()
    assert len(r.do(r.vote(), OLIVE)) == 1
    assert len(r.do(r.vote(), NORA)) == 2


def test_a_quorum_of_two_needs_both_roles_from_two_people() -> None:
    r = asked(TWO)
    both = frozenset({APPROVER, "legal"})
    assert len(r.do(r.vote(roles=both), NORA)) == 1
    assert len(r.do(r.vote(roles=frozenset({APPROVER})), human("paul"))) == 2


def test_a_role_that_is_missing() -> None:
    r = asked(TWO)
    for name in ("nora", "paul", "zoe"):
        assert len(r.do(r.vote(roles=frozenset({APPROVER})), human(name))) == 1
    assert len(r.do(r.vote(roles=frozenset({"legal"})), human("lena"))) == 2


def test_a_quorum_of_nobody_is_one_of_somebody() -> None:
    r = asked(replace(SUGGEST, approval=ApprovalRule((APPROVER,), 0, (VETO,), 7200, 3600)))
    assert len(r.do(r.vote(), ANNA)) == 1
    assert len(r.do(r.vote(), NORA)) == 2


def test_one_rejection_ends_it() -> None:
    r = asked(TWO)
    r.do(r.vote(), NORA)
    r.do(r.vote(Choice.REJECT), ANNA)
    (request,) = r.state.requests.values()
    assert (request.status, request.outcome) == ("rejected", "anna rejected it: seen")
    assert r.do(c.RequestOversight("opt-1", 1, r.policy)) == (), "a rejected step is not asked again"
    assert r.refused(c.IntendWidening("opt-1", 1)) == "no-grant"


def test_silence_means_no_where_approval_is_needed() -> None:
    r = asked()
    name = r.request().id
    assert r.refused(c.SettleRequest("x")) == "no-such-request"
    assert r.do(c.SettleRequest(name)) == ()
    r.tick(SUGGEST.approval.expires_seconds)
    r.do(c.SettleRequest(name))
    assert r.state.requests[name].status == "expired"
    assert r.do(c.SettleRequest(name)) == ()
    assert r.refused(c.IntendWidening("opt-1", 1)) == "no-grant"


def test_silence_means_yes_only_when_the_whole_notice_has_passed() -> None:
    r = asked(a_policy())
    name = r.request().id
    assert r.request().oversight is Oversight.NOTICE
    assert len(r.do(r.vote(), NORA)) == 1, "an approval does not cut the notice short"
    r.tick(3599)
    assert r.do(c.SettleRequest(name)) == ()
    r.tick(-90_000)
    assert r.do(c.SettleRequest(name)) == (), "a clock that goes back grants nothing"
    r.tick(90_001)
    r.do(c.SettleRequest(name))
    assert r.state.requests[name].status == "granted"


def test_a_rejection_ends_a_notice() -> None:
    r = asked(a_policy())
    name = r.request().id
    r.do(r.vote(Choice.REJECT), NORA)
    r.tick(7200)
    assert r.do(c.SettleRequest(name)) == ()
    assert r.refused(c.IntendWidening("opt-1", 1)) == "no-grant"


def test_a_question_that_is_asked_again_has_another_name() -> None:
    r = asked()
    first = r.request()
    r.do(c.Demote("wording", Stage.OBSERVE, "x", "x"))
    r.promoted(Stage.SUGGEST)
    (event,) = r.do(c.RequestOversight("opt-1", 1, r.policy))
    assert isinstance(event, OversightRequested)
    assert event.request != first.id
    assert event.digest != first.digest
    assert r.state.requests[first.id].status == "void"


def test_the_digest_binds_each_part_of_the_question() -> None:
    """Optimization, variants and payload, from, to, evidence, policy, expiry: another one, another digest."""
    r = Rehearsal(SUGGEST).proposed()
    r.reviewed()
    known = r.optimization()
    step = known.step
    assert step is not None
    review = replace(step.gates[Gate.REVIEW], evidence="another")
    expiry = "2026-03-03T09:00:00+00:00"
    digests = [
        step_digest(optimization, asked_step, Oversight.APPROVE, expires_at, 0)
        for optimization, asked_step, expires_at in (
            (known, step, expiry),
            (replace(known, id="opt-2"), step, expiry),
            (replace(known, digest="a proposal with another payload"), step, expiry),
            (known, replace(step, from_scope=1), expiry),
            (known, replace(step, to_scope=500), expiry),
            (known, replace(step, gates={**step.gates, Gate.REVIEW: review}), expiry),
            (known, replace(step, policy="another"), expiry),
            (known, step, "2026-03-03T09:00:01+00:00"),
        )
    ]
    assert len(set(digests)) == len(digests)


def test_new_evidence_with_another_verdict_voids_the_question_and_the_same_verdict_does_not() -> None:
    r = asked()
    first = r.request()
    r.do(c.JudgeGate("opt-1", 1, Gate.REVIEW, Verdict.PASS, "still fine", "e2"))
    assert r.request() == first
    r.do(c.JudgeGate("opt-1", 1, Gate.REVIEW, Verdict.HOLD, "not any more", "e3"))
    void = r.state.requests[first.id]
    assert (void.status, void.outcome) == ("void", "review was judged again: not any more")
    assert r.refused(
        c.CastVote(first.id, Choice.APPROVE, "x", frozenset({APPROVER}), first.digest, "cli"), NORA
    )


def test_an_answer_that_comes_too_late_is_kept_and_a_second_click_is_not() -> None:
    r = asked()
    vote = r.vote()
    r.do(vote, NORA)
    late = r.ask(replace(vote, reason="me too"), human("priya"))
    assert isinstance(late, Refusal)
    assert (late.rule, late.kept) == ("request-closed", True)
    assert late.message.endswith("too late: priya said approve, me too")
    again = r.ask(vote, NORA)
    assert isinstance(again, Refusal)
    assert (again.rule, again.kept) == ("request-closed", False)
