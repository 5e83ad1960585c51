"""`belay guard`: the dead man's switch by itself, on a real lake, real flags and a real ledger."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.guard.conftest import Watched

from belay.domain.state import Status
from belay.ledger.watch import Beat, Watch


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """A world whose home the command line finds in its environment."""
    made = Watched(tmp_path / "shop")
    monkeypatch.setenv("BELAY_HOME", str(made.home))
    monkeypatch.setenv("BELAY_POLICIES", str(made.policies))
    monkeypatch.setenv("BELAY_FLAG_SETTLE_SECONDS", "3600")
    yield made
    made.shop.close()
    made.belay.ledger.close()


@pytest.fixture
def command(shop: Watched):
    from typer.testing import CliRunner

    from belay.cli.app import app

    return lambda *arguments: CliRunner().invoke(app, ["guard", *arguments])


def test_nothing_to_do_is_exit_code_0_and_a_heartbeat(shop: Watched, command) -> None:
    shop.live("fine")
    shop.run(6)
    done = command("--once")
    assert done.exit_code == 0, done.output
    assert "1 live, 1 read anew in 6 statements" in done.output
    (beat,) = Watch(shop.belay.ledger.engine).beats()
    assert beat.guard.startswith("cli@")
    again = json.loads(command("--once", "--json").stdout)
    assert (again["live"], again["read"], again["rolled_back"], again["problems"]) == (1, 0, [], [])


def test_harm_is_taken_down_and_exit_code_1_says_so(shop: Watched, command) -> None:
    shop.live("bad")
    shop.run(30)
    done = command("--once")
    assert done.exit_code == 1
    assert "rolled back for harm: bad" in done.output
    assert "everything is frozen: the harm budget is spent: 0.625 of 0.5 days" in " ".join(
        done.output.split()
    )
    assert (shop.known("bad").status, shop.served("bad")) == (Status.ROLLED_BACK, 0)
    assert command("--once").exit_code == 0


def test_a_warehouse_that_is_away_is_said_once(shop: Watched, command) -> None:
    shop.live("fine")
    shop.run(2)
    (shop.home / "lake").rename(shop.home / "away")
    done = command("--once", "--json")
    assert (done.exit_code, json.loads(done.stdout)["blind"]) == (1, ["warehouse"])
    assert command("--once").exit_code == 0
    (shop.home / "away").rename(shop.home / "lake")
    back = command("--once")
    assert (back.exit_code, shop.served("fine")) == (0, 5000)
    assert "is seen again: warehouse" in back.output


def test_flags_that_cannot_be_written_are_exit_code_3(shop: Watched, command) -> None:
    shop.live("bad")
    shop.run(30)
    lock = shop.home / "flags" / "flags.flagd.json.lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()
    done = command("--once")
    assert done.exit_code == 3
    assert "cannot be locked" in " ".join(done.stderr.split())
    lock.rmdir()
    done = command("--once")
    assert (done.exit_code, shop.served("bad")) == (1, 0)
    assert "everything is frozen" in done.output, "its harm is counted when it has ended"


def test_it_stands_by_while_another_guard_looks(shop: Watched, command) -> None:
    shop.live("bad")
    shop.run(30)
    now = shop.belay.now()
    Watch(shop.belay.ledger.engine).beat(Beat("airflow", now, now))
    done = command("--once", "--json")
    assert (done.exit_code, json.loads(done.stdout)["stands_by"]) == (0, True)
    assert "stands by: airflow looked" in command("--once").output
    assert shop.served("bad") == 5000
    assert command("--once", "--force").exit_code == 1
    assert shop.served("bad") == 0


def test_without_a_ledger_it_points_to_the_kill_switch(belay, home: Path) -> None:
    done = belay("guard", "--once")
    assert done.exit_code == 3
    assert "there is no ledger" in done.stderr
    assert not (home / "ledger.db").exists()


def test_a_ledger_that_does_not_answer_is_exit_code_3_and_tried_again(
    shop: Watched, command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it fails; watching on it says so and looks again after an interval."""
    shop.live("fine")
    shop.belay.ledger.close()
    ledger = shop.home / "ledger.db"
    kept = ledger.read_bytes()
    ledger.write_bytes(b"this is no database" * 200)
    assert command("--once").exit_code == 3
    monkeypatch.setenv("BELAY_GUARD_SECONDS", "0.2")
    monkeypatch.setattr("belay.cli.guard.time.sleep", naps := Naps(after=2))
    done = command()
    assert naps.taken == [0.2, 0.2, 0.2]
    assert done.stderr.count("`belay stop` takes things down without the ledger") == 3
    ledger.write_bytes(kept)


class Naps:
    """Sleeps that end the watch, as a signal would, ``after`` so many."""

    def __init__(self, after: int) -> None:
        self.after, self.taken, self._woken = after, [], threading.Event()

    def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)
        self._woken.wait(seconds / 100)
        if len(self.taken) > self.after:
            raise KeyboardInterrupt
