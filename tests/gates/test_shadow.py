"""Proposals that nobody saw, through a real shop, ledger and warehouse: what would they have done?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.gates.conftest import SHOP, World
from tests.gates.test_promotion import expose

from belay.analysis import shadow
from belay.analysis.shadow import measure_shadows
from belay.domain import commands as c
from belay.domain.actors import service
from belay.domain.gates import PromotionGate
from belay.domain.record import record_of
from belay.domain.stages import Stage
from belay.gates.promotion import go_through
from belay.present.digest import digest_text

NAME = "checkout_wording"
SHADOW = {"choice": "decisions.item", "propensity": "decisions.propensity", "payload": "greeting"}
EXPLORATION = {"share": 0.5, "items": {"plain": 0.0, "by_name": 0.3, "playful": -0.3}}


def write(world: World, **changes: Any) -> None:
    """Let the capability begin at observe, with a log of choices."""
    file = world.policies / f"{NAME}.yaml"
    policy = yaml.safe_load(file.read_text())
    policy |= {"initial_stage": "observe", "shadow": SHADOW, "suites": ["units"]} | changes
    file.write_text(yaml.safe_dump({key: value for key, value in policy.items() if value is not None}))


def says(greeting: Any, key: str = "treatment") -> dict[str, Any]:
    return {"variants": [{"key": key, "payload": {"greeting": greeting}}]}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[World]:
    """A shop that tries greetings by chance."""
    checkout = SHOP["surfaces"]["checkout"] | {"exploration": EXPLORATION}
    made = World(tmp_path, SHOP | {"surfaces": {"checkout": checkout}})
    write(made)
    yield made
    made.shop.close()
    made.belay.ledger.close()


def measure(world: World) -> dict[str, str]:
    """Measure, and return each proposal's sentence by its id."""
    said = measure_shadows(world.belay, world.belay.policy(NAME))
    return dict(sentence.split(": ", 1) for sentence in said)


def found(world: World, name: str) -> Any:
    return world.known(name).results.found


def test_the_log_tells_what_each_proposal_would_have_done(shop: World) -> None:
    shop.propose("warm", **says("by_name"))
    shop.propose("funny", **says("playful"))
    shop.propose("both", **says({"by_name": 1, "playful": 1}))
    said = measure(shop)
    # By the scenario: the usual greeting two times in three, and so 1.0 × 2/3 + 1.3/6 + 0.7/6 = 1.
    for name, truth in (("warm", 0.3), ("funny", -0.3), ("both", 0.0)):
        assert said[name].startswith("Conversion: "), said
        assert found(shop, name).effect == pytest.approx(truth, abs=0.08)
    assert found(shop, "warm").low > 0 > found(shop, "funny").high
    told = digest_text(shop.belay.ledger.state())
    assert f"data say {100 * found(shop, 'warm').effect:+.1f} %" in told
    (entry,) = [
        e for e in shop.belay.ledger.history(optimization="warm") if e.event.kind == "proposal.shadowed"
    ]
    document = shop.belay.ledger.get_evidence(entry.event.evidence)
    assert (document["kind"], document["log"]["choice"]) == ("shadow", "decisions.item")
    assert document["variants"]["treatment"]["would_choose"] == {"by_name": 1.0}
    record = record_of(shop.belay.ledger.state(), shop.belay.policy(NAME), shop.belay.now())
    assert record.calibration is not None
    assert record.calibration.predictions == 3, "the agents' predictions are scored by it"


def test_the_same_reading_twice_is_one(shop: World) -> None:
    shop.propose("warm", **says("by_name"))
    first, seq = measure(shop), shop.belay.ledger.state().seq
    assert seq == 4, "roster, policy, proposal, shadow"
    assert measure(shop) == first
    assert shop.belay.ledger.state().seq == seq


def test_the_newest_come_first_and_all_have_their_turn(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow, "AT_ONCE", 1)
    for name in ("one", "two", "three"):
        shop.propose(name, **says("by_name"))
    assert [*measure(shop), *measure(shop), *measure(shop), *measure(shop)] == [
        "three",
        "two",
        "one",
        "three",
    ]


def test_a_clock_that_cannot_be_read_is_said(shop: World) -> None:
    shop.propose("warm", **says("by_name"))
    (shop.home / "clock.json").write_text("noon")
    (sentence,) = measure_shadows(shop.belay, shop.belay.policy(NAME))
    assert "does not hold a data time" in sentence


def test_the_best_of_several_variants_is_what_it_would_have_done(shop: World) -> None:
    variants = [{"key": key, "payload": {"greeting": key}} for key in ("playful", "by-name")]
    variants[1]["payload"] = {"greeting": "by_name"}
    shop.propose("either", variants=variants)
    assert "with by-name against" in measure(shop)["either"]
    assert found(shop, "either").effect > 0


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"variants": [{"key": "treatment", "payload": {"text": "hello"}}]}, "its payload has no 'greeting'"),
        ({"variants": [{"key": "treatment", "payload": {"greeting": ["a"]}}]}, "no value of a choice"),
        (says("shouting"), "“shouting” was never chosen"),
        (says("by_name") | {"audience": {"country": "DE"}}, "it is meant for an audience"),
    ],
)
def test_what_cannot_be_told_of_one_is_told_of_the_others(
    shop: World, changes: dict[str, Any], why: str
) -> None:
    shop.propose("odd", **changes)
    shop.propose("warm", **says("by_name"))
    said = measure(shop)
    assert why in said["odd"]
    assert found(shop, "odd") is None
    assert found(shop, "warm") is not None
    assert "no data tell what it would have done" in digest_text(shop.belay.ledger.state())


def test_too_few_choices_stay_unknown(shop: World) -> None:
    write(shop, window={"minimum": "1d", "maximum": "4d", "minimum_units": 5_000})
    shop.propose("warm", **says("by_name"))
    assert "5,000 are needed" in measure(shop)["warm"]
    assert found(shop, "warm") is None


def test_without_a_log_nothing_is_told_and_that_is_said(world: World) -> None:
    write(world, shadow=None)
    world.propose("warm", **says("by_name"))
    (sentence,) = measure_shadows(world.belay, world.belay.policy(NAME))
    assert "names no log of choices made by chance" in sentence
    write(world)
    (sentence,) = measure_shadows(world.belay, world.belay.policy(NAME))
    assert "no choice was logged" in sentence, "the shop explores nothing"
    assert found(world, "warm") is None


def test_a_warehouse_that_does_not_answer_is_said(shop: World) -> None:
    shop.propose("warm", **says("by_name"))
    (shop.home / "warehouse.duckdb").unlink()
    (sentence,) = measure_shadows(shop.belay, shop.belay.policy(NAME))
    assert sentence.startswith(f"what the proposals of {NAME} would have done cannot be read: ")


def test_what_was_shown_or_belongs_to_another_stage_has_no_shadow(shop: World) -> None:
    write(shop, initial_stage="suggest", ramp=[2000, 10000])
    assert "no proposal" in measure_shadows(shop.belay, shop.belay.policy(NAME))[0], "not even a capability"
    shop.propose("seen", **says("by_name"))
    expose(shop, "seen")
    shop.propose("before", **says("by_name"))
    assert set(measure(shop)) == {"before"}
    lowered = c.Demote(NAME, Stage.OBSERVE, "ledger", "so it is")
    shop.belay.ledger.execute(lowered, by=service("gate"), at=shop.belay.now())
    shop.propose("now", **says("by_name"))
    assert set(measure(shop)) == {"now"}


def easy(world: World) -> None:
    """Let the ladder ask for nothing."""
    ladder = world.policies / "_ladder.yaml"
    document = yaml.safe_load(ladder.read_text())
    stages = ("observe", "suggest", "supervised", "bounded")
    document["promotion"] = {stage: {"days": 0} for stage in stages}
    ladder.write_text(yaml.safe_dump(document))


def test_the_record_reads_it(shop: World) -> None:
    easy(shop)
    shop.propose("warm", **says("by_name"))
    said, status = go_through(shop.belay, NAME, "run-1", asked_by="priya")
    assert said[-1].gate is PromotionGate.REVIEW, said[-1].sentence
    assert status is not None
    record = shop.belay.ledger.get_evidence(said[2].evidence)["record"]
    assert record["calibration"]["predictions"] == 1


def test_no_gate_fails_where_the_log_cannot_be_read(world: World) -> None:
    easy(world)
    write(world, shadow=SHADOW | {"choice": "units.pre_visits", "propensity": "units.pre_revenue"})
    world.propose("warm", **says("by_name"))
    assert "cannot be read" in measure_shadows(world.belay, world.belay.policy(NAME))[0]
    said, _ = go_through(world.belay, NAME, "run-1", asked_by="priya")
    assert said[-1].gate is PromotionGate.REVIEW, said[-1].sentence
