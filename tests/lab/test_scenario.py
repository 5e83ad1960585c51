"""Scenarios: the packaged one loads, and a wrong one says what is wrong with it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from belay.gates.intake import parse_proposal
from belay_lab.shop.scenario import SCENARIOS, load_scenario


def test_the_demos_proposals_each_have_their_truth() -> None:
    scenario = load_scenario("demo")
    proposals = [
        parse_proposal(yaml.safe_load(file.read_text()))
        for file in sorted((SCENARIOS / "proposals").glob("*.yaml"))
    ]
    assert {proposal.optimization for proposal in proposals} == set(scenario.effects)
    assert scenario.begins == datetime(2026, 3, 2, tzinfo=UTC)


def test_a_scenario_is_read_from_a_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text((SCENARIOS / "demo.yaml").read_text().replace("seed: 7", "seed: 8"))
    assert load_scenario(str(file)).seed == 8


def test_a_scenario_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(FileNotFoundError, match="packaged are: demo"):
        load_scenario("demmo")


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ("seed: seven", "seed"),
        ("visitors_per_hour: 3", "visitors_per_hour"),
        ("history_days: -1", "history_days"),
        ("surfaces: {home: {visitors_per_day: 0, behaviour: {conversion: 0.1}}}", "visitors_per_day"),
        ("surfaces: {home: {visitors_per_day: 5, behaviour: {conversion: 1.5}}}", "conversion"),
        ("effects: {x: [{conversions: 0.1}]}", "conversions"),
        (
            "surfaces: {h: {visitors_per_day: 5, behaviour: {conversion: .1}, exploration: {items: {a: 0}}}}",
            "items",
        ),
    ],
)
def test_a_wrong_scenario_is_refused_by_field(tmp_path: Path, change: str, where: str) -> None:
    document = yaml.safe_load((SCENARIOS / "demo.yaml").read_text()) | yaml.safe_load(change)
    file = tmp_path / "wrong.yaml"
    file.write_text(yaml.safe_dump(document))
    with pytest.raises(ValidationError, match=where):
        load_scenario(str(file))
