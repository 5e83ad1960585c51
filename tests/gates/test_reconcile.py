"""What is served against what was decided: finished, narrowed, reported, never widened."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.live import append_anyway, make_live, on_its_way

from belay.actuation.flag_writer import roll_back, served_flag
from belay.actuation.guard_presence import missing_guard
from belay.actuation.reconcile import Kind, reconcile
from belay.domain import commands as c
from belay.domain.actors import human
from belay.domain.events import ServedWider, WideningIntended
from belay.domain.state import Status
from belay.execution import execute
from belay.ledger.store import LedgerError
from belay.ledger.verify import verify
from belay.ledger.watch import RECONCILE, Beat, Watch
from belay.services import Services
from belay.settings import Settings

NAME = "checkout-wording-0"


@pytest.fixture
def belay(tmp_path: Path) -> Services:
    services = Services(Settings.from_env({"BELAY_HOME": str(tmp_path)}))
    make_live(services, 3)
    return services


def flags(belay: Services) -> Path:
    return belay.settings.home / "flags" / "flags.flagd.json"


def edit(belay: Services, change: Any) -> None:
    document = json.loads(flags(belay).read_text())
    change(document["flags"])
    flags(belay).write_text(json.dumps(document))


def serve(belay: Services, scope: int, epoch: int) -> None:
    """Serve a scope that was not decided, as another program with Belay's library would."""
    edit(belay, lambda every: every.pop(NAME, None))
    belay.flags.apply(served_flag(belay.ledger.state().optimizations[NAME], scope, epoch))


def served(belay: Services) -> int | None:
    flag = belay.flags.read(NAME)
    return flag and flag.scope


def incidents(belay: Services) -> list[ServedWider]:
    events = (entry.event for entry in belay.ledger.history())
    return [event for event in events if isinstance(event, ServedWider)]


def as_decided(belay: Services) -> None:
    """A second pass finds nothing, and writes nothing."""
    before = belay.ledger.head()
    again = reconcile(belay)
    assert (again.differences, again.narrowed, again.widened, again.left) == ((), (), (), ())
    assert belay.ledger.head() == before
    assert verify(belay.ledger).ok


def test_nothing_to_do(belay: Services) -> None:
    found = reconcile(belay)
    assert (found.checked, found.left) == (3, ())
    as_decided(belay)


@pytest.mark.parametrize(("scope", "epoch"), [(501, 2), (10_000, 2), (2500, 3), (2500, 1), (600, 99)])
def test_what_is_served_wider_is_narrowed_and_an_incident(belay: Services, scope: int, epoch: int) -> None:
    serve(belay, scope, epoch)
    found = reconcile(belay)
    assert [(d.kind, d.mended) for d in found.differences] == [(Kind.WIDER, True)]
    assert served(belay) == 500
    (incident,) = incidents(belay)
    assert (incident.served_scope, incident.decided_scope) == (scope, 500)
    assert not belay.ledger.state().optimizations[NAME].status.ended
    as_decided(belay)


TAMPERINGS = {
    "everybody": lambda every: every[NAME].update(targeting={}, defaultVariant="treatment"),
    "turned off by hand": lambda every: every[NAME].update(state="DISABLED"),
    "other payload": lambda every: every[NAME]["variants"].update(treatment={"label": "-90 %"}),
    "one more variant": lambda every: every[NAME]["variants"].update(other={"label": "x"}),
    "unreadable": lambda every: every[NAME].pop("variants"),
}


@pytest.mark.parametrize("change", TAMPERINGS.values(), ids=TAMPERINGS)
def test_what_was_changed_by_hand_goes_to_zero(belay: Services, change: Any) -> None:
    """What it shows is unknown, and to write the decided scope over it might show more."""
    edit(belay, change)
    found = reconcile(belay)
    assert [(d.kind, d.mended) for d in found.differences] == [(Kind.BY_HAND, True)]
    assert served(belay) == 0
    assert belay.ledger.state().optimizations[NAME].status is Status.ROLLED_BACK
    assert len(incidents(belay)) == 1
    as_decided(belay)


def test_a_flag_of_ours_that_nobody_proposed(belay: Services) -> None:
    edit(belay, lambda every: every.update({"stranger": every[NAME]}))
    found = reconcile(belay)
    assert [(d.kind, d.optimization) for d in found.differences] == [(Kind.UNKNOWN, "stranger")]
    assert belay.flags.read_all()["stranger"].scope == 0
    as_decided(belay)


def test_flags_of_others_are_none_of_our_business(belay: Services) -> None:
    other = {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"}
    edit(belay, lambda every: every.update(theirs=other))
    as_decided(belay)
    assert json.loads(flags(belay).read_text())["flags"]["theirs"] == other


def test_an_empty_ledger_takes_nothing_down(belay: Services, tmp_path: Path) -> None:
    """The wrong ledger is likelier than a thousand incidents."""
    url = f"sqlite:///{tmp_path / 'other.db'}"
    other = Services(Settings.from_env({"BELAY_HOME": str(tmp_path), "BELAY_LEDGER_URL": url}))
    found = reconcile(other)
    assert len(found.left) == 3
    assert "is it the right one?" in found.left[0]
    assert served(belay) == 500


@pytest.mark.parametrize("scope", [0, 100, None])
def test_what_is_served_narrower_is_reported_and_not_widened(belay: Services, scope: int | None) -> None:
    if scope is None:
        edit(belay, lambda every: every.pop(NAME))
    else:
        serve(belay, scope, 2)
    before = belay.ledger.head()
    for _ in range(2):
        found = reconcile(belay)
        assert [(d.kind, d.mended) for d in found.differences] == [(Kind.NARROWER, False)]
    assert served(belay) == scope
    assert belay.ledger.head() == before, "reported, not written down again and again"
    found = reconcile(belay, accept=human("nora"))
    assert found.left == ()
    assert belay.ledger.state().optimizations[NAME].scope == (scope or 0)
    as_decided(belay)


def test_narrowings_that_stayed_behind_are_finished(belay: Services) -> None:
    for number in range(3):
        execute(belay, c.RollBack(f"checkout-wording-{number}", "harm", "it hurts"), by="test")
    assert served(belay) == 500
    assert len(reconcile(belay).narrowed) == 3
    assert served(belay) == 0
    as_decided(belay)


def test_who_compared_is_known_also_where_a_widening_was_finished(belay: Services) -> None:
    on_its_way(belay)
    assert reconcile(belay, name="airflow", every=60).widened == (NAME,)
    assert [one.guard for one in Watch(belay.ledger.engine).passes()] == [f"{RECONCILE}airflow"]


def test_a_widening_that_stands_is_finished_once(belay: Services) -> None:
    on_its_way(belay)
    assert reconcile(belay).widened == (NAME,)
    assert served(belay) == 2500
    as_decided(belay)
    events = [entry.event for entry in belay.ledger.history(optimization=NAME)]
    widenings = [event.epoch for event in events if isinstance(event, WideningIntended)]
    assert widenings == [1, 2, 3]


def test_a_widening_that_lost_is_turned_back(belay: Services) -> None:
    """A freeze that was written by an older Belay did not turn it back in the same transaction."""
    from belay.domain.events import Frozen

    on_its_way(belay)
    append_anyway(belay, [Frozen("all", "sale")])
    assert reconcile(belay).turned_back == (NAME,)
    assert served(belay) == 500
    as_decided(belay)


def test_a_change_that_came_between_is_no_incident(belay: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """The flags are read after the ledger; what moved meanwhile is compared the next time."""
    read_all, calls = belay.flags.read_all, []

    def late() -> Any:
        calls.append(1)
        if len(calls) == 1:
            on_its_way(belay)
            belay.flags.apply(served_flag(belay.ledger.state().optimizations[NAME], 2500, 3))
        return read_all()

    monkeypatch.setattr(belay.flags, "read_all", late)
    found = reconcile(belay)
    assert calls
    assert found.differences == ()
    assert incidents(belay) == []


def test_flags_that_cannot_be_read_are_a_problem(belay: Services) -> None:
    flags(belay).write_text("{")
    found = reconcile(belay)
    assert len(found.problems) == 1
    assert "cannot be read" in found.problems[0]


def test_flags_that_cannot_be_written_are_tried_again(belay: Services) -> None:
    serve(belay, 2500, 3)
    lock = flags(belay).with_name("flags.flagd.json.lock")
    lock.unlink()
    lock.mkdir()
    for _ in range(3):
        assert any("cannot be locked" in sentence for sentence in reconcile(belay).left)
    assert len(incidents(belay)) == 1, "one incident, however often it is tried"
    lock.rmdir()
    reconcile(belay)
    assert served(belay) == 500
    as_decided(belay)


def test_without_a_ledger_there_is_nothing_to_compare_with(belay: Services) -> None:
    belay.ledger.close()
    (belay.settings.home / "ledger.db").write_text("not a database, not a database, not a database")
    with pytest.raises(LedgerError):
        reconcile(Services(belay.settings))
    assert served(belay) == 500


def test_what_was_taken_down_and_changed_by_hand_is_written_anew(belay: Services) -> None:
    roll_back(belay, NAME, cause="harm", reason="it hurts")
    edit(belay, lambda every: every[NAME].update(targeting={}, defaultVariant="treatment"))
    reconcile(belay)
    assert json.loads(flags(belay).read_text())["flags"][NAME]["defaultVariant"] == "control"
    assert len(incidents(belay)) == 1
    as_decided(belay)


@pytest.mark.parametrize("key", ["belay_scope", "belay_epoch"])
def test_a_number_beyond_all_numbers_stops_nobody(belay: Services, key: str) -> None:
    edit(belay, lambda every: every[NAME]["metadata"].update({key: "@"}))
    flags(belay).write_text(flags(belay).read_text().replace('"@"', "1e999"))
    assert [(d.kind, d.mended) for d in reconcile(belay).differences] == [(Kind.BY_HAND, True)]
    as_decided(belay)


def test_a_widening_waits_while_no_guard_looks(belay: Services) -> None:
    long_ago = belay.now() - timedelta(days=2)
    Watch(belay.ledger.engine).beat(Beat("airflow", long_ago, long_ago))
    on_its_way(belay)
    found = reconcile(belay)
    assert (found.widened, served(belay)) == ((), 500)
    assert "guard has not looked" in found.problems[0]
    Watch(belay.ledger.engine).beat(Beat("airflow", belay.now(), belay.now()))
    assert reconcile(belay).widened == (NAME,)


def test_a_guard_from_the_future_is_none(belay: Services) -> None:
    later = belay.now() + timedelta(hours=1)
    Watch(belay.ledger.engine).beat(Beat("airflow", later, later))
    assert "clocks" in str(missing_guard(belay))
