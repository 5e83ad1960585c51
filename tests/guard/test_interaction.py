"""Two live changes that the same people meet, in seeded data: what interacts is noticed, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from tests.guard.conftest import Watched

from belay.clock import set_data_now
from belay.domain.events import InteractionFound
from belay.domain.state import Status
from belay.gates.admit import admit
from belay.ledger.verify import verify
from belay_lab.shop.lake import naive, schemas

CONVERSION = {"metric": "conversion", "rule": "non_inferior", "minimum_effect": 0.1, "margin": 0.2}
PEOPLE, HOURS = 400, 24
"""People an hour who visit both places, and hours that they do."""


def visited(world: Watched, surfaces: tuple[str, str], together: float) -> None:
    """Write a day of people who meet both changes: each adds 6 points alone, both ``together`` beside that.

    Who sees what is what the flags say; only what people do then is drawn.
    """
    import pyarrow as pa

    assigner, begins = world.shop.assigner, world.belay.data_now() + timedelta(hours=2)
    assigner.live()
    for hour in range(HOURS):
        rng = np.random.default_rng([11, hour])
        units = [f"both-{hour}-{number}" for number in range(PEOPLE)]
        own = {"device": ["mobile"] * PEOPLE, "country": ["DE"] * PEOPLE}
        seen = [assigner.variants(flag, units, own) for flag in ("one", "two")]
        one, two = (np.array([variant == "treatment" for variant in variants]) for variants in seen)
        converts = rng.random(PEOPLE) < 0.3 + 0.06 * one + 0.06 * two + together * (one & two)
        at = begins + timedelta(hours=hour)
        times = np.datetime64(naive(at), "us") + np.arange(PEOPLE).astype("timedelta64[s]")
        arrived = {"unit_id": units, "event_time": times, "ingested_at": times}
        exposures = [
            pa.table(
                {
                    "event_id": [f"e-{flag}-{unit}" for unit in units],
                    "optimization": [flag] * PEOPLE,
                    "variant": variants,
                    "surface": [surface] * PEOPLE,
                    "visitor": ["new"] * PEOPLE,
                    "is_bot": [False] * PEOPLE,
                    **own,
                    **arrived,
                }
            )
            for flag, variants, surface in zip(("one", "two"), seen, surfaces, strict=True)
        ]
        outcomes = [
            pa.table(
                {
                    "event_id": [f"o-{surface}-{unit}" for unit in units],
                    "surface": [surface] * PEOPLE,
                    "converted": converts.astype(np.int32),
                    "revenue": 60.0 * converts,
                    **dict.fromkeys(
                        ("support_tickets", "unsubscribed", "page_errors"), np.zeros(PEOPLE, int)
                    ),
                    "page_views": np.ones(PEOPLE, int),
                    **arrived,
                }
            )
            for surface in sorted(set(surfaces))
        ]
        for name, tables in (("exposures", exposures), ("outcomes", outcomes)):
            schema = schemas()[name]
            rows = pa.concat_tables([table.select(schema.names).cast(schema) for table in tables])
            world.shop.lake.write(name, f"both-{hour:02}", rows)
    set_data_now(world.home, begins + timedelta(hours=HOURS))


@pytest.mark.parametrize(
    ("capability", "surface"), [("search_ranking", "search"), ("checkout_wording", "checkout")]
)
@pytest.mark.parametrize("together", [-0.12, 0.0])
def test_the_later_of_two_that_interact_is_held_and_no_other(
    world: Watched, capability: str, surface: str, together: float
) -> None:
    for file in ("checkout_wording.yaml", "search_ranking.yaml"):
        world.edit(file, primary=CONVERSION, guardrails={}, segments=[])
    world.live("one")
    world.live("two", capability=capability)
    visited(world, ("checkout", surface), together)
    cycle = world.guard()
    assert (cycle.rolled_back, cycle.problems) == ([], []), "neither is harmful by itself"
    found = [
        entry.event for entry in world.belay.ledger.history() if isinstance(entry.event, InteractionFound)
    ]
    if together == 0.0:
        assert (cycle.interacting, found) == ([], [])
        assert world.known("two").status is Status.CLIMBING
        assert "interacts" not in admit(world.belay, "two", "two__step2").sentence
        return
    assert cycle.interacting == ["two"]
    (event,) = found
    assert (event.optimization, event.other) == ("two", "one")
    document = world.belay.ledger.get_evidence(event.evidence)
    assert document["together"] - document["alone"] == pytest.approx(together, abs=0.06)
    assert (world.known("one").status, world.known("two").status) == (Status.CLIMBING, Status.HELD)
    assert (world.served("one"), world.served("two")) == (5000, 5000), "held where it is"
    assert "it interacts with one: one at a time" in admit(world.belay, "two", "two__step2").sentence
    assert world.guard().interacting == [], "said once"
    assert verify(world.belay.ledger).ok
