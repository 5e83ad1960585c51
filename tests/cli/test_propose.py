"""propose and policy: what goes in, and what is told about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import PROPOSALS

from belay.domain.actors import human
from belay.domain.gates import Verdict
from belay.domain.stages import DecisionClass
from belay.gates.admit import admit
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


def test_only_a_person_loosens_human_only(belay, services: Services, policies: Path, tmp_path: Path) -> None:
    """I8 at the command line: the file alone does not do it."""
    assert belay("policy", "adopt", "brand_voice", "--as", "bruno", "-r", "first").exit_code == 0
    file = policies / "brand_voice.yaml"
    file.write_text(file.read_text().replace("human_only", "reversible"))
    proposal = tmp_path / "p.yaml"
    text = (PROPOSALS / "checkout-delivery-date.yaml").read_text().replace("checkout_wording", "brand_voice")
    proposal.write_text(text)
    assert belay("propose", proposal, "--no-start").exit_code == 0
    capability = services.ledger.state().capabilities["brand_voice"]
    assert capability.decision_class is DecisionClass.HUMAN_ONLY, "as it was adopted"
    held = admit(services, "checkout-delivery-date", "run-1")
    assert held.verdict is Verdict.HOLD
    assert "the policy file of brand_voice no longer says human_only" in held.sentence
    assert "belay policy adopt brand_voice" in held.sentence
    doctor = belay("doctor").output
    assert "changed since it came into force: brand_voice" in " ".join(doctor.split())
    adopted = belay("policy", "adopt", "--all", "--as", "bruno", "-r", "the board agreed")
    assert adopted.exit_code == 0
    assert "decision class: was human_only, is reversible" in adopted.output
    assert services.ledger.state().capabilities["brand_voice"].decision_class is DecisionClass.REVERSIBLE
    assert (
        "every policy file is in force already"
        in belay("policy", "adopt", "--all", "--as", "bruno", "-r", "again").output
    )
    assert belay("policy", "adopt", "--as", "bruno", "-r", "neither").exit_code == 2
    shown = belay("policy", "show", "brand_voice").output
    assert "in force" in shown


def test_adopting_says_what_it_takes_down_and_what_needs_a_new_run(
    belay, services: Services, policies: Path, request_id: str
) -> None:
    file = policies / "checkout_wording.yaml"
    file.write_text(file.read_text().replace("stage: supervised", "stage: suggest\nceiling: suggest"))
    before = belay("policy", "show", "checkout_wording").output
    assert "no: belay policy adopt checkout_wording" in " ".join(before.split())
    told = belay("policy", "adopt", "checkout_wording", "--as", "carla", "-r", "too fast for us").output
    assert "ceiling: was autonomous, is suggest" in told
    assert "demoted checkout_wording supervised → suggest by rule policy" in told
    assert "belay start checkout-delivery-date" in told
