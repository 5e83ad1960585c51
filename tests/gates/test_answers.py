"""Answers on Required Actions: the same again is one vote, a veto always counts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from belay.domain import commands as c
from belay.domain.gates import Gate, Verdict
from belay.domain.roster import AirflowUser
from belay.domain.run import Run
from belay.domain.state import Status
from belay.execution import RefusedError, execute
from belay.gates.admit import propose
from belay.gates.answers import APPROVE, REJECT, VETO, record_answer
from belay.gates.approval import approval
from belay.gates.intake import parse_proposal
from belay.gates.widen import widen
from belay.services import Services
from belay.settings import Settings

PACKAGED = Path(__file__).resolve().parents[2] / "include" / "capabilities"
NAME, RUN = "delivery-date", Run("rollout__checkout_wording", "delivery-date__step1")


@pytest.fixture
def belay(tmp_path):
    """A step that waits for one cx_owner."""
    shutil.copytree(PACKAGED, tmp_path / "include" / "capabilities")
    environment = {"BELAY_HOME": str(tmp_path / "home")}
    environment["BELAY_POLICIES"] = str(tmp_path / "include" / "capabilities")
    belay = Services(Settings.from_env(environment))
    document = {
        "optimization": NAME,
        "capability": "checkout_wording",
        "title": "Say when the parcel will arrive",
        "hypothesis": "A date helps people decide.",
        "variants": [{"key": "treatment", "payload": 1}],
        "agent": "copywriter",
        "agent_owner": "dana",
        "tags": ["brand"],
    }
    propose(belay, parse_proposal(document))
    execute(belay, c.StartStep(NAME, RUN.name, belay.policy("checkout_wording")), by="admit")
    for gate in (Gate.QUALITY, Gate.WINDOW, Gate.REVIEW):
        evidence = belay.ledger.put_evidence({"kind": str(gate)})
        execute(belay, c.JudgeGate(NAME, 1, gate, Verdict.PASS, "no harm", evidence), by=str(gate))
    approval(belay, NAME, 1)
    return belay


def votes(belay):
    (request,) = belay.ledger.state().requests.values()
    return [(vote.voter, str(vote.choice)) for vote in request.votes]


def test_the_same_answer_twice_is_one_vote(belay):
    for _ in range(2):
        record_answer(belay, RUN, AirflowUser("nora"), APPROVE, "looks right")
    assert votes(belay) == [("nora", "approve")]


def test_a_change_of_mind_is_told_that_it_does_not_count(belay):
    record_answer(belay, RUN, AirflowUser("nora"), APPROVE, "looks right")
    with pytest.raises(RefusedError, match="request-closed"):
        record_answer(belay, RUN, AirflowUser("nora"), REJECT, "on second thoughts")
    assert votes(belay) == [("nora", "approve")]


def test_a_vote_on_what_is_not_asked_any_more_is_refused(belay):
    with pytest.raises(RefusedError, match="open the request again"):
        record_answer(belay, RUN, AirflowUser("nora"), APPROVE, "looks right", "0" * 64)
    assert votes(belay) == []


def test_a_veto_counts_before_and_after_and_whatever_was_shown(belay):
    record_answer(belay, RUN, AirflowUser("nora"), APPROVE, "looks right")
    approval(belay, NAME, 1)
    widen(belay, NAME, 1)
    assert belay.flags.read(NAME).scope == 100
    for _ in range(2):
        record_answer(belay, RUN, AirflowUser("omar"), VETO, "not with our name", "0" * 64)
    known = belay.ledger.state().optimizations[NAME]
    assert (known.status, known.scope, belay.flags.read(NAME).scope) == (Status.VETOED, 0, 0)


@pytest.mark.parametrize(("user", "rule"), [("mallory", "roster"), ("timo", "role"), ("ruth", "role")])
def test_who_has_no_right_is_told_so(belay, user, rule):
    with pytest.raises(RefusedError, match=f"rule: {rule}"):
        record_answer(belay, RUN, AirflowUser(user), APPROVE, "let me in")
    assert votes(belay) == []


def test_a_run_that_asks_nobody_takes_no_answer(belay):
    with pytest.raises(RefusedError, match="asks nobody"):
        record_answer(belay, RUN._replace(run_id="another-run"), AirflowUser("nora"), APPROVE, "looks right")
