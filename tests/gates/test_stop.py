"""The kill switch with each part away in turn: the flags go down first, and nothing is lost."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.live import make_live, on_its_way

from belay.actuation import flag_writer as widening
from belay.actuation import outbox
from belay.actuation import take_down as stopping
from belay.actuation.flag_writer import settle_narrowings, settle_scope
from belay.actuation.take_down import Stopped, complete_all
from belay.domain import commands as c
from belay.domain.actors import human
from belay.domain.events import KillSwitchPulled
from belay.domain.roster import Person
from belay.domain.stages import Stage
from belay.domain.state import State, Status
from belay.execution import RefusedError, execute
from belay.flags.target import FlagsUnavailable
from belay.ledger.verify import verify
from belay.oversight.stop import stop
from belay.services import Services
from belay.settings import Settings


@pytest.fixture
def belay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Services:
    monkeypatch.setattr(stopping, "PATIENCE", 0.2)
    services = Services(Settings.from_env({"BELAY_HOME": str(tmp_path)}))
    make_live(services, 3)
    make_live(services, 2, "search_ranking")
    return services


def pull(belay: Services, target: str = "all", who: str = "nora") -> Stopped:
    person = belay.roster().person(who)
    assert person is not None
    return stop(belay, target, person=person, reason="wrong prices", via="test")


def shown(belay: Services) -> dict[str, int]:
    return {flag.key: flag.scope for flag in belay.flags.read_all().values() if flag.scope}


def pulls(belay: Services) -> list[KillSwitchPulled]:
    events = (entry.event for entry in belay.ledger.history())
    return [event for event in events if isinstance(event, KillSwitchPulled)]


def settled(belay: Services) -> None:
    """Everything agrees, nothing waits, and the chain holds."""
    known = belay.ledger.state().optimizations
    for flag in belay.flags.read_all().values():
        assert (flag.scope, flag.epoch) == (known[flag.key].scope, known[flag.key].epoch)
        assert known[flag.key].pending is None
    assert outbox.waiting(belay.settings.home) == []
    assert verify(belay.ledger).ok


def test_an_edited_file_takes_nobody_the_kill_switch(tmp_path: Path) -> None:
    folder = tmp_path / "capabilities"
    shutil.copytree(Path(__file__).parents[2] / "include" / "capabilities", folder)
    belay = Services(Settings.from_env({"BELAY_HOME": str(tmp_path), "BELAY_POLICIES": str(folder)}))
    make_live(belay, 1)
    defaults = folder / "_defaults.yaml"
    defaults.write_text(defaults.read_text().replace("veto_roles: [veto]", "veto_roles: [risk_owner]"))
    assert pull(belay, "capability:checkout_wording", "nora").complete


def test_everything_goes_down_and_the_ledger_says_by_whom(belay: Services) -> None:
    stopped = pull(belay)
    assert stopped.complete
    assert "5 optimizations taken down to 0 %" in stopped.sentence
    assert shown(belay) == {}
    state = belay.ledger.state()
    assert {o.status for o in state.optimizations.values()} == {Status.KILLED}
    assert {capability.stage for capability in state.capabilities.values()} == {Stage.OBSERVE}
    assert "all" in state.freezes
    settled(belay)
    assert pull(belay).complete, "a second pull finds nothing and is recorded"
    assert len(pulls(belay)) == 2


@pytest.mark.parametrize("target", ["capability:search_ranking", "surface:search"])
def test_a_stop_of_one_part_leaves_the_others(belay: Services, target: str) -> None:
    assert len(pull(belay, target, "omar" if "surface" in target else "timo").taken_down) == 2
    assert len(shown(belay)) == 3
    state = belay.ledger.state()
    assert state.capabilities["search_ranking"].stage is Stage.OBSERVE
    assert state.capabilities["checkout_wording"].stage is not Stage.OBSERVE
    settled(belay)


@pytest.mark.parametrize(
    ("target", "who", "rule"),
    [
        ("capability:chekout_wording", "nora", "unknown-target"),
        ("chekout_wording", "nora", "unknown-target"),
        ("all", "priya", "role"),
        ("all", "dana", "role"),
    ],
)
def test_what_is_refused_touches_nothing(belay: Services, target: str, who: str, rule: str) -> None:
    with pytest.raises(RefusedError) as refused:
        pull(belay, target, who)
    assert refused.value.refusal.rule == rule
    assert len(shown(belay)) == 5
    assert pulls(belay) == []
    settled(belay)


def test_a_locked_ledger_is_told_later(belay: Services) -> None:
    with closing(sqlite3.connect(belay.settings.home / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        stopped = pull(belay)
        assert shown(belay) == {}
        assert (stopped.note.flags, stopped.note.ledger, stopped.kept) == (True, False, True)
        assert "the ledger could not be reached" in stopped.sentence
        assert [note.missing for note in outbox.waiting(belay.settings.home)] == ["ledger"]
    (later,) = complete_all(belay)
    assert "all is stopped: 5 optimizations taken down to 0 %" in later.sentence
    (told,) = pulls(belay)
    assert told.reason == "wrong prices"
    settled(belay)


def test_a_ledger_that_is_away_is_not_made_anew(belay: Services) -> None:
    belay.ledger.close()
    file, away = belay.settings.home / "ledger.db", belay.settings.home / "away.db"
    file.rename(away)
    assert not pull(belay).note.ledger
    assert shown(belay) == {}
    assert not file.exists()
    away.rename(file)
    assert pull(belay, "surface:checkout").complete, "the next stop completes those before"
    assert len(pulls(belay)) == 2
    settled(belay)


def test_flags_that_cannot_be_written_are_narrowed_later(belay: Services) -> None:
    lock = belay.settings.home / "flags" / "flags.flagd.json.lock"
    lock.unlink()
    lock.mkdir()
    stopped = pull(belay)
    assert (stopped.note.flags, stopped.note.ledger) == (False, True)
    assert "STILL SHOWN" in stopped.sentence
    assert len(shown(belay)) == 5
    assert "all" in belay.ledger.state().freezes
    lock.rmdir()
    (later,) = complete_all(belay)
    assert "all is stopped: 5 optimizations taken down to 0 %" in later.sentence
    assert shown(belay) == {}
    settled(belay)


def test_without_anything_a_stop_says_so(belay: Services) -> None:
    """No flags, no ledger, no room for a note: the answer must not look like success."""
    home = belay.settings.home
    lock = home / "flags" / "flags.flagd.json.lock"
    lock.unlink()
    lock.mkdir()
    (home / "outbox").write_text("in the way")
    (home / "ledger.db").rename(home / "away.db")
    stopped = pull(belay)
    assert not stopped.complete
    assert not stopped.kept
    assert "STOP AGAIN" in stopped.sentence


def test_a_crash_after_the_note_is_completed(belay: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def dies(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(stopping, "take_down", dies)
    with pytest.raises(Killed):
        pull(belay)
    assert len(shown(belay)) == 5
    monkeypatch.undo()
    assert [stopped.complete for stopped in complete_all(belay)] == [True]
    assert len(pulls(belay)) == 1
    settled(belay)


def test_broken_files_never_stand_in_the_way(belay: Services, tmp_path: Path) -> None:
    policies = tmp_path / "broken"
    policies.mkdir()
    (policies / "_people.yaml").write_text("{")
    blind = Services(Settings.from_env({"BELAY_HOME": str(tmp_path), "BELAY_POLICIES": str(policies)}))
    somebody = Person("somebody", "Somebody", "", frozenset())
    stopped = stop(blind, "surface:checkout", person=somebody, reason="wrong prices", via="test")
    assert stopped.complete
    assert len(shown(belay)) == 2


def test_a_flag_that_was_changed_by_hand_goes_down_too(belay: Services) -> None:
    import json

    file = belay.settings.home / "flags" / "flags.flagd.json"
    document = json.loads(file.read_text())
    mangled, *_ = document["flags"]
    document["flags"][mangled]["targeting"] = {}
    document["flags"][mangled]["defaultVariant"] = "treatment"
    unreadable = list(document["flags"])[1]
    del document["flags"][unreadable]["variants"]
    file.write_text(json.dumps(document))
    assert pull(belay).complete
    assert shown(belay) == {}
    settled(belay)


# -- a widening that meets a stop -----------------------------------------------------------------


def test_a_widening_that_stands_is_finished(belay: Services) -> None:
    on_its_way(belay)
    assert settle_scope(belay, "checkout-wording-0").scope == 2500
    settled(belay)


def test_a_stop_in_the_outbox_keeps_a_widening_out(belay: Services) -> None:
    """The ledger has not heard of the stop, but the writer sees it."""
    on_its_way(belay)
    with closing(sqlite3.connect(belay.settings.home / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        pull(belay)
    with pytest.raises(RefusedError) as lost:
        settle_scope(belay, "checkout-wording-0")
    assert lost.value.refusal.rule in {"stop", "stale-epoch"}
    assert shown(belay) == {}
    assert all(stopped.complete for stopped in complete_all(belay))
    settled(belay)


def test_a_first_exposure_is_kept_out_too(belay: Services) -> None:
    with closing(sqlite3.connect(belay.settings.home / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        pull(belay, "surface:checkout")
    from belay.actuation.flag_writer import _last_door, served_flag

    wanted = served_flag(belay.ledger.state().optimizations["checkout-wording-0"], 100, 1)
    with pytest.raises(RefusedError, match="was stopped by nora"):
        _last_door(belay, wanted, None)


@pytest.mark.parametrize(
    "command",
    [
        c.Freeze("surface:checkout", "sale"),
        c.RollBack("checkout-wording-0", "blind", "no data", to_scope=500),
        c.TurnBack("checkout-wording-0", 3, "test", "it lost"),
    ],
)
def test_what_comes_between_intent_and_write_turns_it_back(
    belay: Services, command: c.Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the writer's lock, in the last moment before the write: nothing wider is ever shown."""
    on_its_way(belay)
    apply, seen = belay.flags.apply, []

    def late(flag, *, ask=None):
        def meanwhile(served):
            execute(belay, command, by="test")
            ask(served)

        apply(flag, ask=meanwhile)

    monkeypatch.setattr(belay.flags, "apply", late)
    with pytest.raises(RefusedError):
        settle_scope(belay, "checkout-wording-0")
    seen.append(shown(belay)["checkout-wording-0"])
    known = belay.ledger.state().optimizations["checkout-wording-0"]
    assert (known.scope, known.pending, seen) == (500, None, [500])
    assert not known.status.ended
    settled(belay)


def test_a_late_writer_loses_to_the_flags(belay: Services) -> None:
    """Another machine's stop reached the flags only: the widening is turned back, the ledger follows down."""
    on_its_way(belay)
    stopping.take_down(belay, "all")
    with pytest.raises(RefusedError, match="comes too late"):
        settle_scope(belay, "checkout-wording-0")
    known = belay.ledger.state().optimizations["checkout-wording-0"]
    assert (known.scope, known.pending, known.status) == (0, None, Status.ROLLED_BACK)
    assert shown(belay) == {}


def test_a_step_is_not_taken_from_where_it_is_not_served(belay: Services) -> None:
    on_its_way(belay)
    (belay.settings.home / "flags" / "flags.flagd.json").unlink()
    with pytest.raises(FlagsUnavailable, match="is served at 0 % and 5 % was decided"):
        settle_scope(belay, "checkout-wording-0")
    assert shown(belay) == {}


def test_a_stuck_ledger_keeps_a_widening_out_and_not_a_stop(
    belay: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer that asks holds the lock that a stop needs: it must not wait for an answer for long."""
    on_its_way(belay)
    monkeypatch.setattr(widening, "_PATIENCE", 0.3)
    real, stuck, asked = belay.ledger.state, threading.Event(), threading.Event()
    calls: list[int] = []

    def state() -> State:
        calls.append(1)
        if len(calls) == 2:
            asked.set()
            stuck.wait(30)
        return real()

    monkeypatch.setattr(belay.ledger, "state", state)
    lost: list[Exception] = []

    def widen() -> None:
        try:
            settle_scope(belay, "checkout-wording-0")
        except FlagsUnavailable as error:
            lost.append(error)

    writer = threading.Thread(target=widen)
    writer.start()
    assert asked.wait(10)
    try:
        stopping.take_down(belay, "all")  # in the meantime, as another process
        assert shown(belay) == {}
    finally:
        writer.join(10)
        stuck.set()
    assert "did not answer" in str(lost[0])


def test_a_narrowing_is_not_undone_by_an_older_one(belay: Services) -> None:
    """What is served narrower than a narrowing asks for stays as narrow."""
    belay.ledger.execute(
        c.RollBack("checkout-wording-0", "blind", "no data", to_scope=100), by=human("nora"), at=belay.now()
    )
    stopping.take_down(belay, "surface:checkout")
    settle_narrowings(belay)
    assert "checkout-wording-0" not in shown(belay)
    assert belay.ledger.state().optimizations["checkout-wording-0"].scope == 0
