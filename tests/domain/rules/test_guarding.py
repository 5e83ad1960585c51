"""The week's harm: summed over all changes, and everything freezes when it is spent."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.builders import BOT, MAY_LIFT, NORA, Rehearsal, a_proposal

from belay.domain import commands as c
from belay.domain import events as e
from belay.domain.actors import service
from belay.domain.rules.guarding import exposure_days

DAY = 86_400

GUARD = service("guard")


def harmed(r: Rehearsal, days: float = 2.0) -> None:
    """Let opt-1 be shown to 1 % for so many days, and be taken down for harm."""
    r.proposed()
    r.widened()
    r.tick(days * DAY)
    r.do(c.RollBack("opt-1", "guard", "conversion fell"))
    r.confirm()


def test_harm_is_the_share_times_the_days_that_met_it() -> None:
    r = Rehearsal()
    harmed(r)
    assert exposure_days(r.optimization()) == pytest.approx(0.02)


@pytest.mark.parametrize(("limit", "spent"), [(0.0199, True), (0.02, False), (1.0, False)])
def test_beyond_the_budget_everything_freezes(limit: float, *, spent: bool) -> None:
    r = Rehearsal()
    harmed(r)
    frozen = r.do(c.SpendHarm(limit))
    assert [type(event) for event in frozen] == ([e.Frozen] if spent else [])
    assert ("all" in r.state.freezes) is spent
    if spent:
        assert "0.02 of 0.0199 days" in r.state.freezes["all"].reason
        assert "opt-1 0.02" in r.state.freezes["all"].reason
        assert r.do(c.SpendHarm(limit)) == (), "said once"


def test_what_is_on_its_way_is_turned_back() -> None:
    r = Rehearsal()
    harmed(r)
    r.do(c.Propose(a_proposal("opt-2"), r.policy), BOT)
    r.intended("opt-2")
    r.do(c.SpendHarm(0.01))
    pending = r.optimization("opt-2").pending
    assert pending is not None
    assert (pending.to_scope, pending.widening) == (0, False)


def test_what_was_taken_down_for_another_reason_harmed_nobody() -> None:
    r = Rehearsal().proposed()
    r.widened()
    r.tick(DAY)
    r.do(c.RollBack("opt-1", "person", "make room"))
    r.confirm()
    assert r.do(c.SpendHarm(0.0001)) == ()


def test_harm_is_forgotten_after_a_week() -> None:
    r = Rehearsal()
    harmed(r)
    r.tick(timedelta(days=7).total_seconds() + 1)
    assert r.do(c.SpendHarm(0.01)) == ()


def test_people_lift_it_and_only_harm_since_counts() -> None:
    r = Rehearsal()
    harmed(r)
    r.do(c.SpendHarm(0.01), GUARD)
    r.tick(60)
    r.do(c.Unfreeze("all", "looked into", MAY_LIFT), NORA)
    assert r.do(c.SpendHarm(0.01), GUARD) == ()
    assert "all" not in r.state.freezes


def test_lifting_another_freeze_answers_for_no_harm() -> None:
    r = Rehearsal()
    harmed(r)
    r.tick(60)
    r.do(c.Freeze("all", "a sale"), NORA)
    r.do(c.Unfreeze("all", "it is over", MAY_LIFT), NORA)
    assert isinstance(r.do(c.SpendHarm(0.01), GUARD)[0], e.Frozen)
