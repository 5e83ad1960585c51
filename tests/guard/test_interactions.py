"""Two changes that some units meet: the later one is held when they interact, and only then."""

from __future__ import annotations

import numpy as np
import pytest
from tests.guard.conftest import Watched

from belay.domain import commands as c
from belay.domain.actors import service
from belay.domain.state import Status
from belay.guard.interactions import pairs_of
from belay.guard.live import everything_live
from belay.measurement.interaction import LEAST, judge_interaction


def groups(together: float, seed: int = 1, units: int = 5000) -> list[tuple[int, float, float]]:
    """Neither, the other, the later, both; ``together`` is what the later one does more beside the other."""
    rng = np.random.default_rng(seed)
    found = []
    for rate in (0.30, 0.32, 0.33, 0.35 + together):
        y = rng.random(units) < rate
        found.append((units, float(y.sum()), float(y.sum())))
    return found


def test_effects_that_add_up_are_no_interaction() -> None:
    assert not any(judge_interaction(groups(0.0, seed), pairs=1).found for seed in range(200))


def test_effects_that_do_not_are() -> None:
    found = judge_interaction(groups(-0.12), pairs=3)
    assert found.found
    assert found.together < found.alone


def test_few_units_say_nothing() -> None:
    assert judge_interaction(groups(-0.3, units=LEAST - 1), pairs=1).log_e == 0.0


def test_the_pairs_of_what_climbs_are_read(world: Watched) -> None:
    world.live("one")
    world.live("two", capability="search_ranking")
    world.live("done", 10_000, complete=True)
    live, _ = everything_live(world.belay, world.belay.ledger.state())
    assert [(a.known.id, b.known.id) for a, b in pairs_of(live)] == [("one", "two")]
    world.run(3)
    cycle = world.guard()
    assert (cycle.interacting, cycle.problems) == ([], [])


@pytest.mark.parametrize("order", [("one", "two"), ("two", "one")])
def test_the_later_one_is_held(world: Watched, order: tuple[str, str]) -> None:
    world.live("one")
    world.live("two", capability="search_ranking")
    command = c.RecordInteraction(*order, "together they do less")
    ledger = world.belay.ledger
    ledger.execute(command, by=service("guard"), at=world.belay.now())
    assert world.known("two").status is Status.HELD
    assert world.known("two").interacts_with == ("one",)
    assert (world.known("one").interacts_with, world.served("two")) == ((), 5000)
    assert ledger.execute(command, by=service("guard"), at=world.belay.now()).events == ()
