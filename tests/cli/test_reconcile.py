"""`belay reconcile` and what `status` and `doctor` say of a stop that is not complete."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.support.live import make_live

from belay.actuation import outbox
from belay.actuation.outbox import Note
from belay.services import Services


@pytest.fixture
def live(services: Services) -> Services:
    make_live(services, 2)
    return services


def test_all_as_decided(belay, live: Services) -> None:
    done = belay("reconcile", "--once")
    assert done.exit_code == 0, done.output
    assert "2 flags compared: everything is served as decided." in done.output


def test_what_is_left_is_exit_code_1_until_a_person_decides(belay, live: Services, home: Path) -> None:
    (home / "flags" / "flags.flagd.json").unlink()
    done = belay("reconcile", "--once", "--json")
    assert done.exit_code == 1
    assert {d["kind"] for d in json.loads(done.stdout)["differences"]} == {"narrower"}
    assert belay("reconcile", "--once", "--accept", "--as", "mallory").exit_code == 2
    accepted = belay("reconcile", "--once", "--accept", "--as", "nora")
    assert accepted.exit_code == 0, accepted.output
    assert "the ledger follows" in accepted.output
    assert belay("reconcile", "--once").exit_code == 0


def test_without_a_ledger_it_says_so(belay, home: Path) -> None:
    done = belay("reconcile", "--once")
    assert done.exit_code == 3
    assert "there is no ledger" in done.stderr


def test_an_incomplete_stop_is_seen_everywhere_and_completed(belay, live: Services, home: Path) -> None:
    at = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    note = Note("stop-1", "all", "wrong prices", "nora", "cli", at, problem="the ledger is locked")
    outbox.put(home, note)
    assert "STOP of all by nora at 2026-03-02 09:30 UTC is not complete" in belay("status").output
    assert json.loads(belay("status", "--json").stdout)["incomplete_stops"][0]["stop"] == "stop-1"
    doctor = belay("doctor")
    assert doctor.exit_code == 3
    assert "stops" in doctor.output
    done = belay("reconcile", "--once")
    assert done.exit_code == 0, done.output
    assert "all is stopped: 2 optimizations taken down to 0 %" in done.output
    assert "STOP of" not in belay("status").output
    assert all(flag.scope == 0 for flag in live.flags.read_all().values())


def test_a_note_that_cannot_be_read_is_said(belay, live: Services, home: Path) -> None:
    (home / "outbox").mkdir()
    (home / "outbox" / "broken.json").write_text("{")
    assert "cannot be read" in belay("status").output
    done = belay("reconcile", "--once")
    assert done.exit_code == 3
    assert "broken.json" in done.stderr


def test_an_incomplete_stop_is_seen_without_a_ledger(belay, home: Path) -> None:
    at = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    outbox.put(home, Note("stop-1", "all", "wrong prices", "nora", "cli", at, problem="it is away"))
    done = belay("status")
    assert done.exit_code == 3
    assert "STOP of all by nora" in done.output
