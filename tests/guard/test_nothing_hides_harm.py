"""What is broken beside a change, or on its way: it is watched all the same, and nothing comes back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
import yaml
from tests.support.live import append_anyway

from belay.actuation.flag_writer import roll_back, served_flag
from belay.domain import commands as c
from belay.domain import events as e
from belay.domain.actors import agent, human, service
from belay.domain.oversight import Oversight
from belay.domain.proposal import Proposal, Variant
from belay.domain.rules.steps import proposal_digest
from belay.flags.target import FlagsUnavailable
from belay.oversight.active_policy import adopt_first_policy
from belay.oversight.stop import stop
from belay.warehouse import fleet


def change_by_hand(world, name, **fields) -> None:
    file = world.home / "flags" / "flags.flagd.json"
    document = json.loads(file.read_text())
    document["flags"][name].update(fields)
    file.write_text(json.dumps(document))


def shown(world, name) -> str:
    document = json.loads((world.home / "flags" / "flags.flagd.json").read_text())
    return document["flags"][name]["defaultVariant"]


def test_a_column_that_one_capability_lacks_hides_nobody_elses_harm(world) -> None:
    file = world.policies / "_metrics.yaml"
    catalogue = yaml.safe_load(file.read_text())
    catalogue["sources"]["outcomes"]["columns"].append("basket_size")
    catalogue["metrics"]["basket"] = {
        "title": "Basket",
        "kind": "mean",
        "unit": "EUR",
        "direction": "increase",
        "value": "outcomes.basket_size",
    }
    file.write_text(yaml.safe_dump(catalogue))
    world.edit("search_ranking.yaml", guardrails={"conversion": 0.2, "basket": 0.2})
    world.live("bad")
    world.live("fine", capability="search_ranking")
    world.run(6)
    cycle = world.guard()
    assert cycle.rolled_back == ["bad"]
    assert cycle.blind == ["capability:search_ranking"]
    assert world.served("bad") == 0


def test_the_kill_switch_takes_down_what_was_changed_by_hand_at_zero(world) -> None:
    world.live("one")
    roll_back(world.belay, "one", cause="harm", reason="it hurts")
    change_by_hand(world, "one", targeting={}, defaultVariant="treatment")
    omar = world.belay.roster().person("omar")
    stop(world.belay, "all", person=omar, reason="look into it", via="test")
    assert shown(world, "one") == "control"


def test_a_flag_changed_by_hand_keeps_no_other_from_being_taken_down(world) -> None:
    world.edit("checkout_wording.yaml", holdback={"share": 1500, "horizon": "30d", "rotate": "1d"})
    world.live("old", 10_000, complete=True)
    world.live("other", capability="search_ranking")
    change_by_hand(world, "old", state="DISABLED")
    world.run(25)
    assert world.guard().turned == ["old"]  # wants a scope above zero, which a foreign flag is not given
    lock = world.home / "flags" / "flags.flagd.json.lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()
    with pytest.raises(FlagsUnavailable):
        roll_back(world.belay, "other", cause="harm", reason="it hurts")
    lock.rmdir()
    world.guard()
    assert (world.served("other"), world.served("old")) == (0, 0)


def test_what_is_served_and_was_not_confirmed_is_watched(world) -> None:
    policy, scope = world.belay.policy("checkout_wording"), 5000
    adopt_first_policy(world.belay, policy)
    variants, rollback = (Variant("treatment", {"label": "new"}),), {"label": "old"}
    proposal = Proposal(
        "bad", policy.id, "A change", "It helps.", variants, rollback, agent("copywriter"), "dana"
    )
    granted = e.OversightGranted("bad.1", "bad", 1, 0, scope, Oversight.INFORM, "d", None, None, ())
    append_anyway(
        world.belay,
        [
            e.Proposed("bad", policy.id, policy.surface, proposal, proposal_digest(proposal)),
            e.StepStarted("bad", 1, "bad__step1", 0, scope, policy.digest),
            granted,
            e.WideningIntended("bad", 1, "bad.1", 0, scope, 1),
        ],
    )
    world.belay.flags.apply(served_flag(world.known("bad"), scope, 1))
    world.guard()
    assert (world.known("bad").scope, world.known("bad").pending) == (scope, None)
    for _ in range(4):
        world.run(5)
        world.guard()
    assert world.served("bad") == 0


def test_a_narrowing_that_is_overtaken_ends_no_cycle(world, monkeypatch) -> None:
    world.live("one", harmless=2000)
    world.live("bad", capability="search_ranking")
    world.run(30)
    ledger, read, overtaken = world.belay.ledger, world.belay.flags.read, []
    ledger.execute(c.RollBack("one", "blind", "late data", 2000), by=service("guard"), at=world.belay.now())

    def overtaking(key):
        served = read(key)
        if key == "one" and not overtaken:
            overtaken.append(key)
            ledger.execute(c.RollBack("one", "harm", "no"), by=human("carla"), at=world.belay.now())
        return served

    monkeypatch.setattr(world.belay.flags, "read", overtaking)
    world.guard()
    assert overtaken
    assert (world.served("one"), world.served("bad")) == (0, 0)


def test_the_end_of_a_holdback_waits_for_an_open_day(world) -> None:
    rule = {"share": 1500, "horizon": "1d", "rotate": "12h"}
    world.edit("checkout_wording.yaml", holdback=rule, calendar="office")
    world.live("fine", 10_000, complete=True)
    world.run(25)
    world.ahead = datetime(2030, 6, 1, 12, tzinfo=UTC) - datetime.now(UTC)  # a Saturday
    assert world.guard().turned == []
    assert world.belay.flags.read("fine").holdback == 1500


def test_a_broken_policy_file_keeps_no_lapsed_stage(world) -> None:
    world.live("fine")
    world.run(12)
    world.guard()
    (world.policies / "checkout_wording.yaml").write_text("title: [broken")
    world.ahead = timedelta(days=366)
    assert world.guard().demoted == ["checkout_wording to suggest (lease)"]


def test_blind_for_twice_the_budget_costs_the_stage(world) -> None:
    world.live("fine", harmless=2000)
    world.run(12)
    world.guard()
    world.stop_data(40)
    assert world.guard().demoted == []
    world.stop_data(40)
    assert world.guard().demoted == ["checkout_wording to suggest (blind-guard)"]


def test_outcomes_without_values_are_blindness_and_their_budget_runs(world) -> None:
    """Every outcome column NULL: no harm can be shown, so the guard must not say that none was."""
    world.live("fine", harmless=1000)
    world.run(6)
    world.guard()
    world.run(12)
    for part in world.home.rglob("outcomes/**/*.parquet"):
        rows = pq.read_table(part)
        for name in ("converted", "revenue", "support_tickets", "unsubscribed", "page_errors", "page_views"):
            place = rows.schema.get_field_index(name)
            rows = rows.set_column(place, name, pa.nulls(rows.num_rows, rows.schema.field(name).type))
        pq.write_table(rows, part)
    cycle = world.guard()
    assert cycle.blind == ["capability:checkout_wording"]
    blind = world.belay.ledger.state().blind["capability:checkout_wording"]
    assert "100 % of its values are missing" in blind.reason
    assert world.guard().sighted == []
    world.stop_data(25)
    assert world.guard().shrunk == ["fine"]
    assert world.served("fine") == 1000


def test_the_words_of_a_database_driver_do_not_say_whether_blindness_is_told(world, monkeypatch) -> None:
    """What is wrong with the data is a fact: a driver may write “none of”, or “not started”, as it likes."""
    world.live("fresh")
    world.run(2)

    def fails(*_: object) -> None:
        why = "none of the replicas answers: the primary is not started, there is no exposure to it"
        raise sa.exc.OperationalError("SELECT", {}, Exception(why))

    monkeypatch.setattr(fleet, "_read_chunk", fails)
    cycle = world.guard()
    assert cycle.blind == ["capability:checkout_wording"]
    assert "none of the replicas" in world.belay.ledger.state().blind["capability:checkout_wording"].reason
