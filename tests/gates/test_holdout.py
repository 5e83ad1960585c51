"""Held out units see none of a capability's optimizations, are no control, and say what all of it did."""

from __future__ import annotations

import pytest
import yaml
from tests.gates.test_promotion import expose
from tests.gates.test_promotion import write as promotable

from belay.analysis.oec import recompute_oec
from belay.analysis.reading import logged_shares, shares
from belay.domain.actors import human
from belay.domain.gates import Gate, Verdict
from belay.domain.proposal import CONTROL, HOLDOUT
from belay.gates.admit import admit
from belay.gates.promotion import admit_promotion, judge_quality, judge_the_record
from belay.gates.quality import check_data
from belay.oversight.active_policy import adopt_policy
from belay.warehouse import look

NAME = "checkout_wording"
HELD = 1500


def write(world, **autonomy) -> None:
    file = world.policies / f"{NAME}.yaml"
    policy = yaml.safe_load(file.read_text()) | {"initial_stage": "suggest", "autonomy": autonomy}
    file.write_text(yaml.safe_dump(policy))


def adopt(world) -> None:
    adopt_policy(world.belay, world.belay.policy(NAME), human("carla"), "another share")


def exposures(world, optimization: str) -> list[tuple[str, str]]:
    with world.belay.warehouse.connect() as connection:
        rows = connection.exec_driver_sql(
            f"SELECT unit_id, variant FROM exposures WHERE optimization = '{optimization}'"
        )
        return [(unit, variant) for unit, variant in rows]


def held(rows: list[tuple[str, str]]) -> set[str]:
    return {unit for unit, variant in rows if variant == HOLDOUT}


def test_the_holdout_through_the_shop(world) -> None:
    """Two optimizations, one after the other: the same units are held out, and the split stays right."""
    write(world, holdout=HELD)
    world.propose("checkout-good")
    expose(world, "checkout-good", steps=2)
    world.run(30)
    first = exposures(world, "checkout-good")
    known = world.known("checkout-good")
    assert known.holdout == HELD

    # The split: the holdout is expected as it is, and the arms among themselves as ever.
    report = check_data(world.belay, known, world.belay.policy(NAME))
    said = {check.id: (str(check.finding), check.sentence) for check in report.checks}
    assert said["exposures.split"][0] == "passed", said["exposures.split"]
    assert said["exposures.planned-variants"][0] == "passed"
    assert logged_shares(known, 5000)[HOLDOUT] == HELD / 10_000
    assert shares(known, 5000) == {CONTROL: 0.5, "treatment": 0.5}, "the holdout is no arm"

    # All of it against the holdout.
    found, sentence = recompute_oec(world.belay, world.belay.policy(NAME))
    assert found is not None
    reading = world.belay.ledger.state().capabilities[NAME].oec
    assert reading is not None, sentence
    assert reading.found.low < reading.found.effect < reading.found.high
    assert recompute_oec(world.belay, world.belay.policy(NAME))[0] == found, "read again, it is recorded once"
    kinds = [entry.kind for entry in world.belay.ledger.entries()]
    assert kinds.count("oec.measured") == 1
    document = world.belay.ledger.get_evidence(reading.evidence)
    assert document["findings"]["split"]["finding"] == "harmless"

    # Another optimization of the capability holds out the same units.
    from belay.actuation.flag_writer import roll_back

    roll_back(world.belay, "checkout-good", cause="replaced", reason="the next one's turn")
    world.propose("checkout-next")
    expose(world, "checkout-next", steps=2)
    world.run(30)
    second = exposures(world, "checkout-next")
    seen = {unit for unit, variant in [*first, *second] if variant not in (HOLDOUT, CONTROL)}
    assert held(first) & {unit for unit, _ in second} <= held(second)
    assert not seen & (held(first) | held(second)), "a held out unit saw something"
    assert abs(len(held(second)) / len({unit for unit, _ in second}) - HELD / 10_000) < 0.03


def test_a_new_share_moves_nobody_out_of_treatment(world) -> None:
    write(world, holdout=0)
    world.propose("checkout-good")
    expose(world, "checkout-good")
    write(world, holdout=HELD)
    assert "no holdout" in recompute_oec(world.belay, world.belay.policy(NAME))[1]
    adopt(world)
    world.propose("checkout-later")
    expose(world, "checkout-good")
    assert world.known("checkout-good").scope == 5000
    assert world.belay.flags.read("checkout-good").holdout == 0, "fixed at its first exposure"
    assert world.belay.ledger.state().capabilities[NAME].holdout == HELD, (
        "the next one keeps to the new share"
    )


def admitted(world, name: str) -> dict:
    """Take up the next step, and return what its admission planned."""
    admit(world.belay, name, f"{name}-run")
    spoken = world.known(name).step.gates[Gate.ADMIT]
    return world.belay.ledger.get_evidence(spoken.evidence)["plan"]


def test_admission_counts_the_units_that_take_part(world) -> None:
    write(world, holdout=0)
    world.propose("checkout-good")
    everybody = admitted(world, "checkout-good")
    write(world, holdout=5000)
    adopt(world)
    world.propose("checkout-later")
    half = admitted(world, "checkout-later")
    assert (everybody["power"]["holdout"], half["power"]["holdout"]) == (0, 5000)
    assert half["power"]["units_needed"] == pytest.approx(everybody["power"]["units_needed"])
    assert half["power"]["days_needed"] > 1.9 * everybody["power"]["days_needed"]
    assert half["units_per_day"] == everybody["units_per_day"] / 2, "of whom a scope is a share"
    assert "without the holdout's 50 %" in half["power"]["sentence"]

    # What is live keeps the share that it was first exposed with.
    expose(world, "checkout-good")
    assert world.belay.ledger.state().holdout_of(world.known("checkout-good")) == 5000
    write(world, holdout=0)
    adopt(world)
    assert admitted(world, "checkout-good")["power"]["holdout"] == 5000


def test_an_earlier_reading_is_not_known_to_hold_where_none_can_be_had_today(world, monkeypatch) -> None:
    promotable(world, autonomy={"holdout": HELD})
    ladder = world.policies / "_ladder.yaml"
    document = yaml.safe_load(ladder.read_text())
    document["promotion"]["suggest"] = {"oec_margin": 0.9}
    ladder.write_text(yaml.safe_dump(document))
    world.propose("checkout-good")
    expose(world, "checkout-good", steps=2)
    world.run(30)
    assert recompute_oec(world.belay, world.belay.policy(NAME))[0] is not None

    def gone(*_args, **_options):
        raise OSError("the warehouse is gone")

    monkeypatch.setattr(look, "read_cells", gone)
    admit_promotion(world.belay, NAME, "run-1", asked_by="priya")
    judge_quality(world.belay, NAME, "run-1")
    judged = judge_the_record(world.belay, NAME, "run-1")
    assert judged.verdict is Verdict.HOLD
    assert "oec (unknown" in judged.sentence
    assert "the warehouse is gone" in world.belay.ledger.get_evidence(judged.evidence)["overall"]
