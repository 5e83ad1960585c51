"""Promotion, judgements and demotion from the command line."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from belay.domain.actors import service
from belay.domain.commands import AdoptPolicy
from belay.services import Services

NAME = "checkout_wording"


@pytest.fixture
def easy(policies: Path) -> None:
    """Let the ladder ask for next to nothing, and the capability begin at observe."""
    ladder = yaml.safe_load((policies / "_ladder.yaml").read_text())
    ladder["promotion"] = {stage: {"days": 0} for stage in ("observe", "suggest", "supervised", "bounded")}
    ladder["promotion"]["observe"] = {"judged": 1}
    (policies / "_ladder.yaml").write_text(yaml.safe_dump(ladder))
    file = policies / f"{NAME}.yaml"
    file.write_text(file.read_text().replace("initial_stage: supervised", "initial_stage: observe"))


def test_people_judge_what_nobody_sees(belay, services: Services, easy: None, proposal) -> None:
    assert belay("propose", proposal, "--no-start").exit_code == 0
    digest = belay("autonomy", "digest").output
    assert "1 proposal waits for a judgement" in digest
    assert "it expects +8.0 % (+2.0 % to +14.0 %) on the primary metric" in digest
    said = belay("judge", "checkout-delivery-date", "yes", "--as", "nora", "-r", "I would too")
    assert said.exit_code == 0, said.output
    assert "nora would have done checkout-delivery-date." in said.output
    assert "No proposal waits" in belay("autonomy", "digest").output
    again = belay("judge", "checkout-delivery-date", "no", "--as", "nora", "-r", "or not")
    assert (again.exit_code, "judged-already" in again.stderr) == (1, True)
    assert belay("judge", "checkout-delivery-date", "maybe", "--as", "nora", "-r", "x").exit_code == 2
    (standing,) = json.loads(belay("autonomy", "show", NAME, "--json").output)
    assert {line["name"]: line["standing"] for line in standing["criteria"]} == {
        "judged": "met",
        "supervision": "met",
    }
    assert "judged" in belay("autonomy", "show", NAME).output


def test_what_was_never_shown_is_told_or_it_is_said_why_not(belay, services: Services, proposal) -> None:
    assert belay("propose", proposal, "--no-start").exit_code == 0
    told = belay("autonomy", "shadow", NAME)
    assert told.exit_code == 0, told.output
    assert "names no log of choices made by chance: what was never shown is not known" in told.output
    assert json.loads(belay("autonomy", "shadow", NAME, "--json").output) == [told.output.strip()]
    assert "has no proposal" in belay("autonomy", "shadow", "brand_voice").output
    assert belay("autonomy", "shadow", "nothing").exit_code == 2


def test_a_lapsed_lease_is_taken_back(belay, services: Services) -> None:
    policy = services.policy(NAME)
    long_ago = services.now() - timedelta(days=91)
    services.ledger.execute(AdoptPolicy(policy, "start"), by=service("policy"), at=long_ago)
    done = belay("autonomy", "check")
    assert done.exit_code == 0, done.output
    assert "checkout_wording → suggest, by rule lease" in done.output
    assert "nothing is due" in belay("autonomy", "check").output


def test_what_cannot_be_promoted_says_why(belay, services: Services, proposal) -> None:
    belay("propose", proposal, "--no-start")
    for to, said in (("autonomous", "one-stage-at-a-time"), ("sky", "is no stage")):
        refused = belay("promote", NAME, "--to", to, "--as", "priya")
        assert refused.exit_code in {1, 2}
        assert said in refused.stderr
    assert belay("autonomy", "show", "nothing").exit_code == 2
