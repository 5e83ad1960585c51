"""A veto on a capability, or the kill switch, ends its promotion: no question, no grant (I3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support.builders import EASY, MAY_LIFT, NORA, OLIVE, VERA, VETO, Rehearsal, a_policy

from belay.domain import commands as c
from belay.domain.request_state import RequestStatus
from belay.domain.rules.answer import Refusal
from belay.domain.stages import Stage

WAYS = ["veto", "stop"]


def end_it(r: Rehearsal, way: str) -> None:
    if way == "veto":
        r.do(c.Veto("capability:wording", "stop it", frozenset({VETO}), "cli"), VERA)
    else:
        r.do(c.Stop("stop-1", "capability:wording", "stop it", "cli", r.now), OLIVE)
        r.do(c.Unfreeze("capability:wording", "looked into", MAY_LIFT), OLIVE)


@pytest.mark.parametrize("way", WAYS)
def test_a_grant_not_used_yet_is_void_at_the_lowest_stage_as_well(way: str) -> None:
    r = Rehearsal(a_policy(initial_stage=Stage.OBSERVE)).adopt()
    r.promotion_granted(Stage.SUGGEST)
    end_it(r, way)
    assert isinstance(r.ask(c.Promote("wording", Stage.SUGGEST, "earned")), Refusal)
    assert r.state.capabilities["wording"].stage is Stage.OBSERVE


@pytest.mark.parametrize("way", WAYS)
def test_an_open_question_is_void_and_takes_no_answer(way: str) -> None:
    r = Rehearsal(a_policy()).adopt()
    run = r.promotion_reviewed(Stage.BOUNDED)
    r.do(c.RequestPromotion("wording", run, r.policy))
    asked = r.vote()
    end_it(r, way)
    assert r.state.requests[asked.request].status is RequestStatus.VOID
    assert isinstance(r.ask(asked, NORA), Refusal)


def test_a_policy_without_a_lease_prolongs_none() -> None:
    r = Rehearsal(a_policy()).adopt()
    ends = r.state.capabilities["wording"].lease_until
    r.tick(timedelta(days=1).total_seconds())
    without = replace(r.policy, digest="a" * 64, autonomy=replace(EASY, leases={}))
    r.do(c.AdoptPolicy(without, "no lease any more"), OLIVE)
    r.do(c.AdoptPolicy(r.policy, "as it was"), OLIVE)
    assert ends is not None
    assert r.state.capabilities["wording"].lease_until == ends
