"""The final check: widening, narrowing, veto, and what the flags were read to show."""

from __future__ import annotations

import pytest
from tests.support.builders import BOT, GATE, NORA, VERA, VETO, Rehearsal, a_policy, a_proposal

from belay.domain import commands as c
from belay.domain.actors import Actor
from belay.domain.events import NarrowingIntended, OptimizationEnded, RequestClosed, StageDemoted, Vetoed
from belay.domain.gates import Gate, Verdict
from belay.domain.stages import Stage


def veto(target: str = "opt-1", reason: str = "not like this", *roles: str) -> c.Veto:
    return c.Veto(target, reason, frozenset(roles or (VETO,)), "cli")


def pending(r: Rehearsal) -> tuple[int, int, bool]:
    found = r.optimization().pending
    assert found is not None
    return found.to_scope, found.epoch, found.widening


def test_a_grant_is_spent_once() -> None:
    r = Rehearsal().proposed()
    number = r.intended()
    assert pending(r) == (100, 1, True)
    assert r.do(c.IntendWidening("opt-1", number)) == (), "a writer that was interrupted goes on"
    r.confirm()
    assert r.do(c.IntendWidening("opt-1", number)) == (), "done already"
    assert r.optimization().scope == 100


def test_every_refusal_to_widen() -> None:
    r = Rehearsal().proposed()
    assert r.refused(c.IntendWidening("opt-9", 1)) == "unknown-optimization"
    assert r.refused(c.IntendWidening("opt-1", 1)) == "no-such-step"
    number = r.started()
    assert r.refused(c.IntendWidening("opt-1", number)) == "gates"
    for gate in (Gate.QUALITY, Gate.WINDOW, Gate.REVIEW):
        r.judged(gate)
    assert r.refused(c.IntendWidening("opt-1", number)) == "no-grant"
    assert r.refused(c.IntendWidening("opt-1", number + 1)) == "no-such-step"
    r.do(c.RollBack("opt-1", "person", "enough"))
    assert r.refused(c.IntendWidening("opt-1", number)) == "ended"


def test_a_grant_of_an_earlier_run_is_not_this_runs() -> None:
    r = Rehearsal().proposed()
    r.granted()
    number = r.reviewed()
    assert r.refused(c.IntendWidening("opt-1", number)) == "no-grant"


def test_a_gate_that_changed_its_mind_after_the_grant() -> None:
    r = Rehearsal().proposed()
    number = r.granted()
    r.judged(Gate.QUALITY, Verdict.FAIL)
    assert r.refused(c.IntendWidening("opt-1", number)) == "gates"


def test_the_whole_ramp_step_by_step() -> None:
    r = Rehearsal().proposed()
    scopes = []
    for _ in range(4):
        r.widened()
        scopes.append(r.optimization().scope)
    assert scopes == [100, 500, 2500, 10_000]
    assert [phase.scope for phase in r.optimization().phases] == scopes
    assert (r.optimization().status, r.optimization().shown_harmless) == ("completed", 2500)


@pytest.mark.parametrize("by", [BOT, GATE, NORA])
def test_anybody_rolls_back(by: Actor) -> None:
    r = Rehearsal().proposed()
    r.widened()
    events = r.do(c.RollBack("opt-1", "harm", "it hurts"), by)
    assert [type(event) for event in events] == [NarrowingIntended, OptimizationEnded]
    assert r.do(c.RollBack("opt-1", "harm", "it hurts"), by) == (), "asked twice, done once"
    r.confirm()
    assert (r.optimization().scope, r.optimization().status) == (0, "rolled_back")


def test_rolling_back_asks_no_freeze_and_no_policy() -> None:
    r = Rehearsal().proposed()
    r.widened()
    r.do(c.Freeze("all", "x"))
    r.adopt(a_policy(title="other"))
    r.do(c.RollBack("opt-1", "harm", "it hurts"))
    assert pending(r) == (0, 2, False)


def test_a_roll_back_that_would_widen() -> None:
    r = Rehearsal().proposed()
    r.widened()
    assert r.refused(c.RollBack("opt-9", "x", "x")) == "unknown-optimization"
    assert r.refused(c.RollBack("opt-1", "x", "x", to_scope=101)) == "only-narrows"
    assert r.refused(c.RollBack("opt-1", "x", "x", to_scope=-1)) == "only-narrows"
    assert r.do(c.RollBack("opt-1", "x", "x", to_scope=100)) == ()


def test_narrowing_to_a_smaller_scope_does_not_end_it() -> None:
    r = Rehearsal().proposed()
    r.widened(steps=2)
    r.do(c.RollBack("opt-1", "guard", "blind", to_scope=100))
    assert not r.optimization().status.ended
    r.confirm()
    r.widened()
    assert r.optimization().scope == 500


def test_a_narrowing_under_way_is_never_lifted() -> None:
    r = Rehearsal().proposed()
    r.widened(steps=2)
    r.do(c.RollBack("opt-1", "guard", "blind", to_scope=100))
    assert r.do(c.RollBack("opt-1", "guard", "less blind", to_scope=300)) == ()
    assert pending(r) == (100, 3, False)


@pytest.mark.parametrize("to_scope", [0, 100, 300, 500])
def test_a_roll_back_ends_a_widening_under_way(to_scope: int) -> None:
    r = Rehearsal().proposed()
    r.widened()
    r.intended()
    assert pending(r) == (500, 2, True)
    r.do(c.RollBack("opt-1", "harm", "it hurts", to_scope=to_scope))
    assert pending(r) == (min(to_scope, 100), 3, False)
    assert r.refused(c.ConfirmScope("opt-1", 500, 2, "late", r.now)) == "stale-epoch"


def test_rolling_back_what_was_never_shown_and_what_is_complete() -> None:
    r = Rehearsal().proposed()
    (ended,) = r.do(c.RollBack("opt-1", "person", "no need"))
    assert isinstance(ended, OptimizationEnded)
    r = Rehearsal().proposed()
    r.widened(steps=4)
    r.do(c.RollBack("opt-1", "harm", "later than hoped"))
    assert r.optimization().status == "rolled_back"


def test_the_first_end_stays_on_record() -> None:
    r = Rehearsal().proposed()
    r.widened()
    r.do(veto(), VERA)
    assert r.do(c.RollBack("opt-1", "harm", "too")) == ()
    assert r.optimization().status == "vetoed"


def test_every_refusal_of_a_veto() -> None:
    r = Rehearsal().proposed()
    for nobody in (BOT, GATE):
        assert r.refused(veto(), nobody) == "people-veto"
    assert r.refused(veto(reason=" "), VERA) == "reason"
    assert r.refused(veto("opt-9"), VERA) == "unknown-target"
    assert r.refused(veto("capability:x"), VERA) == "unknown-target"
    assert r.refused(veto("opt-1", "no", "cx_owner"), VERA) == "role"
    r.do(veto(), VERA)
    assert r.refused(veto(), VERA) == "ended"


def test_a_veto_wins_over_any_number_of_approvals_in_any_order() -> None:
    r = Rehearsal(a_policy(initial_stage=Stage.SUGGEST)).proposed()
    number = r.asked()
    vote = r.vote()
    r.do(vote, NORA)
    r.do(veto(), VERA)
    assert r.refused(c.IntendWidening("opt-1", number)) == "ended"
    r = Rehearsal(a_policy(initial_stage=Stage.SUGGEST)).proposed()
    r.asked()
    vote = r.vote()
    kinds = [type(event) for event in r.do(veto(), VERA)]
    assert kinds == [Vetoed, RequestClosed, OptimizationEnded]
    assert r.refused(vote, NORA) == "request-closed"


def test_a_veto_stops_a_widening_under_way() -> None:
    r = Rehearsal().proposed()
    r.intended()
    r.do(veto(), VERA)
    assert pending(r) == (0, 2, False)
    assert r.refused(c.IntendWidening("opt-1", 1)) == "ended"
    assert r.refused(c.ConfirmScope("opt-1", 100, 1, "late", r.now)) == "stale-epoch"
    r.confirm()
    assert r.optimization().scope == 0


def test_a_veto_after_another_end_still_takes_it_down() -> None:
    r = Rehearsal().proposed()
    r.widened()
    r.do(c.RollBack("opt-1", "harm", "x"))
    r.do(veto(), VERA)
    assert r.optimization().status == "vetoed"
    assert pending(r)[0] == 0


def test_a_veto_on_a_capability() -> None:
    r = Rehearsal().proposed()
    r.do(c.Propose(a_proposal("opt-2"), r.policy), BOT)
    r.do(c.Propose(a_proposal("opt-3"), r.policy), BOT)
    r.do(c.RollBack("opt-3", "person", "over"))
    r.widened()
    events = r.do(veto("capability:wording"), VERA)
    assert [event.optimization for event in events if isinstance(event, OptimizationEnded)] == [
        "opt-1",
        "opt-2",
    ]
    assert any(isinstance(event, StageDemoted) and event.to_stage == "suggest" for event in events)
    assert pending(r)[0] == 0
    r.do(c.Demote("wording", Stage.OBSERVE, "kill-switch", "x"))
    assert not any(isinstance(event, StageDemoted) for event in r.do(veto("capability:wording"), VERA))


def test_confirming() -> None:
    r = Rehearsal().proposed()
    assert r.refused(c.ConfirmScope("opt-9", 0, 0, "t", r.now)) == "unknown-optimization"
    assert r.do(c.ConfirmScope("opt-1", 0, 0, "t", r.now)) == ()
    assert r.refused(c.ConfirmScope("opt-1", 100, 1, "t", r.now)) == "stale-epoch"
    r.intended()
    for scope, epoch in ((500, 1), (100, 0), (100, 2), (0, 1)):
        assert r.refused(c.ConfirmScope("opt-1", scope, epoch, "t", r.now)) == "stale-epoch"
    r.confirm()
    assert r.do(c.ConfirmScope("opt-1", 100, 1, "t", r.now)) == ()
