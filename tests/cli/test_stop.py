"""`belay stop` as somebody types it in a hurry."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.live import make_live

from belay.actuation import take_down as stopping
from belay.services import Services


@pytest.fixture
def live(services: Services) -> Services:
    make_live(services, 3)
    return services


def test_a_capability_by_its_name(belay, live: Services) -> None:
    done = belay("stop", "checkout_wording", "--as", "nora", "--reason", "wrong prices")
    assert done.exit_code == 0, done.output
    assert "capability:checkout_wording is stopped: 3 optimizations taken down to 0 %" in done.output
    assert "by rule kill-switch" in belay("ledger", "tail").output


def test_a_locked_ledger_is_exit_code_3_and_stands_in_status(
    belay, live: Services, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "PATIENCE", 0.2)
    with closing(sqlite3.connect(home / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = belay("stop", "all", "--as", "nora", "-r", "wrong prices", "--json")
    assert done.exit_code == 3
    answer = json.loads(done.stdout)
    assert (answer["complete"], answer["flags"], answer["ledger"]) == (False, True, False)
    assert len(answer["taken_down"]) == 3


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["stop", "--reason", "x"], 2, "TARGET"),
        (["stop", "all"], 2, "--reason"),
        (["stop", "chekout", "-r", "x", "--as", "nora"], 2, "surface:checkout"),
        (["stop", "checkout-wording-9", "-r", "x", "--as", "nora"], 2, "did you mean checkout-wording-"),
        (["stop", "all", "-r", " ", "--as", "nora"], 2, "needs a reason"),
        (["stop", "all", "-r", "x", "--as", "priya"], 1, "it takes ops or veto"),
        (["stop", "all", "-r", "x", "--as", "mallory"], 2, "nobody in the roster"),
    ],
)
def test_what_cannot_be_stopped(belay, live: Services, arguments: list[str], code: int, says: str) -> None:
    done = belay(*arguments)
    assert done.exit_code == code
    assert says in done.stderr
    assert all(flag.scope for flag in live.flags.read_all().values())


def test_without_a_readable_roster_the_claimed_name_is_recorded(
    belay, live: Services, policies: Path
) -> None:
    (policies / "_people.yaml").write_text("{")
    done = belay("stop", "all", "-r", "wrong prices", "--as", "somebody")
    assert done.exit_code == 0, done.output
    assert live.ledger.state().freezes["all"].by == "human:somebody"


@pytest.mark.parametrize(
    "reason", ["caf\udce9", "\ud83d", "a\0b", "w" * 100_000], ids=["latin-1", "half", "NUL", "huge"]
)
def test_no_text_of_a_reason_makes_a_stop_or_a_veto_fail(belay, live: Services, reason: str) -> None:
    """A terminal's bytes that are no UTF-8 arrive as lone surrogates."""
    vetoed = belay("veto", "checkout-wording-0", "--as", "nora", "--reason", reason)
    assert vetoed.exit_code == 0, vetoed.output
    stopped = belay("stop", "all", "--as", "nora", "--reason", reason)
    assert stopped.exit_code == 0, stopped.output
    assert "Its reason: " in vetoed.output
    assert "Its reason: " in stopped.output
    assert "2 optimizations taken down to 0 %" in stopped.output
    assert not any(flag.scope for flag in live.flags.read_all().values())
