"""`belay stop all` ends within two seconds whatever holds or stands in for a part, and nothing is lost."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.live import make_live

from belay.actuation import outbox
from belay.actuation import take_down as stopping
from belay.domain.events import KillSwitchPulled
from belay.flags import flagd, flagd_format
from belay.ledger.verify import verify
from belay.oversight.stop import stop as pull
from belay.services import Services
from belay.settings import Settings

LIMIT = 2.0
FREEZE = """
import fcntl, os, signal, sys
lock = open(sys.argv[1], "a")
fcntl.flock(lock, fcntl.LOCK_EX)
os.kill(os.getpid(), signal.SIGSTOP)
"""


@dataclass(frozen=True)
class Shop:
    home: Path
    policies: Path

    @property
    def flags(self) -> Path:
        return self.home / "flags" / "flags.flagd.json"


@contextmanager
def in_place_of(path: Path, make: Callable[[Path], object]) -> Iterator[None]:
    """Let something else have the name of a file, and put the file back."""
    away = path.with_name(f"{path.name}.away")
    if path.exists():
        path.rename(away)
    path.parent.mkdir(exist_ok=True)
    make(path)
    yield
    path.unlink()
    if away.exists():
        away.rename(path)


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def deep(path: Path) -> None:
    levels = flagd_format._DEEPEST + 100
    path.write_text('{"flags": {"theirs": ' + "[" * levels + "]" * levels + "}}")


def large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(flagd._MOST_BYTES + 1)


@contextmanager
def a_frozen_writer(shop: Shop) -> Iterator[None]:
    lock = shop.flags.with_name(f"{shop.flags.name}.lock")
    writer = subprocess.Popen([sys.executable, "-c", FREEZE, str(lock)])
    try:
        os.waitpid(writer.pid, os.WUNTRACED)
        yield
    finally:
        writer.kill()
        writer.wait()


@contextmanager
def a_ledger_held(shop: Shop) -> Iterator[None]:
    with closing(sqlite3.connect(shop.home / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def swap(name: str, make: Callable[[Path], object]) -> Callable[[Shop], object]:
    return lambda shop: in_place_of(shop.home / name, make)


def swap_policy(name: str, make: Callable[[Path], object]) -> Callable[[Shop], object]:
    return lambda shop: in_place_of(shop.policies / name, make)


FAULTS: dict[str, tuple[Callable[[Shop], object], bool, bool]] = {
    # fault: what it is, whether the flags are at zero at once, whether the ledger knows at once
    "a frozen process holds the flags' lock": (a_frozen_writer, True, True),
    "a FIFO as a policy file": (swap_policy("checkout_wording.yaml", os.mkfifo), True, True),
    "a FIFO as the roster": (swap_policy("_people.yaml", os.mkfifo), True, True),
    "a device as a policy file": (swap_policy("checkout_wording.yaml", a_device), True, True),
    "a FIFO as a stop's note": (swap("outbox/older.json", os.mkfifo), True, True),
    "a FIFO as the clock": (swap("clock.json", os.mkfifo), True, True),
    "a ledger held by somebody else": (a_ledger_held, True, False),
    "a FIFO as the ledger": (swap("ledger.db", os.mkfifo), True, False),
    "a FIFO as the flag file": (swap("flags/flags.flagd.json", os.mkfifo), False, True),
    "a device as the flag file": (swap("flags/flags.flagd.json", a_device), False, True),
    "a foreign flag nested too deep": (swap("flags/flags.flagd.json", deep), False, True),
    "a flag file without end": (swap("flags/flags.flagd.json", large), False, True),
}


@pytest.fixture
def shop(services: Services, home: Path, policies: Path) -> Shop:
    make_live(services, 3)
    services.ledger.close()
    return Shop(home, policies)


def shown(services: Services) -> list[str]:
    return [flag.key for flag in services.flags.read_all().values() if flag.scope]


@pytest.mark.parametrize(("fault", "down", "known"), FAULTS.values(), ids=FAULTS)
def test_a_stop_ends_within_two_seconds(
    belay, shop: Shop, services: Services, fault, down: bool, known: bool
) -> None:
    belay("stop", "surface:search", "--as", "nora", "--reason", "so that everything is imported")
    with fault(shop):
        began = time.monotonic()
        done = belay("stop", "all", "--as", "nora", "--reason", "wrong prices", "--json")
        took = time.monotonic() - began
        answer = json.loads(done.stdout)
        if down:
            assert shown(services) == []
    assert took < LIMIT, f"it took {took:.2f} s"
    assert done.exit_code == (0 if down and known else 3), done.output
    assert (answer["flags"], answer["ledger"]) == (down, known), answer["problem"]
    later = Services(Settings.from_env())
    assert all(stopped.complete for stopped in stopping.complete_all(later))
    assert shown(later) == []
    assert outbox.waiting(shop.home) == []
    pulls = [one.event for one in later.ledger.history() if isinstance(one.event, KillSwitchPulled)]
    assert [pull.reason for pull in pulls if pull.target == "all"] == ["wrong prices"]
    assert verify(later.ledger).ok


def test_the_ledger_hears_of_a_stop_whose_flag_system_hangs(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_live(services, 1)
    monkeypatch.setattr(stopping, "FLAGS_LIMIT", 0.2)
    monkeypatch.setattr("belay.oversight.stop.FLAGS_LIMIT", 0.2)
    nora = services.roster().person("nora")
    assert nora is not None
    with ExitStack() as stack:
        gone = stack.enter_context(_hanging(services, monkeypatch))
        began = time.monotonic()
        stopped = pull(services, "all", person=nora, reason="wrong prices", via="test")
        assert time.monotonic() - began < LIMIT
        gone()
    assert (stopped.note.flags, stopped.note.ledger) == (False, True)
    assert "the flag system did not answer within 0.2 s" in stopped.sentence


@contextmanager
def _hanging(services: Services, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    from threading import Event

    let_go = Event()
    monkeypatch.setattr(services.flags, "read_all", lambda: let_go.wait(30) and {})
    try:
        yield let_go.set
    finally:
        let_go.set()
