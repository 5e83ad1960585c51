"""Admission, rule by rule: each holds the step, says why, and stops the widening."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.builders import BOT, NORA, Rehearsal, a_policy, a_proposal

from belay.domain import commands as c
from belay.domain.gates import Gate, Verdict
from belay.domain.proposal import Variant
from belay.domain.scope import HoldbackRule
from belay.domain.stages import Stage


def held(r: Rehearsal, name: str = "opt-1") -> str:
    """Start a step, insist that it is held, and return the reason."""
    number = r.started(name)
    known = r.optimization(name)
    assert known.step is not None
    assert known.step.gates[Gate.ADMIT].verdict is Verdict.HOLD
    assert known.status == "held"
    assert r.refused(c.IntendWidening(name, number)) in {"gates", "freeze"}
    return known.reason


def limited(**changes: int) -> Rehearsal:
    policy = a_policy()
    return Rehearsal(replace(policy, limits=replace(policy.limits, **changes)))


def guarded(**changes: int) -> Rehearsal:
    """Limits over all capabilities, and two percent held back from what is complete."""
    policy = a_policy()
    held_back = HoldbackRule(share=200, horizon_seconds=86_400, rotate_seconds=3600)
    return Rehearsal(replace(policy, guard=replace(policy.guard, **changes), holdback=held_back))


def elsewhere(r: Rehearsal) -> None:
    """Let the next proposal be one for another surface."""
    r.policy = replace(r.policy, surface="basket", digest="b" * 64)
    r.adopt()


def test_admitted() -> None:
    r = Rehearsal().proposed()
    r.started()
    step = r.optimization().step
    assert step is not None
    assert step.gates[Gate.ADMIT].sentence == "one step up the ramp, 0 % → 1 %"


def test_policy_in_force() -> None:
    r = Rehearsal().proposed()
    r.policy = replace(r.policy, digest="e" * 64)
    assert "the policy changed meanwhile" in held(r)


@pytest.mark.parametrize("target", ["all", "surface:checkout", "capability:wording"])
def test_no_freeze(target: str) -> None:
    r = Rehearsal().proposed()
    r.do(c.Freeze(target, "sale"), NORA)
    assert held(r) == f"{target} is frozen by human:nora: sale"


def test_one_step_means_that_the_last_one_is_confirmed() -> None:
    r = Rehearsal().proposed()
    r.intended()
    r.started()
    assert "an earlier change of scope is not confirmed" in r.optimization().reason
    r.confirm()
    assert r.refused(c.IntendWidening("opt-1", 2)) == "gates"


def test_stage_shows() -> None:
    r = Rehearsal(a_policy(initial_stage=Stage.OBSERVE)).proposed()
    assert "nothing is shown" in held(r)


def test_max_variants() -> None:
    r = Rehearsal()
    variants = tuple(Variant(f"v{n}", n) for n in range(3))
    r.proposed(variants=variants)
    assert held(r) == "3 variants; the policy allows 2"


def test_surface_free() -> None:
    r = Rehearsal().proposed()
    r.widened()
    r.do(c.Propose(a_proposal("opt-2"), r.policy), BOT)
    assert held(r, "opt-2") == "surface checkout is taken by opt-1"
    r.do(c.RollBack("opt-1", "person", "make room"))
    assert "taken by opt-1" in held(r, "opt-2"), "until the flags were read back"
    r.confirm()
    r.started("opt-2")
    assert r.optimization("opt-2").status == "climbing"


def test_a_surface_is_free_beside_what_is_complete() -> None:
    r = Rehearsal().proposed()
    r.widened(steps=4)
    r.do(c.Propose(a_proposal("opt-2"), r.policy), BOT)
    r.widened("opt-2")
    assert r.optimization("opt-2").scope == 100


def test_two_admitted_side_by_side_do_not_both_widen() -> None:
    r = Rehearsal().proposed()
    r.do(c.Propose(a_proposal("opt-2"), r.policy), BOT)
    first = r.granted()
    second = r.reviewed("opt-2")
    r.do(c.RequestOversight("opt-2", second, r.policy))
    r.tick(r.policy.approval.notice_seconds)
    r.do(c.SettleRequest(r.request().id))
    r.do(c.IntendWidening("opt-1", first))
    assert r.refused(c.IntendWidening("opt-2", second)) == "surface-free"


def test_max_live() -> None:
    r = limited(max_live=1).proposed()
    r.widened()
    r.policy = replace(r.policy, surface="basket", digest="b" * 64)
    r.adopt()
    r.do(c.Propose(a_proposal("opt-2"), r.policy), BOT)
    assert held(r, "opt-2") == "1 optimizations of wording are live; the policy allows 1"


def test_live_per_surface_counts_what_is_still_held_back() -> None:
    r = guarded(live_per_surface=1).proposed()
    r.widened(steps=4)
    assert (r.optimization().status, r.optimization().holdback) == ("completed", 200)
    r.do(c.Propose(a_proposal("opt-2"), r.policy), BOT)
    assert held(r, "opt-2") == "1 changes are measured on checkout; the policy allows 1"
    elsewhere(r)
    r.do(c.Propose(a_proposal("opt-3"), r.policy), BOT)
    r.widened("opt-3")
    assert r.optimization("opt-3").scope == 100


def test_variants_per_surface_counts_all_that_are_shown_there() -> None:
    r = guarded(variants_per_surface=2)
    r.proposed()
    r.widened(steps=4)
    two = tuple(Variant(f"v{n}", n) for n in range(2))
    r.do(c.Propose(a_proposal("opt-2", variants=two), r.policy), BOT)
    assert held(r, "opt-2") == "3 variants would be measured on checkout; the policy allows 2"
    r.do(c.Propose(a_proposal("opt-3"), r.policy), BOT)
    r.widened("opt-3")
    assert r.optimization("opt-3").scope == 100


def test_changes_per_unit_counts_what_a_unit_may_meet_on_any_surface() -> None:
    r = guarded(changes_per_unit=1).proposed(audience={"country": "NL"})
    r.widened()
    elsewhere(r)
    r.do(c.Propose(a_proposal("opt-2", audience={"device": "phone"}), r.policy), BOT)
    assert held(r, "opt-2") == "a unit may meet 1 climbing changes already; the policy allows 1"
    r.do(c.Propose(a_proposal("opt-3", audience={"country": "DE"}), r.policy), BOT)
    r.widened("opt-3")
    assert r.optimization("opt-3").scope == 100, "nobody is in both countries"


def test_change_budget() -> None:
    r = limited(changes_per_day=2).proposed()
    r.widened(steps=2)
    assert held(r) == "the change budget is spent: 2 widenings in the last 24 hours"
    r.tick(86_400)
    r.started()
    assert r.optimization().status == "climbing"


def test_supervision() -> None:
    r = limited(max_open_requests=1).proposed()
    r.asked()
    r.do(c.Propose(a_proposal("opt-2"), r.policy), BOT)
    assert held(r, "opt-2") == "supervision is saturated: 1 open requests; answer some first"


def test_what_had_to_be_measured() -> None:
    r = Rehearsal().proposed()
    findings = (
        c.Finding("roster", Verdict.PASS, "somebody can answer"),
        c.Finding("traffic", Verdict.HOLD, "too little traffic"),
    )
    r.do(c.StartStep("opt-1", "run", r.policy, findings, "e" * 64))
    assert r.optimization().reason == "too little traffic"
