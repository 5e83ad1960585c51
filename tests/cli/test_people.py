"""Votes, vetoes and freezes from the command line: who may, what is refused, what is remembered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from belay.domain.request_state import RequestStatus
from belay.domain.state import Status
from belay.services import Services


def test_an_approval_grants_the_step(belay, services: Services, request_id: str) -> None:
    done = belay("approve", request_id, "--as", "nora", "--reason", "read the review")
    assert done.exit_code == 0, done.output
    assert "Nora Lindqvist (nora) answered approve" in done.output
    request = services.ledger.state().requests[request_id]
    assert request.status is RequestStatus.GRANTED
    assert [(v.voter, v.reason, v.via) for v in request.votes] == [("nora", "read the review", "cli")]


def test_the_optimization_names_its_only_request(belay, services: Services, request_id: str) -> None:
    done = belay("reject", "checkout-delivery-date", "--as", "nora@shop.example", "-r", "not in this week")
    assert done.exit_code == 0, done.output
    assert services.ledger.state().requests[request_id].status is RequestStatus.REJECTED


@pytest.mark.parametrize(
    ("who", "code", "says"),
    [
        ("omar", 1, "it takes cx_owner (rule: role)"),
        ("mallory", 2, "'mallory' (--as or BELAY_USER) is nobody in the roster"),
        ("", 2, "is nobody in the roster: say who you are with --as PERSON"),
    ],
)
def test_who_may_not_answer(
    belay, services: Services, request_id: str, who: str, code: int, says: str, monkeypatch
) -> None:
    monkeypatch.setenv("LOGNAME", "somebody-else")
    arguments = ["--as", who] if who else []
    done = belay("approve", request_id, *arguments, "--reason", "x")
    assert done.exit_code == code
    assert says in done.stderr
    assert services.ledger.state().requests[request_id].status is RequestStatus.OPEN


def test_a_second_answer_of_one_person_is_refused(
    belay, policies: Path, services: Services, proposal
) -> None:
    file = policies / "checkout_wording.yaml"
    file.write_text(file.read_text() + "approval: {roles: [cx_owner], quorum: 2}\n")
    from tests.cli.conftest import ask

    belay("propose", proposal)
    request = ask(services, "checkout-delivery-date")
    assert belay("approve", request, "--as", "nora", "-r", "fine").exit_code == 0
    again = belay("approve", request, "--as", "nora", "-r", "fine")
    assert again.exit_code == 1
    assert "nora has answered request" in again.stderr
    assert len(services.ledger.state().requests[request].votes) == 1


def test_somebody_who_left_cannot_answer(belay, policies: Path, request_id: str) -> None:
    people = policies / "_people.yaml"
    text = people.read_text().replace("roles: [cx_owner, veto]}", "roles: [cx_owner, veto], active: false}")
    people.write_text(text)
    done = belay("approve", request_id, "--as", "nora", "-r", "x")
    assert done.exit_code == 2
    assert "nora (Nora Lindqvist) is not active" in done.stderr


def test_what_waits_for_no_answer(belay, request_id: str) -> None:
    done = belay("approve", "nothing", "--as", "nora", "-r", "x")
    assert done.exit_code == 2
    assert f"open requests: {request_id}" in done.stderr
    belay("reject", request_id, "--as", "nora", "-r", "no")
    late = belay("approve", request_id, "--as", "priya", "-r", "yes")
    assert late.exit_code == 1
    assert "is rejected: nora rejected it: no" in late.stderr


def test_a_veto_needs_no_airflow(belay, services: Services, request_id: str) -> None:
    done = belay("veto", "checkout-delivery-date", "--as", "omar", "-r", "complaints", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["by"] == "omar"
    state = services.ledger.state()
    assert state.optimizations["checkout-delivery-date"].status is Status.VETOED
    assert state.requests[request_id].status is RequestStatus.VOID
    again = belay("veto", "checkout-delivery-date", "--as", "omar", "-r", "complaints")
    assert again.exit_code == 1


def test_freeze_and_unfreeze(belay, services: Services, request_id: str) -> None:
    assert belay("freeze", "surface:checkout", "--as", "dana", "-r", "Black Friday").exit_code == 0
    assert "was frozen already" in belay("freeze", "surface:checkout", "--as", "dana", "-r", "x").output
    assert list(services.ledger.state().freezes) == ["surface:checkout"]
    unknown = belay("freeze", "surface:nowhere", "--as", "dana", "-r", "x")
    assert unknown.exit_code == 2
    assert "there is: all, surface:account, surface:checkout" in unknown.stderr
    own = belay("unfreeze", "surface:checkout", "--as", "dana", "-r", "over")
    assert own.exit_code == 1
    assert "it takes ops or veto" in own.stderr
    assert belay("unfreeze", "surface:checkout", "--as", "omar", "-r", "over").exit_code == 0
    assert not services.ledger.state().freezes


def test_airflow_that_is_away_takes_no_answer(belay, services, request_id: str, monkeypatch) -> None:
    from belay.local.airflow import free_port

    monkeypatch.setenv("BELAY_AIRFLOW_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("BELAY_AIRFLOW_USER", "nora")
    no_password = belay("approve", request_id, "-r", "x")
    assert no_password.exit_code == 2
    assert "BELAY_AIRFLOW_USER=nora has no password" in no_password.stderr
    monkeypatch.setenv("BELAY_AIRFLOW_PASSWORD", "secret-word")
    away = belay("approve", request_id, "-r", "x")
    assert away.exit_code == 3
    assert "does not answer" in away.stderr
    assert "secret-word" not in away.stderr
    assert services.ledger.state().requests[request_id].votes == ()
