"""What waits for nobody is told, and only that is started."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.conftest import ask

from belay.domain import commands as c
from belay.domain.gates import Gate, Verdict
from belay.execution import execute
from belay.gates.next_run import next_run

NAME = "checkout-delivery-date"


def wanted(services):
    state = services.ledger.state()
    return next_run(state, state.optimizations[NAME])


def test_a_proposal_needs_its_first_run_and_then_waits_for_people(belay, services, proposal: Path) -> None:
    assert belay("propose", proposal, "--no-start").exit_code == 0
    first = wanted(services)
    assert (first.number, first.first) == (1, True)
    assert f"`belay start {NAME}`" in " ".join(belay("show", NAME).output.split())
    ask(services, NAME)
    assert wanted(services) is None
    refused = belay("start", NAME)
    assert refused.exit_code == 1
    assert "waits for approve" in refused.output


def test_after_a_new_policy_status_says_what_to_do_and_not_that_it_climbs(
    belay,
    services,
    request_id: str,
    policies: Path,
    monkeypatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    file = policies / "checkout_wording.yaml"
    file.write_text(file.read_text().replace("margin: 0.2", "margin: 0.15"))
    adopted = belay("policy", "adopt", "checkout_wording", "--as", "nora", "--reason", "narrower")
    assert f"belay start {NAME}" in adopted.output
    assert "policy changed" in wanted(services).why
    said = " ".join(belay("status").output.split())
    assert f"`belay start {NAME}`" in said
    assert "gate approval" not in said


def test_what_was_held_needs_a_run_that_a_person_starts(belay, services, proposal: Path) -> None:
    belay("propose", proposal, "--no-start")
    policy = services.policy("checkout_wording")
    execute(services, c.StartStep(NAME, f"{NAME}__step1", policy), by="admit")
    execute(services, c.JudgeGate(NAME, 1, Gate.QUALITY, Verdict.HOLD, "late", None), by="quality")
    again = wanted(services)
    assert (again.number, again.first) == (2, False)
    assert "late" in again.why


@pytest.mark.parametrize("with_login", [True, False])
def test_start_needs_an_airflow_and_says_so(belay, proposal: Path, monkeypatch, *, with_login: bool) -> None:
    belay("propose", proposal, "--no-start")
    if with_login:
        monkeypatch.setenv("BELAY_AIRFLOW_URL", "http://127.0.0.1:9")
        monkeypatch.setenv("BELAY_AIRFLOW_USER", "nora")
        monkeypatch.setenv("BELAY_AIRFLOW_PASSWORD", "x")
    done = belay("start", NAME)
    assert done.exit_code == 3
    assert ("does not answer" if with_login else "BELAY_AIRFLOW_USER") in done.output
    assert belay("start", "nothing-like-that").exit_code == 2
