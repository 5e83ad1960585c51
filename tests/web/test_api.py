"""Answers and proposals over HTTP: who may, from where, and in what form."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.web.conftest import document

from belay.services import Services

Browse, Asked = Callable[..., TestClient], Callable[..., Any]


def vote(request: Any, **changes: Any) -> dict[str, Any]:
    return {"choice": "approve", "reason": "the review convinces me", "digest": request.digest, **changes}


def test_a_person_with_the_role_approves(browse: Browse, belay: Services, asked: Asked) -> None:
    request = asked()
    answer = browse("nora").post(f"/api/requests/{request.id}/votes", json=vote(request))
    assert answer.status_code == 200
    assert answer.json()["status"] == "granted"
    (recorded,) = belay.ledger.state().requests[request.id].votes
    assert (recorded.voter, recorded.via, recorded.reason) == ("nora", "board", "the review convinces me")


def test_an_airflow_user_without_a_name_in_the_roster_may_not(
    browse: Browse, belay: Services, asked: Asked
) -> None:
    request = asked()
    answer = browse("admin").post(f"/api/requests/{request.id}/votes", json=vote(request))
    assert answer.status_code == 403
    assert "Nora Lindqvist" in answer.json()["detail"]
    assert not belay.ledger.state().requests[request.id].votes


def test_a_person_without_the_role_may_not(browse: Browse, belay: Services, asked: Asked) -> None:
    request = asked()
    answer = browse("carla").post(f"/api/requests/{request.id}/votes", json=vote(request))
    assert answer.status_code == 403
    assert "it takes cx_owner" in answer.json()["detail"]


def test_airflows_own_permission_comes_first(browse: Browse, belay: Services, asked: Asked) -> None:
    request = asked()
    client = browse("nora", may_answer=False)
    assert client.post(f"/api/requests/{request.id}/votes", json=vote(request)).status_code == 403
    assert client.post("/api/proposals", json=document("other")).status_code == 201, (
        "that takes no such right"
    )
    assert not belay.ledger.state().requests[request.id].votes


def test_a_vote_for_what_is_not_asked_any_more_is_refused(browse: Browse, asked: Asked) -> None:
    request = asked()
    answer = browse().post(f"/api/requests/{request.id}/votes", json=vote(request, digest="0" * 64))
    assert answer.status_code == 403
    assert "open the request again" in answer.json()["detail"]


def test_a_second_click_changes_nothing(browse: Browse, belay: Services, asked: Asked) -> None:
    request = asked()
    client = browse()
    client.post(f"/api/requests/{request.id}/votes", json=vote(request))
    before = belay.ledger.head()
    assert client.post(f"/api/requests/{request.id}/votes", json=vote(request)).status_code == 403
    assert belay.ledger.head() == before


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"choice": "maybe", "reason": "x", "digest": "x"},
        {"choice": "approve", "reason": "", "digest": "x"},
        {"choice": "approve", "reason": "x" * 2001, "digest": "x"},
        {"choice": "approve", "reason": "x", "digest": "x", "voter": "omar"},
        [],
    ],
)
def test_an_answer_of_the_wrong_form_is_refused(browse: Browse, asked: Asked, body: Any) -> None:
    assert browse().post(f"/api/requests/{asked().id}/votes", json=body).status_code == 422


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://testserver.evil.example"}, 403),
        ({"Content-Type": "text/plain"}, 403),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 403),
        ({"Content-Length": "5000000"}, 413),
    ],
)
def test_what_another_site_can_make_a_browser_send_is_refused(
    browse: Browse, belay: Services, asked: Asked, headers: dict[str, str], status: int
) -> None:
    request = asked()
    sent = {"Content-Type": "application/json", **headers}
    answer = browse().post(
        f"/api/requests/{request.id}/votes", content=json.dumps(vote(request)), headers=sent
    )
    assert answer.status_code == status
    assert not belay.ledger.state().requests[request.id].votes


def test_a_browser_that_hides_where_it_comes_from_is_refused_and_a_token_is_not(
    browse: Browse, asked: Asked
) -> None:
    request, client = asked(), browse()
    del client.headers["Origin"]
    path = f"/api/requests/{request.id}/votes"
    assert client.post(path, json=vote(request)).status_code == 403
    bearer = {"Authorization": "Bearer a-token"}
    assert client.post(path, json=vote(request), headers=bearer).status_code == 200


def test_nothing_is_decided_on_a_get(browse: Browse, belay: Services, asked: Asked) -> None:
    request, client = asked(), browse()
    before, _ = belay.ledger.head()
    for path in (
        f"/api/requests/{request.id}/votes",
        "/api/vetoes/delivery-date",
        "/api/proposals",
        "/api/freezes",
    ):
        assert client.get(path).status_code == 405
    for path in ("/", "/review/delivery-date/1", "/optimization/delivery-date", "/api/board"):
        assert [client.get(path).status_code for _ in range(2)] == [200, 200]
    assert [entry.kind for entry in belay.ledger.entries(before)] == ["review.opened"]
    assert belay.ledger.state().requests[request.id].opened_by == ("nora",)


def test_a_veto_ends_it(browse: Browse, belay: Services, asked: Asked) -> None:
    asked()
    assert browse("carla").post("/api/vetoes/delivery-date", json={"reason": "no"}).status_code == 403
    assert browse("omar").post("/api/vetoes/delivery-date", json={"reason": "no"}).status_code == 200
    assert belay.ledger.state().optimizations["delivery-date"].status == "vetoed"


def test_a_veto_on_nothing_is_refused(browse: Browse) -> None:
    answer = browse("omar").post("/api/vetoes/nothing", json={"reason": "no"})
    assert answer.status_code == 403
    assert "nothing called 'nothing'" in answer.json()["detail"]


def test_people_freeze_and_lift(browse: Browse, belay: Services, asked: Asked) -> None:
    asked()
    client = browse()
    frozen = {"target": "capability:checkout_wording", "reason": "launch day"}
    assert client.post("/api/freezes", json=frozen).json() == {"freezes": ["capability:checkout_wording"]}
    assert client.post("/api/freezes", json={"target": "moon", "reason": "x"}).status_code == 409
    assert client.post("/api/freezes", json={**frozen, "frozen": False}).json() == {"freezes": []}
    assert browse("admin").post("/api/freezes", json=frozen).status_code == 403


def test_an_agent_proposes_and_cannot_approve(browse: Browse, belay: Services, asked: Asked) -> None:
    client = browse("copywriter")
    answer = client.post("/api/proposals", json=document("from-agent"))
    assert answer.status_code == 201
    known = belay.ledger.state().optimizations["from-agent"]
    assert str(known.proposal.proposed_by) == "agent:copywriter"
    request = asked()
    assert client.post(f"/api/requests/{request.id}/votes", json=vote(request)).status_code == 403


def test_a_person_who_proposes_is_the_proposer(browse: Browse, belay: Services) -> None:
    assert browse("nora").post("/api/proposals", json=document("by-nora")).status_code == 201
    assert str(belay.ledger.state().optimizations["by-nora"].proposal.proposed_by) == "human:nora"


def test_the_same_proposal_twice_is_one_and_another_under_its_name_is_refused(browse: Browse) -> None:
    client = browse("copywriter")
    assert client.post("/api/proposals", json=document()).status_code == 201
    assert client.post("/api/proposals", json=document()).status_code == 201
    assert client.post("/api/proposals", json=document(title="Another text")).status_code == 409


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"variants": []}, 422, "variants"),
        ({"surprise": 1}, 422, "surprise"),
        ({"capability": "nothing"}, 409, "nothing.yaml"),
    ],
)
def test_a_bad_proposal_is_refused_with_what_is_wrong(
    browse: Browse, changes: dict[str, Any], status: int, said: str
) -> None:
    answer = browse("copywriter").post("/api/proposals", json=document(**changes))
    assert answer.status_code == status
    assert said in answer.json()["detail"]


def test_the_board_and_an_optimization_are_plain_json(browse: Browse, asked: Asked) -> None:
    request = asked()
    board = browse().get("/api/board").json()
    assert [waiting["id"] for waiting in board["requests"]] == [request.id]
    known = browse().get("/api/optimizations/delivery-date").json()
    assert known["scope"] == 0
    assert browse().get("/api/optimizations/nothing").status_code == 404


def test_the_kill_switch_takes_everything_down(belay, browse) -> None:
    from tests.support.live import make_live

    make_live(belay, 2)
    body = {"target": "all", "reason": "wrong prices"}
    assert browse("priya").post("/api/stops", json=body).status_code == 403
    assert browse("nora").post("/api/stops", json=body, headers={"Origin": "http://evil"}).status_code == 403
    assert all(flag.scope for flag in belay.flags.read_all().values())
    answer = browse("nora").post("/api/stops", json=body)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["taken_down"]) == 2
    assert not any(flag.scope for flag in belay.flags.read_all().values())


def test_a_stop_without_a_ledger_reaches_the_flags_and_says_what_is_missing(belay, browse) -> None:
    from tests.support.live import make_live

    make_live(belay, 2)
    client = browse("nora")
    belay.ledger.close()
    (belay.settings.home / "ledger.db").rename(belay.settings.home / "away.db")
    page = client.get("/stop")
    assert page.status_code == 200
    assert "surface:checkout" in page.text
    answer = client.post("/api/stops", json={"target": "surface:checkout", "reason": "wrong prices"})
    assert answer.status_code == 503
    assert "2 optimizations taken down to 0 %; the ledger could not be reached" in answer.json()["detail"]
    assert not any(flag.scope for flag in belay.flags.read_all().values())
    assert "could not be reached" in client.get("/stop").text
    (belay.settings.home / "away.db").rename(belay.settings.home / "ledger.db")
    assert "Stop not complete: surface:checkout" in client.get("/").text
