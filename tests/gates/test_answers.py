"""Answers on Required Actions: the same again is one vote, a veto always counts."""

from __future__ import annotations

import pytest
from tests.support.waiting import NAME, RUN, waiting_for_an_answer

from belay.domain.roster import AirflowUser
from belay.domain.state import Status
from belay.execution import RefusedError
from belay.gates.airflow_answers import APPROVE, REJECT, VETO, record_answer
from belay.gates.approval import approval
from belay.gates.widen import widen


@pytest.fixture
def belay(tmp_path):
    return waiting_for_an_answer(tmp_path)


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
