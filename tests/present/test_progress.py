"""Where a request stands is one line that cannot be read as complete while something is missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support.builders import ANNA, APPROVER, NORA, VETO, Rehearsal, a_policy

from belay.domain import commands as c
from belay.domain.actors import human
from belay.domain.capability import ApprovalRule
from belay.domain.roster import Person, Roster
from belay.domain.rules.requests import tally_of
from belay.domain.stages import Stage
from belay.present.card import build_card
from belay.present.markdown import progress as paragraph

RISK = "risk_owner"
TWO = ApprovalRule(
    (APPROVER, RISK), 2, (VETO,), 7200, 3600, 0.5, escalate_after=0.75, escalate_to=("director",)
)


def asked(**changes):
    r = Rehearsal(a_policy(initial_stage=Stage.SUGGEST, approval=TWO, **changes)).proposed()
    r.asked()
    return r


NAMES = {"anna": "Anna Berg", "nora": "Nora Lindqvist", "pat": "Pat Doyle"}
ROSTER = Roster(tuple(Person(name, NAMES[name], "", frozenset()) for name in NAMES))
NOBODY = "Can answer: nobody: ask whoever keeps \\_people.yaml."


def progress(r):
    card = build_card(r.state, r.request(), review=None, roster=ROSTER, ledger_head=(1, "0"), now=r.now)
    return paragraph(card)


def test_it_says_what_is_missing_and_who_has_answered():
    r = asked()
    needs = f"0 of 2 approvals; needs a {APPROVER} and a {RISK}"
    assert progress(r) == f"Answers so far: {needs}. {NOBODY}"
    r.do(r.vote(), ANNA)  # answers for the agent
    r.do(r.vote(), NORA)
    assert progress(r) == (
        f"Answers so far: 1 of 2 approvals; needs a {RISK}. "
        f"Anna Berg approved \\({APPROVER}; does not count: proposed it, or is accountable for its agent\\) "
        f"via cli: “seen”. Nora Lindqvist approved \\({APPROVER}\\) via cli: “seen”. {NOBODY}"
    )


def test_a_vote_for_somebody_names_both_and_an_escalation_says_who_may_answer():
    r = asked()
    r.do(c.Delegate("pat", frozenset({APPROVER}), r.now + timedelta(days=1), "on leave", "cli"), NORA)
    lent = replace(r.vote(), roles=frozenset(), givers={"nora": frozenset({APPROVER})})
    r.do(lent, human("pat"))
    r.tick(5400)
    r.do(c.SettleRequest(r.request().id))
    assert progress(r) == (
        f"Answers so far: 1 of 2 approvals; needs a {RISK}. "
        f"Pat Doyle for Nora Lindqvist approved \\({APPROVER}\\) via cli: “seen”. "
        f"Escalated: director may answer now too. {NOBODY}"
    )


def test_a_notice_takes_nobody():
    r = Rehearsal(a_policy()).proposed()
    r.asked()
    assert progress(r).startswith("Answers so far: nobody has to answer; a veto stops it. Can stop it: ")


@pytest.mark.parametrize(
    ("roles", "quorum", "said"),
    [
        ((APPROVER,), 1, ("0 of 1 approvals", f"needs a {APPROVER}")),
        ((APPROVER,), 2, ("0 of 2 approvals", f"needs a {APPROVER} and one more")),
        ((APPROVER,), 4, ("0 of 4 approvals", f"needs a {APPROVER} and 3 more")),
        ((APPROVER, RISK, "editor"), 3, ("0 of 3 approvals", f"needs a {APPROVER}, a {RISK} and an editor")),
        ((), 1, ("0 of 1 approvals", "needs one more")),
    ],
)
def test_what_is_there_comes_before_what_is_missing(roles, quorum, said):
    r = asked()
    request = replace(r.request(), roles=roles, quorum=quorum)
    assert tally_of(request, ()).words() == said
