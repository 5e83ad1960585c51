"""I5 as a table: each dependency away, in each state: nothing widens, and taking down stays possible."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from datetime import timedelta

import pyarrow.parquet as pq
import pytest
from slack_sdk import WebClient
from tests.guard.conftest import Watched
from tests.support.live import append_anyway

from belay.actuation.flag_writer import roll_back, served_flag
from belay.actuation.guard_presence import GuardMissing
from belay.domain import events as e
from belay.domain.gates import Gate, Verdict
from belay.domain.oversight import Oversight
from belay.domain.scope import FULL_SCOPE
from belay.execution import RefusedError
from belay.flags.target import FlagsUnavailable
from belay.gates.widen import widen
from belay.ledger.store import LedgerError
from belay.oversight.stop import stop
from belay.slack.channel import SlackChannel
from belay.slack.watch import Watcher

NAME = "fine"


def climbing(world: Watched) -> None:
    """A step has begun."""
    policy = world.belay.policy("checkout_wording").digest
    append_anyway(world.belay, [e.StepStarted(NAME, 2, f"{NAME}__step2", 5000, 10_000, policy)])


def granted(world: Watched) -> None:
    """Every gate has passed, and people have granted the step."""
    climbing(world)
    passed = [
        e.GateJudged(NAME, 2, gate, Verdict.PASS, "seen", None)
        for gate in (Gate.ADMIT, Gate.QUALITY, Gate.WINDOW, Gate.REVIEW)
    ]
    grant = e.OversightGranted(f"{NAME}.2", NAME, 2, 5000, 10_000, Oversight.INFORM, "d", None, None, ())
    append_anyway(world.belay, [*passed, grant])


def on_its_way(world: Watched) -> None:
    """The widening is intended, and not yet shown."""
    granted(world)
    append_anyway(world.belay, [e.WideningIntended(NAME, 2, f"{NAME}.2", 5000, 10_000, 2)])


def held(world: Watched) -> None:
    """The review was inconclusive."""
    climbing(world)
    append_anyway(world.belay, [e.GateJudged(NAME, 2, Gate.QUALITY, Verdict.HOLD, "late data", None)])


def asked(world: Watched) -> None:
    """People are asked, and nobody has answered."""
    climbing(world)
    request = e.OversightRequested(
        request=f"{NAME}.2",
        optimization=NAME,
        step=2,
        from_scope=5000,
        to_scope=10_000,
        oversight=Oversight.APPROVE,
        rules=("policy-table",),
        digest="d",
        evidence=None,
        roles=("cx_owner",),
        quorum=1,
        conflicted=(),
        owner="carla",
        expires_at=world.belay.now() + timedelta(hours=24),
    )
    append_anyway(world.belay, [request])


def frozen(world: Watched) -> None:
    """People have granted the step, and then frozen everything."""
    granted(world)
    append_anyway(world.belay, [e.Frozen("all", "a sale")])


def complete(world: Watched) -> None:
    """It is shown to everybody but the few who are held back, and there is no step left."""
    granted(world)
    intent = e.WideningIntended(NAME, 2, f"{NAME}.2", 5000, FULL_SCOPE, 2, holdback=200)
    append_anyway(world.belay, [intent])
    world.belay.flags.apply(served_flag(world.known(NAME), FULL_SCOPE, 2))
    told = [
        e.ScopeConfirmed(NAME, FULL_SCOPE, 2, "flagd", world.belay.data_now()),
        e.OptimizationEnded(NAME, e.Outcome.COMPLETED, "it climbed its whole ramp"),
    ]
    append_anyway(world.belay, told)


STATES = [climbing, granted, on_its_way, held, asked, frozen, complete]


@contextlib.contextmanager
def no_data(world: Watched):
    world.stop_data(14)
    world.guard()
    yield


@contextlib.contextmanager
def no_warehouse(world: Watched):
    os.rename(world.home / "lake", world.home / "away")  # noqa: PTH104
    world.guard()
    yield


@contextlib.contextmanager
def no_metric(world: Watched):
    """The column that the primary metric is made of is gone."""
    world.run(3)  # beyond the settling of a scope that has just begun
    for file in (world.home / "lake" / "outcomes").glob("*.parquet"):
        pq.write_table(pq.read_table(file).drop_columns("converted"), file)
    cycle = world.guard()
    assert cycle.blind == ["capability:checkout_wording"]
    yield


@contextlib.contextmanager
def no_flags(world: Watched):
    lock = world.home / "flags" / "flags.flagd.json.lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()
    yield
    lock.rmdir()


@contextlib.contextmanager
def no_ledger(world: Watched):
    url = world.home / "ledger.db"
    world.belay.ledger.close()
    os.rename(url, world.home / "ledger.away")  # noqa: PTH104
    url.mkdir()
    yield
    url.rmdir()
    os.rename(world.home / "ledger.away", url)  # noqa: PTH104


@contextlib.contextmanager
def no_airflow(world: Watched):
    """Nobody runs the guard: the gates see it from the heartbeat."""
    world.ahead = timedelta(minutes=30)
    yield


@contextlib.contextmanager
def no_slack(world: Watched):
    """Slack does not answer, so nobody can be asked there: what people have not granted stays where it is."""
    with socket.socket() as nobody:  # bound, and it never listens: connections are refused
        nobody.bind(("127.0.0.1", 0))
        channel = SlackChannel(
            WebClient("xoxb-test", f"http://127.0.0.1:{nobody.getsockname()[1]}/api/"), "C1"
        )
        watcher = Watcher(world.belay, channel, "")
        assert watcher.tick() == []
        yield


AWAY = [no_data, no_warehouse, no_metric, no_flags, no_ledger, no_airflow, no_slack]


CASES = [
    pytest.param(away, state, id=f"{away.__name__}-{state.__name__}")
    for away in AWAY
    for state in STATES
    # What people granted before Slack went away is granted.
    if (away, state) not in {(no_slack, granted), (no_slack, on_its_way)}
]


@pytest.mark.parametrize(("away", "state"), CASES)
def test_nothing_widens_and_taking_down_works(world: Watched, away: Callable, state: Callable) -> None:
    world.live(NAME)
    world.run(2)
    world.guard("airflow")
    state(world)
    shown = world.served(NAME)
    with away(world):
        # What is complete was widened already; asking again says so.
        refused = contextlib.suppress if state is complete else pytest.raises
        with refused((RefusedError, FlagsUnavailable, LedgerError, GuardMissing)):
            widen(world.belay, NAME, 2)
        assert world.served(NAME) == shown
        if away is no_flags:
            with pytest.raises(FlagsUnavailable):
                roll_back(world.belay, NAME, cause="test", reason="it must go")
        elif away is no_ledger:
            person = world.belay.roster().person("omar")
            done = stop(world.belay, "surface:checkout", person=person, reason="it must go", via="test")
            assert done.note.flags
        else:
            roll_back(world.belay, NAME, cause="test", reason="it must go")
        assert world.served(NAME) == (shown if away is no_flags else 0)
    if away is no_flags:  # decided then, carried out by the guard as soon as it can be
        world.guard("airflow")
    assert world.served(NAME) == 0
