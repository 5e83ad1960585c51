"""A lent vote counts for its giver, once, in its time; silence reminds, escalates, then means no."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support.builders import ANNA, APPROVER, BOT, NORA, NOW, OLIVE, VERA, VETO, Rehearsal, a_policy

from belay.domain import commands as c
from belay.domain.actors import human
from belay.domain.capability import ApprovalRule
from belay.domain.events import Choice, RequestEscalated, RequestReminded
from belay.domain.request_state import RequestStatus
from belay.domain.rules.delegation import LONGEST
from belay.domain.rules.requests import missing_for_quorum
from belay.domain.stages import Stage

RISK = "risk_owner"
PAT, OMAR, DIRECTOR = human("pat"), human("omar"), human("dora")
TWO = ApprovalRule((APPROVER, RISK), 2, (VETO,), expires_seconds=7200, notice_seconds=3600)
HELD = {NORA.id: frozenset({APPROVER}), OMAR.id: frozenset({RISK}), ANNA.id: frozenset({APPROVER})}
"""What the roster says of those who delegate."""


def waiting(policy):
    r = Rehearsal(policy).proposed()
    r.asked()
    return r


def asked(**rule):
    """Return a rehearsal in which two roles are asked."""
    policy = a_policy(initial_stage=Stage.SUGGEST, approval=replace(TWO, **rule))
    return waiting(policy)


def lend(r, giver, to, *roles, days=2):
    r.do(c.Delegate(to.id, frozenset(roles), r.now + timedelta(days=days), "on leave", "cli"), giver)


def vote(r, who, *roles, choice=Choice.APPROVE):
    request = r.request()
    command = c.CastVote(request.id, choice, "read it", frozenset(roles), request.digest, "cli", HELD)
    return r.ask(command, who)


def test_a_delegate_answers_for_the_giver():
    r = asked()
    lend(r, NORA, PAT, APPROVER)
    vote(r, PAT)
    (given,) = r.request().votes
    assert (given.voter, given.on_behalf_of, given.roles, given.counted) == ("pat", "nora", (APPROVER,), True)
    assert missing_for_quorum(r.request(), r.request().votes) == ("1 of 2 approvals", f"needs a {RISK}")


def test_one_person_never_fills_two_seats_of_a_quorum():
    r = asked()
    lend(r, NORA, OMAR, APPROVER)
    vote(r, OMAR, RISK)
    assert r.request().votes[0].on_behalf_of == ""  # one's own role first, and one voice
    assert vote(r, OMAR).rule == "voted-already"
    assert r.request().status is RequestStatus.OPEN


def test_giver_and_delegate_have_one_voice_together():
    r = asked()
    lend(r, NORA, PAT, APPROVER)
    vote(r, PAT)
    assert vote(r, NORA, APPROVER).rule == "voted-already"
    r = asked()
    lend(r, NORA, PAT, APPROVER)
    vote(r, NORA, APPROVER)
    assert vote(r, PAT).rule == "role"


def test_a_conflicted_giver_lends_no_counted_vote():
    r = asked()  # anna answers for the bot that proposed
    lend(r, ANNA, PAT, APPROVER)
    vote(r, PAT)
    assert [v.counted for v in r.request().votes] == [False]


def test_the_owner_does_not_complete_a_quorum_through_a_delegate():
    rule = ApprovalRule((APPROVER,), 1, (VETO,), expires_seconds=7200, notice_seconds=3600)
    r = waiting(a_policy(initial_stage=Stage.SUGGEST, approval=rule))
    lend(r, OLIVE, PAT, APPROVER)
    request = r.request()
    givers = {OLIVE.id: frozenset({APPROVER})}
    r.do(c.CastVote(request.id, Choice.APPROVE, "fine", frozenset(), request.digest, "cli", givers), PAT)
    assert missing_for_quorum(r.request(), r.request().votes) == (
        "1 of 1 approvals",
        f"needs somebody besides the owner {OLIVE.id}",
    )


def test_a_delegation_ends_with_its_time_its_giver_and_its_role():
    r = asked()
    lend(r, NORA, PAT, APPROVER, days=1)
    r.now = NOW + timedelta(days=1)
    assert r.state.delegated_to("pat", r.now) == []
    r.now = NOW
    request = r.request()
    left = c.CastVote(
        request.id, Choice.APPROVE, "x", frozenset(), request.digest, "cli", {NORA.id: frozenset()}
    )
    assert r.refused(left, PAT) == "role"


def test_a_delegation_can_be_taken_back_by_the_two_it_concerns():
    r = Rehearsal().adopt()
    lend(r, NORA, PAT, APPROVER)
    (name,) = r.state.delegations
    assert r.refused(c.EndDelegation(name, "mine now"), VERA) == "not-yours"
    r.do(c.EndDelegation(name, "back early"), NORA)
    assert r.state.delegations == {}
    assert r.refused(c.EndDelegation(name, "again"), NORA) == "unknown-delegation"


@pytest.mark.parametrize(
    ("to", "roles", "until", "reason", "rule"),
    [
        ("nora", {APPROVER}, timedelta(days=1), "x", "delegate-to-another"),
        ("pat", set(), timedelta(days=1), "x", "role"),
        ("pat", {APPROVER}, timedelta(0), "x", "period"),
        ("pat", {APPROVER}, LONGEST + timedelta(days=1), "x", "period"),
        ("pat", {APPROVER}, timedelta(days=1), " ", "reason"),
    ],
)
def test_what_cannot_be_delegated(to, roles, until, reason, rule):
    r = Rehearsal().adopt()
    assert r.refused(c.Delegate(to, frozenset(roles), NOW + until, reason, "cli"), NORA) == rule


def test_agents_neither_delegate_nor_answer_for_people():
    r = asked()
    assert r.refused(c.Delegate("bot", frozenset({APPROVER}), NOW + timedelta(1), "x", "api"), BOT) == (
        "people-delegate"
    )


def test_a_veto_can_be_lent():
    r = asked()
    lend(r, VERA, PAT, VETO)
    command = c.Veto("opt-1", "not today", frozenset(), "cli", {VERA.id: frozenset({VETO})})
    r.do(command, PAT)
    assert r.optimization().status == "vetoed"


def test_delegating_twice_is_once():
    r = Rehearsal().adopt()
    lend(r, NORA, PAT, APPROVER)
    lend(r, NORA, PAT, APPROVER)
    assert len(r.state.delegations) == 1


def test_silence_reminds_then_escalates_then_means_no():
    r = asked(remind_after=0.5, escalate_after=0.75, escalate_to=("director",))
    name = r.request().id
    settle = c.SettleRequest(name)
    r.tick(3599)
    assert r.do(settle) == ()
    r.tick(1)
    assert [type(event) for event in r.do(settle)] == [RequestReminded]
    assert r.do(settle) == ()
    assert vote(r, DIRECTOR, "director").rule == "role"
    r.tick(1800)
    assert [type(event) for event in r.do(settle)] == [RequestEscalated]
    vote(r, DIRECTOR, "director")
    assert missing_for_quorum(r.request(), r.request().votes) == ("1 of 2 approvals", "needs one more")
    r.tick(1800)
    r.do(settle)
    assert r.state.requests[name].status is RequestStatus.EXPIRED
    assert r.state.requests[name].settled_at == r.now


def test_after_escalation_a_stand_in_completes_the_quorum_with_somebody_else():
    r = asked(escalate_after=0.75, escalate_to=("director",))
    name = r.request().id
    vote(r, NORA, APPROVER)
    r.tick(5400)
    r.do(c.SettleRequest(name))
    vote(r, DIRECTOR, "director")
    assert r.state.requests[name].status is RequestStatus.GRANTED


def test_an_opened_review_is_kept_once_a_person():
    r = asked()
    name = r.request().id
    r.do(c.OpenReview(name), NORA)
    assert r.do(c.OpenReview(name), NORA) == ()
    assert r.request().opened_by == ("nora",)
    assert r.refused(c.OpenReview(name), BOT) == "people-review"
