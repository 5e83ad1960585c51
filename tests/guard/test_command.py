"""`belay guard --once`: the dead man's switch, as cron runs it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from tests.guard.conftest import Watched
from typer.testing import CliRunner, Result

from belay.cli.app import app


@pytest.fixture
def run(world: Watched, monkeypatch: pytest.MonkeyPatch):
    """Run the command on the world's home, as a process of its own would find it."""
    for name, value in {
        "BELAY_HOME": world.home,
        "BELAY_POLICIES": world.policies,
        "BELAY_FLAG_SETTLE_SECONDS": 3600,
    }.items():
        monkeypatch.setenv(name, str(value))

    def call(*options: str) -> Result:
        return CliRunner().invoke(app, ["guard", "--once", *options])

    return call


def test_harm_is_taken_down_and_is_exit_code_1(world: Watched, run) -> None:
    world.live("bad")
    world.live("fine", capability="search_ranking")
    world.run(30)
    done = run()
    assert done.exit_code == 1, done.output
    assert "rolled back for harm: bad" in done.output
    assert (world.served("bad"), world.served("fine")) == (0, 5000)
    again = run("--json")
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["rolled_back"] == []


def test_it_stands_by_while_another_guard_looks(world: Watched, run) -> None:
    world.live("bad")
    world.run(30)
    world.guard("airflow")
    done = run()
    assert done.exit_code == 0, done.output
    assert "stands by: airflow looked" in done.output
    assert json.loads(run("--json").stdout)["stands_by"] is True
    assert run("--force").exit_code == 0


def test_when_the_other_guard_is_late_it_looks_itself(world: Watched, run) -> None:
    world.ahead = -timedelta(minutes=30)
    world.guard("airflow")
    world.live("bad")
    world.run(30)
    done = run()
    assert done.exit_code == 1, done.output
    assert "rolled back for harm: bad" in done.output
    assert world.served("bad") == 0


def test_without_a_warehouse_it_is_blind_and_says_so(world: Watched, run) -> None:
    world.live("fine", harmless=1000)
    world.run(12)
    (world.home / "warehouse.duckdb").unlink()
    done = run()
    assert done.exit_code == 1, done.output
    assert "cannot be seen any more: warehouse" in done.output
    assert world.served("fine") <= 5000


def test_without_a_ledger_it_names_the_switch_that_needs_none(world: Watched, run) -> None:
    world.belay.ledger.close()
    for file in world.home.glob("ledger.db*"):
        file.unlink()
    done = run()
    assert done.exit_code == 3
    assert "there is no ledger" in done.stderr
