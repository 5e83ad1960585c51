"""The way of an optimization from gate to gate: a real lake, real flags, a real ledger."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest

from belay.domain.events import Choice, OversightRequested, WideningIntended
from belay.domain.gates import Verdict
from belay.domain.oversight import Oversight
from belay.domain.state import Status
from belay.execution import RefusedError
from belay.flags.target import FlagsUnavailable
from belay.gates.admit import admit
from belay.gates.approval import approval
from belay.gates.quality import quality
from belay.gates.review import review
from belay.gates.widen import widen
from belay.gates.window import window_look
from belay.ledger.verify import verify
from belay.oversight import people

pytestmark = pytest.mark.slow


class Later:
    """A wall clock that a test sets forward."""

    def __init__(self, world) -> None:
        self.ahead = timedelta()
        world.belay.now = lambda: datetime.now(UTC) + self.ahead


def to_review(world, name, step):
    """Pass admit, quality and window, and return the review's outcome."""
    assert admit(world.belay, name, f"{name}__step{step}").verdict is Verdict.PASS
    assert quality(world.belay, name, step).verdict is Verdict.PASS
    while (look := window_look(world.belay, name, step)).outcome is None:
        assert "blind" not in look.sentence
        world.run(6)
    return look.outcome if look.outcome.verdict is Verdict.FAIL else review(world.belay, name, step)


def exposed(world, name):
    """Take the first step, whose notice passes without a veto."""
    clock = Later(world)
    assert to_review(world, name, 1).verdict is Verdict.PASS
    assert approval(world.belay, name, 1).outcome is None
    clock.ahead = timedelta(seconds=5)
    assert approval(world.belay, name, 1).outcome.verdict is Verdict.PASS
    assert widen(world.belay, name, 1).scope == 2000
    world.run(8)


def test_a_good_change_climbs_two_steps_and_is_asked_about_once(world):
    name = world.propose("checkout-good")
    exposed(world, name)
    judged = to_review(world, name, 2)
    assert judged.verdict is Verdict.PASS, judged.sentence
    with pytest.raises(RefusedError, match="no unused grant"):
        widen(world.belay, name, 2)
    asked = approval(world.belay, name, 2)
    assert asked.outcome is None
    assert asked.missing == ("0 of 1 approvals", "needs a cx_owner")
    nora = world.belay.roster().person("nora")
    people.vote(world.belay, asked.request.id, Choice.APPROVE, person=nora, reason="good", via="test")
    assert approval(world.belay, name, 2).outcome.verdict is Verdict.PASS
    for _ in range(3):  # a retried task takes the step once
        assert widen(world.belay, name, 2).scope == 5000
    events = [e.event for e in world.belay.ledger.history(optimization=name)]
    assert [e.to_scope for e in events if isinstance(e, WideningIntended)] == [2000, 5000]
    assert world.belay.flags.read(name).scope == 5000
    assert verify(world.belay.ledger).ok


def test_harm_in_the_window_takes_it_down_at_once_and_people_may_resume_what_was_not_shown_to_last(world):
    name = world.propose("checkout-bad")
    exposed(world, name)
    judged = to_review(world, name, 2)
    assert judged.verdict is Verdict.FAIL
    assert "Conversion" in judged.sentence
    assert "so far, on 1 day" in judged.sentence
    known = world.known(name)
    assert (known.status, known.scope) == (Status.HELD, 0)
    assert known.results.harmed_at is None, "one day says little of others: the record is not charged"
    assert known.results.cautioned_at is not None
    assert world.belay.flags.read(name).scope == 0
    # It climbs again only when people say so, whatever the stage would let pass with notice.
    assert to_review(world, name, 3).verdict is Verdict.PASS
    assert approval(world.belay, name, 3).outcome is None
    (request,) = [r for r in world.belay.ledger.state().requests.values() if r.step == 3]
    assert request.oversight is Oversight.APPROVE
    asked = [e.event for e in world.belay.ledger.history(optimization=name)]
    rules = [rule for e in asked if isinstance(e, OversightRequested) and e.step == 3 for rule in e.rules]
    assert any(rule.startswith("caution: approve") for rule in rules)


def test_a_widening_that_cannot_reach_the_flags_is_finished_later(world):
    name = world.propose("checkout-good")
    clock = Later(world)
    to_review(world, name, 1)
    approval(world.belay, name, 1)
    clock.ahead = timedelta(seconds=5)
    approval(world.belay, name, 1)
    flags = world.home / "flags"
    flags.mkdir(exist_ok=True)
    lock = flags / "flags.flagd.json.lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()  # no writer can take its turn, root or not
    with pytest.raises(FlagsUnavailable, match="cannot be locked"):
        widen(world.belay, name, 1)
    assert world.known(name).scope == 0
    assert world.known(name).pending.to_scope == 2000
    lock.rmdir()
    assert widen(world.belay, name, 1).scope == 2000
    assert verify(world.belay.ledger).ok


def test_a_freeze_between_approval_and_widening_holds(world):
    name = world.propose("checkout-good")
    clock = Later(world)
    to_review(world, name, 1)
    approval(world.belay, name, 1)
    clock.ahead = timedelta(seconds=5)
    approval(world.belay, name, 1)
    omar = world.belay.roster().person("omar")
    people.freeze(world.belay, "surface:checkout", person=omar, reason="sale")
    with pytest.raises(RefusedError, match="sale"):
        widen(world.belay, name, 1)
    people.unfreeze(world.belay, "surface:checkout", person=omar, reason="over")
    assert widen(world.belay, name, 1).scope == 2000


def test_a_window_whose_data_stand_still_records_no_look_a_poll(world):
    name = world.propose("checkout-good")
    exposed(world, name)
    admit(world.belay, name, "run2")
    quality(world.belay, name, 2)
    assert window_look(world.belay, name, 2).outcome is None
    head = world.belay.ledger.head()
    for _ in range(3):
        still = window_look(world.belay, name, 2)
        assert still.outcome is None
        assert still.sentence.startswith("no data since the last look: look 2: ")
    assert world.belay.ledger.head() == head
    world.run(2)
    assert window_look(world.belay, name, 2).outcome is None
    assert world.belay.ledger.head() != head


def test_without_a_warehouse_nothing_widens_and_a_veto_still_works(world):
    name = world.propose("checkout-good")
    exposed(world, name)
    admit(world.belay, name, "run2")
    quality(world.belay, name, 2)
    os.rename(world.home / "lake", world.home / "away")  # noqa: PTH104 - a folder that goes away
    look = window_look(world.belay, name, 2)
    assert look.outcome is None
    assert look.sentence.startswith("blind: ")
    nora = world.belay.roster().person("nora")
    assert people.veto(world.belay, name, person=nora, reason="cannot see", via="test") == [name]
    assert world.belay.flags.read(name).scope == 0


def test_what_is_human_only_shows_nothing_to_anybody(world):
    name = world.propose("voice", capability="brand_voice", agent="copywriter")
    said = admit(world.belay, name, "run")
    assert said.verdict is Verdict.HOLD
    assert "nothing is shown" in said.sentence
    with pytest.raises(RefusedError):
        widen(world.belay, name, 1)
