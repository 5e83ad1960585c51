"""The board offers to start what waits for nobody, and nothing else; without Airflow it says how."""

from __future__ import annotations

from tests.web.conftest import document

from belay.services import Services


def test_what_waits_for_nobody_has_a_button(browse, belay: Services) -> None:
    client = browse("nora")
    assert client.post("/api/proposals", json=document()).status_code == 201
    for page in ("/", "/optimization/delivery-date"):
        shown = client.get(page, headers={"accept": "text/html"}).text
        assert "optimizations/delivery-date/start" in shown
        assert "nothing has started it yet" in shown
    away = client.post("/api/optimizations/delivery-date/start", json={"reason": "start"})
    assert away.status_code == 503
    assert "belay start delivery-date" in away.json()["detail"]
    assert client.post("/api/optimizations/nothing/start", json={"reason": "start"}).status_code == 404


def test_what_waits_for_people_has_none(browse, belay: Services, asked) -> None:
    asked()
    client = browse("nora")
    assert "/start" not in client.get("/", headers={"accept": "text/html"}).text
    assert client.post("/api/optimizations/delivery-date/start", json={"reason": "start"}).status_code == 409
