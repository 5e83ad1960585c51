"""The guard verifies the ledger: what everybody goes by has to be traceable at any minute."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

import sqlalchemy as sa
from tests.support.builders import NOW

from belay.guard import ledger_check as traced
from belay.guard.ledger_check import Traced
from belay.ledger.errors import LedgerError
from belay.ledger.schema import evidence, projections
from belay.ledger.verify import verify

NAME = "checkout_wording"


def change(world, table: sa.Table, key: sa.Column[str], name: str, was: str, now: str) -> None:
    """Change a row, as somebody with a database shell could."""
    with world.belay.ledger.engine.execution_options(belay_writes=True).begin() as connection:
        connection.execute(sa.text("DROP TRIGGER IF EXISTS evidence_no_update"))
        body = sa.func.replace(table.c.body, was, now)
        assert connection.execute(sa.update(table).where(key == name).values(body=body)).rowcount == 1
    world.ahead += timedelta(minutes=1)


def test_a_ledger_that_does_not_verify_costs_a_stage_at_the_next_look(world) -> None:
    world.live("calm")
    assert world.guard().traced.fault == ""
    before = world.belay.ledger.state().capabilities[NAME].stage
    document = world.belay.ledger.state().capabilities[NAME].document
    change(world, evidence, evidence.c.sha256, document, '"margin":0.2', '"margin":9.9')
    cycle = world.guard()
    assert "does not verify" in cycle.traced.fault
    assert cycle.traced.fault in cycle.problems
    assert cycle.demoted == [f"{NAME} to {before.below} (ledger)"]
    world.ahead += timedelta(minutes=1)
    assert world.guard().demoted == [], "the next stage after the policy's `again`"


def test_harm_goes_down_whatever_is_wrong_with_the_ledger(world, monkeypatch) -> None:
    """By the policy's file, when that is the very one in force: a forged text moves no margin."""
    world.live("bad")
    world.run(30)
    document = world.belay.ledger.state().capabilities[NAME].document
    change(world, evidence, evidence.c.sha256, document, "margin", "nigram")

    def malformed(_ledger: object, **_: object) -> None:
        raise LedgerError("database disk image is malformed")

    monkeypatch.setattr(traced, "verify", malformed)
    cycle = world.guard()
    assert cycle.rolled_back == ["bad"]
    assert world.served("bad") == 0
    assert cycle.traced.fault == "the ledger cannot be verified: database disk image is malformed"
    assert [lost.partition(" ")[0] for lost in cycle.demoted] == [NAME]


def test_what_does_not_follow_from_the_entries_is_derived_anew_and_reported(world) -> None:
    world.live("calm")
    change(world, projections, projections.c.id, NAME, "Checkout wording", "Anything goes")
    cycle = world.guard()
    assert (cycle.traced.fault, cycle.demoted) == ("", [])
    assert "derived anew" in cycle.problems[0]
    assert verify(world.belay.ledger).ok


def test_a_large_ledger_is_verified_less_often_and_an_unended_look_holds_nothing_up() -> None:
    slow = Traced(NOW.isoformat(), 5.0, "row 7 was changed")
    body = {"traced": asdict(slow) | {"of a newer Belay": 1}}
    assert Traced.read(body) == slow, "what was wrong stays wrong until somebody looked again"
    assert not slow.is_due(NOW + timedelta(seconds=99))
    assert slow.is_due(NOW + timedelta(seconds=100))
    assert slow.is_due(NOW - timedelta(days=1)), "a clock that went back keeps nothing unverified"
    assert Traced.read({}).is_due(NOW)
    begun = slow.begun(NOW)
    assert begun.fault == slow.fault
    assert not begun.is_due(NOW + timedelta(minutes=19))
