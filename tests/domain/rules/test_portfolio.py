"""The level of a step: given once a scope, spent when it is taken up, earned back when it is shown better."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.builders import Rehearsal, a_policy

from belay.domain import commands as c
from belay.domain.capability import ErrorRates
from belay.domain.events import StepStarted
from belay.domain.gates import Gate, Verdict
from belay.domain.metrics import PrimaryRule
from belay.domain.portfolio import next_level

BETTER = replace(a_policy().primary, rule=PrimaryRule.SUPERIOR, margin=0.0)


def superior(**changes: object) -> Rehearsal:
    return Rehearsal(a_policy(primary=BETTER, **changes)).proposed()


def levels(r: Rehearsal) -> list[float | None]:
    return [entry.event.level for entry in r.history if isinstance(entry.event, StepStarted)]


def decisions(r: Rehearsal) -> list[tuple[str, int, bool]]:
    known = r.state.capabilities[r.policy.id].decisions
    return [(d.optimization, d.phase, d.shown_at is not None) for d in known]


def test_the_first_exposure_spends_nothing_and_every_scope_after_it_is_a_decision() -> None:
    r = superior()
    r.widened(steps=2)
    r.started()
    first = next_level((), fdr=0.2)
    assert levels(r)[:2] == [None, pytest.approx(first)]
    assert levels(r)[2] == pytest.approx(0.05)  # the winner earned; alpha is the most a decision gets
    assert decisions(r) == [("opt-1", 1, True), ("opt-1", 2, False)]


def test_a_primary_that_must_only_not_lose_has_no_level() -> None:
    r = Rehearsal().proposed()
    r.widened(steps=3)
    assert levels(r) == [None, None, None]
    assert decisions(r) == []


def test_looking_again_at_a_scope_is_the_same_decision() -> None:
    r = superior()
    r.widened(steps=1)
    for _ in range(3):
        r.started()
        for gate in (Gate.QUALITY, Gate.WINDOW):
            r.judged(gate)
        r.judged(Gate.REVIEW, Verdict.HOLD)
    assert len(set(levels(r)[1:])) == 1
    assert decisions(r) == [("opt-1", 1, False)]


def test_a_step_that_is_not_admitted_spends_nothing() -> None:
    r = superior()
    r.widened(steps=1)
    r.do(c.StartStep("opt-1", "held", r.policy, (c.Finding("traffic", Verdict.HOLD, "too little"),)))
    assert levels(r)[-1] is None
    assert decisions(r) == []


def test_a_review_that_is_taken_back_takes_the_win_back() -> None:
    r = superior()
    r.widened(steps=1)
    r.reviewed()
    assert decisions(r) == [("opt-1", 1, True)]
    r.judged(Gate.REVIEW, Verdict.HOLD)
    assert decisions(r) == [("opt-1", 1, False)]


def test_the_stream_goes_on_from_one_optimization_to_the_next() -> None:
    r = superior()
    r.widened(steps=1)
    r.started()
    r.do(c.RollBack("opt-1", "veto", "not this one"))
    known = r.optimization()
    assert known.pending is not None
    r.do(c.ConfirmScope("opt-1", 0, known.pending.epoch, "test", r.now))
    r.proposed("opt-2", title="Another")
    r.widened("opt-2", steps=1)
    r.started("opt-2")
    assert decisions(r) == [("opt-1", 1, False), ("opt-2", 1, False)]
    assert levels(r)[-1] == pytest.approx(next_level((), fdr=0.2) * 2**-1.6)


def test_a_spent_portfolio_admits_nothing_and_says_what_would() -> None:
    r = superior()
    r.widened(steps=1)
    r.started()
    r.policy = a_policy(primary=BETTER, errors=ErrorRates(fdr=0.001))
    r.adopt()
    r.do(c.RollBack("opt-1", "veto", "not this one"))
    known = r.optimization()
    assert known.pending is not None
    r.do(c.ConfirmScope("opt-1", 0, known.pending.epoch, "test", r.now))
    r.proposed("opt-2", title="Another")
    r.widened("opt-2", steps=1)
    r.started("opt-2")
    step = r.optimization("opt-2").step
    assert step is not None
    said = step.gates[Gate.ADMIT]
    assert said.verdict is Verdict.HOLD
    assert "the error that wording may make is spent (decisions so far: 1)" in said.sentence
