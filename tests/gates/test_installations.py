"""Two installations of Belay on one flag file are told apart; a stop's note deletes no file but its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.live import make_live, on_its_way

from belay.actuation import outbox
from belay.actuation.flag_writer import served_flag, settle_narrowings, settle_scope
from belay.actuation.reconcile import Kind, reconcile
from belay.actuation.take_down import complete_all
from belay.flags.target import FlagsUnavailable
from belay.oversight.stop import stop
from belay.services import Services
from belay.settings import Settings


def installation(home: Path, flags: Path) -> Services:
    return Services(Settings.from_env({"BELAY_HOME": str(home), "BELAY_FLAGS": f"flagd:{flags}"}))


@pytest.fixture
def ours(tmp_path: Path) -> Services:
    services = installation(tmp_path / "ours", tmp_path / "flags.json")
    make_live(services, 2)
    for known in services.ledger.state().optimizations.values():  # as `make_live` decided, and written by us
        on_file = served_flag(known, known.scope, known.epoch + 1, ledger=services.ledger.identity)
        services.flags.apply(on_file)
    return services


@pytest.fixture
def theirs(tmp_path: Path) -> Services:
    services = installation(tmp_path / "theirs", tmp_path / "elsewhere.json")
    make_live(services, 1, "search_ranking")
    return installation(tmp_path / "theirs", tmp_path / "flags.json")


def test_reconcile_touches_nothing_of_another_installation_and_says_so(
    ours: Services, theirs: Services
) -> None:
    assert ours.ledger.identity != theirs.ledger.identity
    before = dict(ours.flags.read_all())
    found = reconcile(theirs)
    assert dict(ours.flags.read_all()) == before
    of_others = [difference for difference in found.differences if difference.kind is Kind.OTHERS]
    assert {difference.optimization for difference in of_others} == set(before)
    assert all("another installation of Belay" in sentence for sentence in found.left[:2])


def test_a_widening_does_not_take_anothers_flag_over(ours: Services, tmp_path: Path) -> None:
    second = installation(tmp_path / "second", tmp_path / "flags.json")
    apart = installation(tmp_path / "second", tmp_path / "apart.json")
    make_live(apart, 1)
    on_its_way(apart)
    with pytest.raises(FlagsUnavailable, match="is served by another installation of Belay"):
        settle_scope(second, "checkout-wording-0")
    served = ours.flags.read("checkout-wording-0")
    assert served is not None
    assert served.ledger == ours.ledger.identity


def test_a_stop_takes_everything_down_whoever_shows_it(ours: Services, theirs: Services) -> None:
    nora = theirs.roster().person("nora")
    assert nora is not None
    stopped = stop(theirs, "all", person=nora, reason="wrong prices", via="test")
    assert {"checkout-wording-0", "checkout-wording-1"} < set(stopped.taken_down)
    assert not any(flag.scope for flag in ours.flags.read_all().values())
    settle_narrowings(ours)


def test_what_is_deleted_follows_from_no_files_content(ours: Services) -> None:
    """A note that names another file as itself: that file stays."""
    home = ours.settings.home
    precious = home / "precious.json"
    precious.write_text("{}")
    nora = ours.roster().person("nora")
    assert nora is not None
    (home / "ledger.db").rename(home / "away.db")
    ours.ledger.close()
    stop(ours, "all", person=nora, reason="wrong prices", via="test")
    (note,) = (home / outbox.FOLDER).iterdir()
    document = json.loads(note.read_text())
    note.write_text(json.dumps({**document, "stop": "../precious"}))
    (home / "away.db").rename(home / "ledger.db")
    (done,) = complete_all(installation(home, Path(ours.settings.flags.removeprefix("flagd:"))))
    assert done.complete
    assert precious.exists()
    assert not note.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"target": 7},
        {"epochs": {"a": "1"}},
        {"flags": "yes"},
        {"pulled_at": "2026-03-02T00:00:00"},
        {"stop": None},
    ],
)
def test_a_note_of_another_form_is_a_stop_of_everything(ours: Services, change: dict[str, object]) -> None:
    nora = ours.roster().person("nora")
    assert nora is not None
    home = ours.settings.home
    (home / "ledger.db").rename(home / "away.db")
    ours.ledger.close()
    stop(ours, "surface:checkout", person=nora, reason="wrong prices", via="test")
    (note,) = (home / outbox.FOLDER).iterdir()
    note.write_text(json.dumps(json.loads(note.read_text()) | change))
    (read,) = outbox.waiting(home)
    assert (read.target, read.via) == ("all", "unknown")
    assert str(note) in read.problem
