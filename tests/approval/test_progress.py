from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests.support.builders import ANNA, APPROVER, NORA, VETO, Rehearsal, a_policy

from belay.approval.progress import progress
from belay.domain import commands as c
from belay.domain.actors import human
from belay.domain.capability import ApprovalRule
from belay.domain.stages import Stage

RISK = "risk_owner"
TWO = ApprovalRule(
    (APPROVER, RISK), 2, (VETO,), 7200, 3600, 0.5, escalate_after=0.75, escalate_to=("director",)
)


def asked(**changes):
    r = Rehearsal(a_policy(initial_stage=Stage.SUGGEST, approval=TWO, **changes)).proposed()
    r.asked()
    return r


def test_it_says_what_is_missing_and_who_has_answered():
    r = asked()
    assert progress(r.request()) == f"It takes: a {APPROVER}, a {RISK}, 2 of 2 approvals."
    r.do(r.vote(), ANNA)  # answers for the agent
    r.do(r.vote(), NORA)
    assert progress(r.request()) == (
        f"It takes: a {RISK}, 1 of 2 approvals. "
        f"So far: anna said approve ({APPROVER}, which does not count), nora said approve ({APPROVER})."
    )


def test_a_vote_for_somebody_names_both_and_an_escalation_says_who_may_answer():
    r = asked()
    r.do(c.Delegate("pat", frozenset({APPROVER}), r.now + timedelta(days=1), "on leave", "cli"), NORA)
    lent = replace(r.vote(), roles=frozenset(), givers={"nora": frozenset({APPROVER})})
    r.do(lent, human("pat"))
    r.tick(5400)
    r.do(c.SettleRequest(r.request().id))
    assert progress(r.request()) == (
        f"It takes: a {RISK}, 1 of 2 approvals. Who holds director may answer now too. "
        f"So far: pat for nora said approve ({APPROVER})."
    )


def test_a_notice_takes_nobody():
    r = Rehearsal(a_policy()).proposed()
    r.asked()
    assert progress(r.request()) == "It takes: nobody, unless somebody objects."
