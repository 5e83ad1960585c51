"""The guard on a real lake, real flags and a real ledger: harm, blindness, and life after completion."""

from __future__ import annotations

import os

import pytest
from tests.guard.conftest import Watched

from belay.domain.events import GuardBlinded, GuardSighted, NarrowingIntended, ShownHarmless
from belay.domain.state import Status
from belay.ledger.verify import verify
from belay.ledger.watch import Watch


def events_of(world: Watched, kind: type) -> list:
    return [entry.event for entry in world.belay.ledger.history() if isinstance(entry.event, kind)]


def test_harm_is_rolled_back_at_once_and_only_harm(world: Watched) -> None:
    world.live("bad")
    world.live("fine", capability="search_ranking")
    world.run(30)
    cycle = world.guard()
    assert cycle.rolled_back == ["bad"]
    assert (world.served("bad"), world.served("fine")) == (0, 5000)
    known = world.known("bad")
    assert (known.status, known.scope) == (Status.ROLLED_BACK, 0)
    assert known.results.harmed_at is not None
    (narrowed,) = events_of(world, NarrowingIntended)
    assert narrowed.cause == "guard"
    document = world.belay.ledger.get_evidence(narrowed.evidence)
    assert "Conversion" in document["sentence"]
    assert world.guard().rolled_back == []
    assert verify(world.belay.ledger).ok


def test_a_broken_policy_file_does_not_blind_it(world: Watched) -> None:
    world.live("bad")
    world.run(30)
    (world.policies / "checkout_wording.yaml").write_text("title: [broken")
    (world.policies / "_defaults.yaml").write_text("ramp: {")
    cycle = world.guard()
    assert (cycle.rolled_back, cycle.blind) == (["bad"], [])


def test_the_monitors_stand_where_they_stood(world: Watched) -> None:
    world.live("fine")
    world.run(12)
    first = world.guard()
    again = world.guard()
    assert (first.read, again.read) == (1, 0)
    assert again.statements == 2
    before = Watch(world.belay.ledger.engine).monitors()["fine"]
    world.run(3)
    world.guard()
    after = Watch(world.belay.ledger.engine).monitors()["fine"]
    assert (before.looks, after.looks) == (1, 2)
    assert after.until > before.until
    with world.belay.ledger.engine.execution_options(belay_writes=True).begin() as connection:
        connection.exec_driver_sql("DELETE FROM guard_monitors")
    world.guard()
    rebuilt = Watch(world.belay.ledger.engine).monitors()["fine"]
    assert (rebuilt.finding, rebuilt.until) == (after.finding, after.until)
    assert rebuilt.log_e == pytest.approx(after.log_e)


def test_blind_narrows_to_what_was_shown_harmless_and_not_to_zero(world: Watched) -> None:
    world.live("fine", 5000, harmless=2000)
    world.live("new", 5000, capability="search_ranking")
    world.run(6)
    world.guard()
    world.stop_data(13)
    dark = world.guard()
    assert sorted(dark.blind) == ["surface:checkout", "surface:search"]
    assert dark.shrunk == []
    assert world.guard().blind == []
    world.stop_data(12)
    shrunk = world.guard()
    assert sorted(shrunk.shrunk) == ["fine", "new"]
    assert (world.served("fine"), world.served("new")) == (2000, 0)
    fine, new = world.known("fine"), world.known("new")
    assert (fine.status, new.status) == (Status.HELD, Status.HELD)
    assert fine.results.harmed_at is None
    assert world.guard().shrunk == []
    assert len(events_of(world, GuardBlinded)) == 2
    world.run(2)
    assert sorted(world.guard().sighted) == ["surface:checkout", "surface:search"]
    assert len(events_of(world, GuardSighted)) == 2
    assert world.belay.ledger.state().blind == {}


def test_without_a_warehouse_it_is_one_incident(world: Watched) -> None:
    for number in range(3):
        world.live(f"fine-{number}", 5000 - number)
    world.run(3)
    world.guard()
    os.rename(world.home / "lake", world.home / "away")  # noqa: PTH104 - a folder that goes away
    assert world.guard().blind == ["warehouse"]
    assert world.guard().blind == []
    assert len(events_of(world, GuardBlinded)) == 1
    os.rename(world.home / "away", world.home / "lake")  # noqa: PTH104
    assert world.guard().sighted == ["warehouse"]


def test_a_warehouse_that_goes_away_ends_no_blindness_and_no_budget(world: Watched) -> None:
    """What was dark before the warehouse went stays dark, since then: one incident, one budget."""
    world.live("fine", 5000, harmless=2000)
    world.run(6)
    world.guard()
    world.stop_data(13)
    assert world.guard().blind == ["surface:checkout"]
    since = world.belay.ledger.state().blind["surface:checkout"].since
    os.rename(world.home / "lake", world.home / "away")  # noqa: PTH104
    gone = world.guard()
    assert (gone.blind, gone.sighted) == (["warehouse"], [])
    world.stop_data(12)
    assert world.guard().shrunk == ["fine"]
    os.rename(world.home / "away", world.home / "lake")  # noqa: PTH104
    assert world.guard().sighted == ["warehouse"]
    assert world.belay.ledger.state().blind["surface:checkout"].since == since
    world.run(2)
    assert world.guard().sighted == ["surface:checkout"]
    assert len(events_of(world, GuardBlinded)) == 2, "one incident a source"


def test_a_change_that_is_complete_is_still_guarded(world: Watched) -> None:
    world.edit("checkout_wording.yaml", holdback={"share": 1500, "horizon": "30d", "rotate": "10d"})
    world.live("bad", 10_000, complete=True)
    world.run(40)
    assert world.guard().rolled_back == ["bad"]
    known = world.known("bad")
    assert (known.status, known.scope, world.served("bad")) == (Status.ROLLED_BACK, 0, 0)


def test_what_is_shown_harmless_is_recorded_once(world: Watched) -> None:
    world.edit("checkout_wording.yaml", guardrails={}, window={"minimum": "1d", "maximum": "4d"})
    world.edit(
        "checkout_wording.yaml",
        primary={"metric": "conversion", "rule": "non_inferior", "margin": 0.3, "minimum_effect": 0.05},
    )
    world.live("fine")
    world.run(30)
    assert world.guard().harmless == ["fine"]
    world.run(2)
    assert world.guard().harmless == []
    assert [event.scope for event in events_of(world, ShownHarmless)] == [5000]
    assert world.known("fine").shown_harmless == 5000


def test_flags_that_cannot_be_written_are_narrowed_by_the_next_cycle(world: Watched) -> None:
    world.live("bad")
    world.run(30)
    lock = world.home / "flags" / "flags.flagd.json.lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()
    cycle = world.guard()
    assert cycle.rolled_back == ["bad"]
    assert "cannot be locked" in cycle.problems[0]
    assert world.served("bad") == 5000
    lock.rmdir()
    assert world.guard().problems == []
    assert (world.served("bad"), world.known("bad").scope) == (0, 0)


def test_everything_freezes_when_the_harm_budget_is_spent(world: Watched) -> None:
    world.edit(
        "_defaults.yaml",
        guard={"harm_per_week": 0.1, "live_per_surface": 9, "variants_per_surface": 9, "changes_per_unit": 9},
    )
    world.live("bad")
    world.live("fine", capability="search_ranking")
    world.run(30)
    cycle = world.guard()
    assert "0.625 of 0.1 days" in cycle.froze
    freeze = world.belay.ledger.state().freezes["all"]
    assert "bad 0.625" in freeze.reason
    assert world.served("fine") == 5000


def test_the_harm_of_a_gate_freezes_when_nothing_is_live_any_more(world: Watched) -> None:
    from belay.actuation.flag_writer import roll_back

    world.live("bad")
    world.run(30)
    roll_back(world.belay, "bad", cause="harm", reason="conversion fell")
    assert world.known("bad").results.harmed_at is not None
    cycle = world.guard()
    assert cycle.live == 0
    assert "0.625 of 0.5 days" in cycle.froze
    assert "all" in world.belay.ledger.state().freezes
    assert world.guard().froze == ""


def test_a_lapsed_lease_takes_a_stage_without_anybody_asking(world: Watched) -> None:
    from datetime import timedelta

    world.live("fine")
    world.run(12)
    assert world.guard().demoted == []
    world.ahead = timedelta(days=366)
    assert world.guard().demoted == ["checkout_wording to suggest (lease)"]
    assert world.belay.ledger.state().capabilities["checkout_wording"].stage == "suggest"


@pytest.mark.parametrize("minutes", [4, 30])
def test_a_guard_that_is_missing_lets_nothing_widen(world: Watched, minutes: int) -> None:
    from datetime import timedelta

    from belay.actuation.guard_presence import GuardMissing, missing_guard, require_guard

    world.live("fine")
    assert missing_guard(world.belay) is None
    world.guard("airflow")
    world.ahead = timedelta(minutes=minutes)
    if minutes == 4:
        assert missing_guard(world.belay) is None
        return
    with pytest.raises(GuardMissing, match="has not looked for 30"):
        require_guard(world.belay)
    cycle = world.guard("cli@host")
    assert (cycle.blind, cycle.sighted) == (["guard"], ["guard"])
    require_guard(world.belay)


def test_two_guards_at_once_do_it_once(world: Watched) -> None:
    from concurrent.futures import ThreadPoolExecutor

    world.live("bad")
    world.run(30)
    with ThreadPoolExecutor(4) as pool:
        cycles = list(pool.map(world.guard, ["a", "b", "c", "d"]))
    assert sum(cycle.rolled_back == ["bad"] for cycle in cycles) == 1
    assert all(cycle.problems == [] for cycle in cycles)
    assert len(events_of(world, NarrowingIntended)) == 1
    assert verify(world.belay.ledger).ok


def test_the_holdback_takes_turns_and_ends_at_its_horizon(world: Watched) -> None:
    world.edit("checkout_wording.yaml", holdback={"share": 1500, "horizon": "3d", "rotate": "1d"})
    world.live("fine", 10_000, complete=True)
    world.run(25)
    assert world.guard().turned == ["fine"]
    assert world.guard().turned == []
    flag = world.belay.flags.read("fine")
    assert flag is not None
    assert (flag.scope, flag.holdback, flag.rotation) == (10_000, 1500, 1)
    (realised,) = world.known("fine").realised
    assert realised.found.low <= 0 <= realised.found.high
    assert "in turn 1" in realised.sentence
    world.run(49)
    assert world.guard().turned == ["fine"]
    flag = world.belay.flags.read("fine")
    assert flag is not None
    assert (flag.scope, flag.holdback) == (10_000, 0)
    assert world.known("fine").status is Status.COMPLETED
    assert world.guard().uncomparable == ["fine"]
