"""The kill switch, widenings that lost, and what nobody decided."""

from __future__ import annotations

import pytest
from tests.support.builders import (
    BOT,
    GATE,
    MAY_LIFT,
    NOW,
    OLIVE,
    VERA,
    Rehearsal,
    a_policy,
    a_proposal,
)

from belay.domain import commands as c
from belay.domain import events as e
from belay.domain.rules.actuation import widening_stands
from belay.domain.stages import Stage


def stop(target: str = "all", **epochs: int) -> c.Stop:
    named = {name.replace("_", "-"): epoch for name, epoch in epochs.items()}
    return c.Stop("stop-1", target, "wrong prices", "cli", NOW, named)


def pending(r: Rehearsal) -> tuple[int, int, bool]:
    found = r.optimization().pending
    assert found is not None
    return found.to_scope, found.epoch, found.widening


@pytest.mark.parametrize("target", ["all", "surface:checkout", "capability:wording"])
def test_a_stop_takes_down_freezes_and_drops_to_observe(target: str) -> None:
    r = Rehearsal().proposed()
    r.widened()
    r.asked()
    kinds = [type(event) for event in r.do(stop(target), VERA)]
    assert kinds == [
        e.KillSwitchPulled,
        e.Frozen,
        e.RequestClosed,
        e.NarrowingIntended,
        e.OptimizationEnded,
        e.StageDemoted,
    ]
    assert pending(r) == (0, 2, False)
    assert r.state.capabilities["wording"].stage is Stage.OBSERVE
    assert target in r.state.freezes
    assert r.state.open_requests() == []
    r.confirm()
    assert (r.optimization().scope, r.optimization().status) == (0, "killed")


def test_a_stop_elsewhere_touches_nothing_here() -> None:
    r = Rehearsal().proposed()
    r.widened()
    for target in ("surface:search", "capability:ranking"):
        assert [type(event) for event in r.do(stop(target), VERA)] == [e.KillSwitchPulled, e.Frozen]
    assert (r.optimization().pending, r.optimization().scope) == (None, 100)
    assert r.state.capabilities["wording"].stage is Stage.SUPERVISED


def test_people_stop_and_say_why() -> None:
    r = Rehearsal().proposed()
    for nobody in (BOT, GATE):
        assert r.refused(stop(), nobody) == "people-stop"
    assert r.refused(c.Stop("s", "all", " ", "cli", NOW), VERA) == "reason"


def test_the_ledger_follows_the_epoch_that_the_flags_are_at_zero_under() -> None:
    r = Rehearsal().proposed()
    r.widened(steps=2)
    r.do(stop("all", opt_1=7), VERA)
    assert pending(r) == (0, 7, False)
    again = r.do(c.Stop("stop-2", "all", "still", "cli", NOW, {"opt-1": 7}), VERA)
    assert [type(event) for event in again] == [e.KillSwitchPulled], "it is on its way already"
    r.do(c.Stop("stop-3", "all", "still", "cli", NOW, {"opt-1": 9}), VERA)
    assert pending(r) == (0, 9, False)


def test_a_stop_beats_a_widening_under_way_whatever_epoch_it_found() -> None:
    r = Rehearsal().proposed()
    r.widened()
    r.intended()
    assert pending(r) == (500, 2, True)
    r.do(stop("all", opt_1=2), VERA)  # the flags were at zero under 2 before the widening was applied
    assert pending(r) == (0, 3, False)
    assert r.refused(c.ConfirmScope("opt-1", 500, 2, "late", NOW)) == "stale-epoch"


def test_what_is_complete_is_stopped_too_and_what_never_showed_stays_proposed() -> None:
    r = Rehearsal().proposed()
    r.widened(steps=4)
    r.do(c.Propose(a_proposal("opt-2"), r.policy), BOT)
    r.do(stop(), VERA)
    assert r.optimization().status == "killed"
    assert r.optimization("opt-2").status == "proposed"
    r.do(c.Unfreeze("all", "over", MAY_LIFT), OLIVE)
    r.started("opt-2")
    assert "nothing is shown" in r.optimization("opt-2").reason, "the stage is observe now"


def test_a_freeze_turns_a_widening_under_way_back() -> None:
    r = Rehearsal().proposed()
    r.widened()
    number = r.intended()
    kinds = [type(event) for event in r.do(c.Freeze("all", "sale"))]
    assert kinds == [e.Frozen, e.NarrowingIntended]
    assert pending(r) == (100, 3, False)
    assert not r.optimization().status.ended
    r.confirm()
    assert r.optimization().scope == 100
    r.do(c.Unfreeze("all", "over", MAY_LIFT), OLIVE)
    assert r.refused(c.IntendWidening("opt-1", number)) == "no-grant", "a grant is spent once"
    r.widened()
    assert r.optimization().scope == 500


@pytest.mark.parametrize("what", ["policy", "demotion"])
def test_stricter_rules_turn_a_widening_under_way_back(what: str) -> None:
    r = Rehearsal().proposed()
    r.widened()
    r.intended()
    if what == "policy":
        r.adopt(a_policy(title="other"))
    else:
        r.do(c.Demote("wording", Stage.SUGGEST, "harm-rate", "x"))
    assert pending(r) == (100, 3, False)


def test_turning_back_is_for_the_widening_that_lost_and_no_other() -> None:
    r = Rehearsal().proposed()
    assert r.refused(c.TurnBack("opt-9", 1, "x", "x")) == "unknown-optimization"
    assert r.do(c.TurnBack("opt-1", 0, "x", "x")) == ()
    r.intended()
    assert r.do(c.TurnBack("opt-1", 9, "x", "x")) == ()
    r.do(c.TurnBack("opt-1", 1, "stale-epoch", "came too late"))
    assert pending(r) == (0, 2, False)
    assert not r.optimization().status.ended
    assert r.do(c.TurnBack("opt-1", 1, "x", "x")) == ()


def test_the_last_question_of_the_flag_writer() -> None:
    r = Rehearsal().proposed()

    def refusal() -> str | None:
        found = widening_stands(r.state, "opt-1", 100, 1)
        return found.rule if found else None

    assert refusal() == "stale-epoch"
    r.intended()
    assert refusal() is None
    assert widening_stands(r.state, "opt-9", 100, 1).rule == "unknown-optimization"  # type: ignore[union-attr]
    r.do(c.RollBack("opt-1", "harm", "x"))
    assert refusal() == "stale-epoch"


def test_what_is_served_wider_is_an_incident_and_narrowed_to_what_was_decided() -> None:
    r = Rehearsal().proposed()
    r.widened()
    r.asked()
    wider = c.Contain("opt-1", 2500, 6, "flagd", "someone widened it")
    kinds = [type(event) for event in r.do(wider)]
    assert kinds == [e.ServedWider, e.RequestClosed, e.NarrowingIntended]
    assert pending(r) == (100, 7, False)
    assert r.do(wider) == (), "one incident, however often it is seen"
    r.confirm()
    assert r.do(c.Contain("opt-1", 100, 7, "flagd", "as decided")) == ()
    assert r.do(c.Contain("opt-1", 0, 9, "flagd", "narrower")) == (), "it never widens"


def test_what_was_changed_by_hand_goes_to_zero() -> None:
    r = Rehearsal().proposed()
    r.widened(steps=2)
    by_hand = c.Contain("opt-1", 500, 2, "flagd", "changed by hand", by_hand=True)
    kinds = [type(event) for event in r.do(by_hand)]
    assert kinds == [e.ServedWider, e.NarrowingIntended, e.OptimizationEnded]
    assert pending(r) == (0, 3, False)
    assert r.do(by_hand) == ()
    assert r.refused(by_hand, BOT) == "agents-propose"


def test_a_flag_that_the_ledger_does_not_know_is_an_incident() -> None:
    r = Rehearsal().proposed()
    (incident,) = r.do(c.Contain("opt-9", 10_000, 3, "flagd", "nobody proposed it"))
    assert isinstance(incident, e.ServedWider)
    assert (incident.decided_scope, incident.decided_epoch) == (0, 0)


def test_many_confirmations_in_one_breath() -> None:
    r = Rehearsal().proposed()
    r.intended()
    right = c.ConfirmScope("opt-1", 100, 1, "t", NOW)
    late = c.ConfirmScope("opt-1", 500, 1, "t", NOW)
    assert len(r.do(c.ConfirmScopes((late, right)))) == 1
    assert r.optimization().scope == 100
