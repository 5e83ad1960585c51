"""Who answers for whom, and whether they keep up, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

from belay.domain.request_state import RequestStatus
from belay.services import Services


def test_a_delegate_answers_for_somebody_else(belay, services: Services, request_id: str) -> None:
    given = belay("delegate", "lena", "--until", "3d", "-r", "on leave", "--as", "nora")
    assert given.exit_code == 0, given.output
    assert given.output.startswith("lena answers for nora as cx_owner and veto until ")
    (listed,) = json.loads(belay("delegations", "--json").output)
    assert (listed["giver"], listed["to"], listed["reason"]) == ("nora", "lena", "on leave")
    assert belay("approve", request_id, "--as", "lena", "-r", "read it").exit_code == 0
    request = services.ledger.state().requests[request_id]
    assert request.status is RequestStatus.GRANTED
    assert [(v.voter, v.on_behalf_of) for v in request.votes] == [("lena", "nora")]


def test_a_delegation_that_was_taken_back_gives_no_voice(belay, request_id: str) -> None:
    belay("delegate", "lena", "--until", "3d", "-r", "on leave", "--as", "nora")
    (listed,) = json.loads(belay("delegations", "--json").output)
    assert belay("undelegate", listed["id"], "-r", "back", "--as", "timo").exit_code == 1
    assert belay("undelegate", listed["id"], "-r", "back", "--as", "nora").exit_code == 0
    refused = belay("approve", request_id, "--as", "lena", "-r", "x")
    assert refused.exit_code == 1
    assert "lena may not answer this: it takes cx_owner" in refused.stderr
    assert "everybody answers for themselves" in belay("delegations").output


def test_what_cannot_be_delegated_is_said(belay, request_id: str) -> None:
    soon = belay("delegate", "lena", "--until", "soon", "-r", "x", "--as", "nora")
    assert (soon.exit_code, "is no time: say friday" in soon.stderr) == (2, True)
    nobody = belay("delegate", "mallory", "--until", "3d", "-r", "x", "--as", "nora")
    assert (nobody.exit_code, "is nobody who could answer" in nobody.stderr) == (2, True)
    nothing = belay("delegate", "nora", "--until", "3d", "-r", "x", "--as", "lena")
    assert (nothing.exit_code, "holds no role" in nothing.stderr) == (1, True)


def test_supervision_shows_who_is_waited_for(belay, request_id: str) -> None:
    (role,) = json.loads(belay("supervision", "--json").output)
    assert (role["who"], role["people"], role["pending"], role["answers"]) == ("cx_owner", 2, 1, 0)
    assert "cx_owner" in belay("supervision").output
    people = json.loads(belay("supervision", "--by", "person", "--json").output)
    assert {load["who"] for load in people} == {"nora", "priya"}


def test_hasty_is_what_the_policy_says(belay, policies: Path, request_id: str) -> None:
    assert belay("approve", request_id, "--as", "nora", "-r", "fine").exit_code == 0
    (role,) = json.loads(belay("supervision", "--json").output)
    assert (role["answers"], role["hasty"]) == (1, 1)
    file = policies / "_defaults.yaml"
    assert "hasty: 10s" in file.read_text()
    file.write_text(file.read_text().replace("hasty: 10s", "hasty: 0.001s"))
    (role,) = json.loads(belay("supervision", "--json").output)
    assert (role["answers"], role["hasty"]) == (1, 0)
