"""One optimization goes two steps; each gate is killed at every point, and asked in every trouble.

A gate that was killed and is run again ends as if it had not been. While a part is away, full, locked or off
by an hour, nothing widens; and when it is back, the climb goes on to the same end.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.faults.dying import TIMES, WELL, End, Snapshot, Trouble, preload_everything, run
from tests.gates.conftest import World

from belay.domain.events import CommandRefused, LookTaken, WideningIntended
from belay.ledger.verify import verify
from belay.services import Services
from belay_lab.shop.scenario import SCENARIOS

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

NAME = "checkout-good"
HOUR = 3600.0


@dataclass(frozen=True)
class Stage:
    """One act on the way, and what it waits for: seconds on the wall clock, hours of data."""

    act: str
    arguments: tuple[Any, ...]
    name: str
    waits: float = 0.0
    hours: float = 0.0


PROPOSAL = yaml.safe_load((SCENARIOS / "proposals" / "checkout-delivery-date.yaml").read_text())
STAGES = [
    Stage("propose", (PROPOSAL | {"optimization": NAME},), "propose"),
    *(
        Stage(act, arguments, f"{act} {step}", waits=waits, hours=hours)
        for step in (1, 2)
        for act, arguments, waits, hours in (
            ("admit", (NAME, f"{NAME}__step{step}"), 0.0, 8.0 * (step - 1)),
            ("quality", (NAME, step), 0.0, 0.0),
            ("window", (NAME, step), 0.0, 40.0 * (step - 1)),
            ("review", (NAME, step), 0.0, 0.0),
            ("approval", (NAME, step), 0.0, 0.0),
            *([("vote", (NAME,), 0.0, 0.0)] if step == 2 else []),
            ("approval", (NAME, step), 5.0, 0.0),
            ("widen", (NAME, step), 5.0, 0.0),
        )
    ),
    Stage("stop", ("all",), "stop"),
]


@dataclass
class Climb:
    """A shop, and an optimization that goes its way stage by stage, each in a process of its own."""

    world: World
    kept: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home = self.world.home
        self.environment = {
            "BELAY_HOME": str(self.home),
            "BELAY_POLICIES": str(self.world.policies),
            "BELAY_FLAG_SETTLE_SECONDS": "3600",
        }
        self.world.belay.ledger.close()

    def run(self, stage: Stage, trouble: Trouble = WELL) -> End:
        ahead = trouble.ahead + stage.waits
        told = Trouble(trouble.die_at, ahead, trouble.patience, trouble.no_room)
        return run(self.environment, stage.act, *stage.arguments, trouble=told)

    def stands(self) -> dict[str, Any]:
        """Return where everything stands, times aside; insist on what must hold in any case."""
        belay = Services(self.world.belay.settings)
        state, known = belay.ledger.state(), belay.ledger.state().optimizations.get(NAME)
        assert verify(belay.ledger).ok
        events = [entry.event for entry in belay.ledger.history()]
        steps = [event.step for event in events if isinstance(event, WideningIntended)]
        assert steps == sorted(set(steps)), "widened twice"
        flag = belay.flags.read(NAME)
        belay.ledger.close()
        repeatable = (LookTaken, CommandRefused)  # a look more, an attempt more: they decide nothing
        return {
            "kinds": [event.kind for event in events if not isinstance(event, repeatable)],
            "known": known
            and (known.status, known.scope, known.epoch, known.pending, known.grant and known.grant.used),
            "gates": known and known.step and {g: r.verdict for g, r in known.step.gates.items()},
            "requests": sorted((r.status, len(r.votes)) for r in state.requests.values()),
            "served": flag and (flag.scope, flag.epoch),
        }

    def served(self) -> int:
        flag = self.world.belay.flags.read(NAME)
        return flag.scope if flag else 0


@pytest.fixture(scope="module", params=range(TIMES))
def climb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Climb]:
    preload_everything()
    world = World(tmp_path_factory.mktemp("climb"))
    made = Climb(world, tmp_path_factory.mktemp("kept"))
    yield made
    world.shop.close()


# -- what may be wrong ----------------------------------------------------------------------------


@contextmanager
def nothing(climb: Climb) -> Iterator[None]:
    yield


@contextmanager
def no_warehouse(climb: Climb) -> Iterator[None]:
    lake, away = climb.home / "lake", climb.home / "away"
    lake.rename(away)
    try:
        yield
    finally:
        if lake.exists():
            shutil.rmtree(lake)
        away.rename(lake)


@contextmanager
def unwritable_flags(climb: Climb) -> Iterator[None]:
    """No writer can take its turn, root or not."""
    lock = climb.home / "flags" / "flags.flagd.json.lock"
    lock.parent.mkdir(exist_ok=True)
    lock.unlink(missing_ok=True)
    lock.mkdir()
    try:
        yield
    finally:
        lock.rmdir()


@contextmanager
def locked_ledger(climb: Climb) -> Iterator[None]:
    with closing(sqlite3.connect(climb.home / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


Wrong = Callable[[Climb], Any]
TROUBLES: dict[str, tuple[Wrong, Trouble]] = {
    "warehouse away": (no_warehouse, WELL),
    "flags unwritable": (unwritable_flags, WELL),
    "ledger locked": (locked_ledger, Trouble(patience=0.2)),
    "disk full": (nothing, Trouble(no_room=True, patience=0.2)),
    "clock an hour ahead": (nothing, Trouble(ahead=HOUR)),
    "clock an hour behind": (nothing, Trouble(ahead=-HOUR)),
}
"""What is wrong outside the process, and inside it."""

CLOCKS = {"clock an hour ahead", "clock an hour behind"}
"""A notice or a question may run out earlier or later then; what a step takes stays the same."""
MAY_WIDEN = CLOCKS | {"warehouse away"}
"""Where the widening itself, granted on what was seen before, may go on: nothing that it needs is away."""


def test_two_steps_through_every_fault(climb: Climb) -> None:
    points = {}
    for stage in STAGES:
        if stage.hours:
            climb.world.run(stage.hours)
        snapshot = Snapshot(climb.home, climb.kept / stage.name.replace(" ", "-"))
        end = climb.run(stage)
        assert not end.error, f"{stage.name}: {end.error}"
        right, before = climb.stands(), climb.served()
        for name in TROUBLES:
            snapshot.restore()
            in_trouble(climb, stage, name, right, before)
        for die_at in count(1):
            snapshot.restore()
            if not climb.run(stage, Trouble(die_at=die_at)).killed:
                break
            again = climb.run(stage)
            if again.error:  # what was under way is taken up by whoever comes next
                again = run(climb.environment, "reconcile")
            assert not again.error, f"{stage.name}, killed at point {die_at}: {again.error}"
            assert same(stage, climb.stands(), right), f"{stage.name}, killed at point {die_at}"
        points[stage.name] = die_at - 1
    print(f"killed at {sum(points.values())} points: {points}")
    assert climb.served() == 0


def in_trouble(climb: Climb, stage: Stage, name: str, right: dict[str, Any], before: int) -> None:
    """Act while something is wrong, and again when it is not."""
    (wrong, trouble), shown = TROUBLES[name], climb.served()
    with wrong(climb):
        climb.run(stage, trouble)
        if not (stage.act == "widen" and name in MAY_WIDEN):
            assert climb.served() <= shown, f"{name} at {stage.name} widened"
    after = climb.run(stage)
    stands = climb.stands()
    held = stands["gates"] and any(verdict != "pass" for verdict in stands["gates"].values())
    fine = same(stage, stands, right) or held or name in CLOCKS
    assert fine, f"{name} at {stage.name}: {after}"
    assert climb.served() <= max(before, shown)


def same(stage: Stage, stands: dict[str, Any], right: dict[str, Any]) -> bool:
    """Whether everything stands as it should; a stop that was pulled twice is on record twice."""
    parts = set(right) - ({"kinds"} if stage.act == "stop" else set())
    return all(stands[part] == right[part] for part in parts)
