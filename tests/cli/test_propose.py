"""propose and policy: what goes in, and what is told about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import PROPOSALS

from belay.domain.actors import human
from belay.services import Services


@pytest.mark.parametrize("file", sorted(PROPOSALS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_packaged_proposals_are_taken(belay, services: Services, file: Path) -> None:
    done = belay("propose", file)
    assert done.exit_code == 0, done.output
    assert f"recorded: {file.stem}" in done.output
    known = services.ledger.state().optimizations[file.stem]
    roster = services.roster()
    assert known.proposal.agent_owner == roster.agent_owner(known.proposal.proposed_by.id)


def test_twice_is_once(belay, services: Services, proposal: Path) -> None:
    belay("propose", proposal)
    before = services.ledger.head()
    again = belay("propose", proposal)
    assert again.exit_code == 0
    assert "recorded already" in again.output
    assert services.ledger.head() == before


def test_a_person_may_propose(belay, services: Services, proposal: Path) -> None:
    done = belay("propose", proposal, "--in-person", "--as", "priya", "--json", "--no-start")
    assert json.loads(done.stdout)["status"] == "proposed"
    assert services.ledger.state().optimizations["checkout-delivery-date"].proposal.proposed_by == human(
        "priya"
    )


def test_policy_check_show_and_adopt(belay, services: Services, policies: Path) -> None:
    assert belay("policy", "check").exit_code == 0
    shown = json.loads(belay("policy", "show", "checkout_wording", "--json").stdout)
    assert shown["ramp"]["steps"] == [100, 500, 2500, 10000]
    assert "1 % → 5 % → 25 % → 100 %" in belay("policy", "show", "checkout_wording").output
    first = belay("policy", "adopt", "checkout_wording", "--as", "carla", "-r", "decided")
    assert first.exit_code == 0, first.output
    assert (
        "was in force already"
        in belay("policy", "adopt", "checkout_wording", "--as", "carla", "-r", "x").output
    )
    assert (
        services.ledger.state().capabilities["checkout_wording"].policy
        == services.policy("checkout_wording").digest
    )


def test_only_a_person_loosens_human_only(belay, policies: Path, tmp_path: Path) -> None:
    """I8 at the command line: the file alone does not do it."""
    assert belay("policy", "adopt", "brand_voice", "--as", "bruno", "-r", "first").exit_code == 0
    file = policies / "brand_voice.yaml"
    file.write_text(file.read_text().replace("human_only", "reversible"))
    proposal = tmp_path / "p.yaml"
    text = (PROPOSALS / "checkout-delivery-date.yaml").read_text().replace("checkout_wording", "brand_voice")
    proposal.write_text(text)
    refused = belay("propose", proposal)
    assert refused.exit_code == 1
    assert "belay policy adopt brand_voice" in refused.stderr
    assert belay("policy", "adopt", "brand_voice", "--as", "bruno", "-r", "the board agreed").exit_code == 0
    assert belay("propose", proposal).exit_code == 0
