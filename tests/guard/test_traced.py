"""The guard verifies the ledger: what everybody goes by has to be traceable at any minute."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

import sqlalchemy as sa

from belay.guard import traced
from belay.guard.traced import Traced, trace
from belay.ledger.schema import projections
from belay.ledger.verify import Verification
from belay.ledger.watch import Beat

NAME = "checkout_wording"


def tamper(world) -> None:
    """Give the capability another title in what is derived, as somebody with a database shell could."""
    with world.belay.ledger.engine.execution_options(belay_writes=True).begin() as connection:
        changed = sa.func.replace(projections.c.body, "Checkout wording", "Anything goes")
        connection.execute(sa.update(projections).where(projections.c.id == NAME).values(body=changed))


def test_a_ledger_that_does_not_verify_costs_a_stage_at_the_next_look(world) -> None:
    world.live("calm")
    assert world.guard().traced.fault == ""
    before = world.belay.ledger.state().capabilities[NAME].stage
    tamper(world)
    world.ahead += timedelta(minutes=1)
    cycle = world.guard()
    assert "does not verify" in cycle.traced.fault
    assert cycle.traced.fault in cycle.problems
    assert cycle.demoted == [f"{NAME} to {before.below} (ledger)"]
    world.ahead += timedelta(minutes=1)
    assert world.guard().demoted == [], "the next stage after the policy's `again`"


def test_a_large_ledger_is_verified_less_often(world, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(
        traced, "verify", lambda ledger: asked.append(ledger) or Verification(9, "head", None)
    )
    now = world.belay.now()
    slow = Traced((now - timedelta(seconds=90)).isoformat(), 5.0, "row 7 was changed")
    last = Beat("airflow", now, now, {"traced": asdict(slow)})
    assert trace(world.belay, last) == slow, "what was wrong stays wrong until somebody looked again"
    assert asked == []
    world.ahead += timedelta(seconds=11)
    assert trace(world.belay, last).fault == ""
    assert len(asked) == 1
    future = {"at": (now + timedelta(days=1)).isoformat(), "seconds": 5.0, "fault": ""}
    trace(world.belay, Beat("airflow", now, now, {"traced": future}))
    assert len(asked) == 2, "a clock that went back keeps nothing unverified"
