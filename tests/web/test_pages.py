"""The pages: they show what the ledger says, to those who are logged in, and never act on what it holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.web.conftest import document, freeze

from belay.domain import commands as c
from belay.execution import execute
from belay.gates.admit import propose
from belay.gates.intake import parse_proposal
from belay.ledger.watch import Beat, Watch
from belay.services import Services

Browse, Asked = Callable[..., TestClient], Callable[..., Any]
HOSTILE = "</p><script>alert(1)</script><img src=x onerror=alert(1)>\"'{{ 777*777 }}"
PATHS = (
    "/",
    "/review/x/1",
    "/optimization/x",
    "/evidence/x",
    "/run/x",
    "/explain/1",
    "/api/board",
    "/static/belay.css",
)


@pytest.mark.parametrize("path", [*PATHS, "/static/belay.js", "/api/optimizations/x", "/api/evidence/x"])
def test_nobody_sees_anything_without_logging_in(browse: Browse, path: str) -> None:
    client = browse(None)
    assert client.get(path).status_code == 401
    page = client.get(path, headers={"Accept": "text/html"})
    assert page.status_code == 401
    assert "/api/v2/auth/login?next=" in page.text


def test_every_route_asks_who_is_there() -> None:
    from fastapi.routing import APIRoute

    from belay.web import auth
    from belay.web.app import create_app

    routes = [route for route in create_app().routes if isinstance(route, APIRoute)]
    assert len(routes) >= 12
    for route in routes:
        guards = {dependency.dependency for dependency in route.dependencies}
        assert auth.reader.dependency in guards, route.path
        if route.path == "/api/proposals":  # the account says what it is worth, and no right in Airflow
            assert auth.current_proposer in {one.call for one in route.dependant.dependencies}
            continue
        assert route.methods == {"GET"} or auth.answerer.dependency in guards, route.path


def test_there_are_no_public_docs(browse: Browse) -> None:
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert browse().get(path).status_code == 404


def test_an_empty_ledger_has_a_board(browse: Browse) -> None:
    page = browse().get("/")
    assert page.status_code == 200
    assert "No approvals waiting" in page.text
    assert "Nothing proposed yet." in page.text


def test_the_board_says_what_is_missing_and_how_long_there_is(browse: Browse, asked: Asked) -> None:
    request = asked()
    page = browse().get("/").text
    assert "Say when the parcel will arrive" in page
    assert "0 of 1 approvals; needs a cx_owner" in page
    assert f"If nobody answers by {request.expires_at:%Y-%m-%d %H:%M} UTC:" in page
    assert "Open for another 24 hours" in page or "Open for another 1 day" in page
    assert "Answers that do not count:</strong> of copywriter, Dana Novak: they proposed it" in page
    assert f'id="{request.id}"' in page
    assert "What customers would see:</strong> label: “Order now” → “yours on Thursday”" in page
    assert "The agent copywriter proposes (Dana Novak is accountable):" in page
    assert "If approved:</strong> 1 % of people see it." in page
    assert "Can answer:</strong> Nora Lindqvist (cx_owner), Priya Raman (cx_owner)." in page
    assert f"&#34;digest&#34;: &#34;{request.digest}&#34;" in page


def test_a_notice_says_when_it_goes_ahead(browse: Browse, asked: Asked) -> None:
    asked(tags=[])
    page = browse().get("/").text
    assert re.search(r"If nobody says no by [-0-9: ]+ UTC:</strong> it goes ahead", page)
    assert re.search(r"Open for another (3|4) hours", page)
    assert ">Approve<" not in page


def test_a_broken_policy_stands_on_the_board_with_its_error(
    browse: Browse, asked: Asked, folder: Path
) -> None:
    asked()
    (folder / "checkout_wording.yaml").write_text("title: [\n")
    page = browse().get("/").text
    assert "policy broken" in page
    assert "checkout_wording.yaml" in page
    assert "Say when the parcel will arrive" in page


def test_a_policy_file_that_nobody_adopted_yet_stands_on_the_board(
    browse: Browse, asked: Asked, folder: Path
) -> None:
    asked()
    assert "policy changed" not in browse().get("/").text
    file = folder / "checkout_wording.yaml"
    file.write_text(file.read_text().replace("owner: carla", "owner: bruno"))
    page = browse().get("/").text
    assert "policy changed" in page
    assert "belay policy adopt checkout_wording --reason" in page
    assert "Carla Mendes is accountable" in page, "as the policy in force says"


def test_what_is_live_is_shown_even_when_its_policy_file_is_gone(
    browse: Browse, asked: Asked, folder: Path
) -> None:
    asked()
    (folder / "checkout_wording.yaml").unlink()
    page = browse().get("/").text
    assert "there is no checkout_wording.yaml any more" in page
    assert "delivery-date" in page


def test_a_freeze_is_seen(browse: Browse, belay: Services, asked: Asked) -> None:
    asked()
    freeze(belay, "surface:checkout")
    page = browse().get("/").text
    assert "Frozen: surface:checkout" in page
    assert "black friday" in page


def test_a_blind_guard_is_seen_and_so_is_a_missing_one(browse: Browse, belay: Services, asked: Asked) -> None:
    asked()
    assert "The guard is" not in browse().get("/").text
    since = belay.now() - timedelta(hours=2)
    execute(belay, c.ReportBlind("warehouse", "all", "no answer", since), by="guard")
    page = browse().get("/").text
    assert "The guard is blind" in page
    assert f"since {since:%Y-%m-%d %H:%M} UTC of data time: no answer" in page
    Watch(belay.ledger.engine).beat(Beat("airflow", since, since))
    told = browse().get("/api/board").json()
    assert "The guard is missing" in browse().get("/").text
    assert told["blind"][0]["source"] == "warehouse"
    assert "has not looked for 2" in told["guard_missing"]


def test_the_ladder_ends_at_the_ceiling_of_the_class(browse: Browse) -> None:
    known = {each["id"]: each for each in browse().get("/api/board").json()["capabilities"]}
    assert known["brand_voice"]["ceiling"] == "suggest"
    assert [rung["allowed"] for rung in known["brand_voice"]["ladder"]] == [True, True, False, False, False]


def test_hostile_words_of_an_agent_stay_words(browse: Browse, asked: Asked, belay: Services) -> None:
    asked(title=HOSTILE, hypothesis=HOSTILE * 3, rollback={HOSTILE: HOSTILE})
    client = browse()
    evidence = belay.ledger.state().optimizations["delivery-date"].step.gates["review"].evidence  # type: ignore[union-attr, index]
    for path in ("/", "/optimization/delivery-date", "/review/delivery-date/1", f"/evidence/{evidence}"):
        page = client.get(path, headers={"Accept": "text/html"})
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<img" not in page.text
        assert "603729" not in page.text


def test_headers_keep_scripts_and_frames_of_others_out(browse: Browse) -> None:
    headers = browse().get("/").headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'self'" in policy
    assert headers["x-content-type-options"] == "nosniff"


def test_pages_carry_no_inline_script(browse: Browse, asked: Asked) -> None:
    asked()
    for path in ("/", "/optimization/delivery-date", "/review/delivery-date/1"):
        page = browse().get(path).text
        assert not re.search(r"<script(?![^>]*\bsrc=)", page)
        assert not re.search(r"\son\w+=", page)


def test_pages_point_only_into_the_app(browse: Browse, asked: Asked) -> None:
    asked()
    for path in ("/", "/optimization/delivery-date", "/review/delivery-date/1"):
        links = re.findall(r'(?:href|src|data-url)="([^"]*)"', browse().get(path).text)
        assert links
        assert not [link for link in links if link.startswith(("/", "http", "javascript"))]


def test_a_review_leads_to_the_answer_while_people_are_waited_for(browse: Browse, asked: Asked) -> None:
    request = asked()
    page = browse().get("/review/delivery-date/1").text
    assert "Nobody has seen it yet" in page
    assert f'href="../../#{request.id}"' in page


def test_a_step_without_a_review_says_where_it_stands(browse: Browse, asked: Asked) -> None:
    asked()
    assert "There is no step 7 yet" in browse().get("/review/delivery-date/7").text


def test_a_run_leads_to_its_review(browse: Browse, asked: Asked) -> None:
    asked()
    answer = browse(follow_redirects=False).get("/run/delivery-date__step1")
    assert answer.status_code == 307
    assert answer.headers["location"] == "../review/delivery-date/1"


@pytest.mark.parametrize("path", ["/review/x/1", "/optimization/x", f"/evidence/{'0' * 64}", "/run/x"])
def test_what_is_not_there_is_said(browse: Browse, path: str) -> None:
    assert browse().get(path).status_code == 404
    page = browse().get(path, headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert "Not found" in page.text


def test_the_story_is_told_in_order_with_its_evidence(browse: Browse, asked: Asked, belay: Services) -> None:
    request = asked()
    for look in range(1, 4):
        command = c.TakeLook("delivery-date", 1, look, belay.now(), False, f"look {look}: nothing", None)
        execute(belay, command, by="window")
    page = browse().get("/optimization/delivery-date").text
    assert page.index("proposed “") < page.index("took up step 1") < page.index(f"({request.id})")
    assert "and 2 looks before" in page
    assert re.search(r'href="\.\./evidence/[0-9a-f]{64}"', page)


def test_evidence_has_an_address_for_every_value(browse: Browse, reviewed: Callable[..., str]) -> None:
    evidence = reviewed(rollback={"a/b": {"c~d": [1, None]}})
    page = browse().get(f"/evidence/{evidence}", headers={"Accept": "text/html"}).text
    assert 'id="/predicted/prediction/effect"' in page
    assert 'id="/proposal/rollback/a~1b/c~0d/1"' in page
    assert browse().get(f"/evidence/{evidence}").json() == browse().get(f"/api/evidence/{evidence}").json()


def test_evidence_that_is_very_deep_is_shown(browse: Browse, belay: Services) -> None:
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    evidence = belay.ledger.put_evidence({"deep": deep})
    assert browse().get(f"/evidence/{evidence}", headers={"Accept": "text/html"}).status_code == 200


def test_a_ledger_that_is_away_is_said(browse: Browse, belay: Services, asked: Asked) -> None:
    asked()
    database = Path(str(belay.ledger.engine.url.database))
    belay.ledger.close()
    for part in database.parent.glob("ledger.db*"):
        part.unlink()
    page = browse().get("/", headers={"Accept": "text/html"})
    assert page.status_code == 503
    assert "Temporarily unavailable" in page.text


def test_a_step_that_its_window_ended_shows_what_was_seen(
    browse: Browse, belay: Services, reviewed: Callable[..., str]
) -> None:
    from belay.domain.gates import Gate, Verdict

    reviewed()
    known = belay.ledger.state().optimizations["delivery-date"]
    effect = {
        "metric": "conversion",
        "title": "Conversion",
        "arm": "treatment",
        "role": "primary",
        "direction": "increase",
        "effect": -0.4,
        "low": -0.6,
        "high": None,
        "margin": 0.2,
        "finding": "harmful",
    }
    seen = {
        "effects": [effect | {"segment": {"column": "", "value": ""}}],
        "segments": [effect | {"segment": {"column": "device", "value": HOSTILE}}],
    }
    look = belay.ledger.put_evidence({"kind": "look", "monitoring": seen})
    second = c.StartStep("second", "second__step1", belay.policy("checkout_wording"))
    proposal = parse_proposal(document("second"))
    propose(belay, proposal)
    execute(belay, second, by="admit")
    for gate, verdict in ((Gate.QUALITY, Verdict.PASS), (Gate.WINDOW, Verdict.FAIL)):
        execute(
            belay, c.JudgeGate("second", 1, gate, verdict, "Harm: it drives people away", look), by="gate"
        )
    page = browse().get("/review/second/1").text
    assert "This step ended without a review" in page
    assert "Harm: it drives people away" in page
    assert page.count("<svg") == 4
    assert "<script>alert" not in page
    assert known.id in browse().get("/").text


def test_who_answers_for_an_entry_is_told_and_linked(browse: Browse, belay: Services, asked: Asked) -> None:
    request, client = asked(title=HOSTILE), browse()
    page = client.get(f"/explain/{request.id}", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "Who was asked, who answered and why" in page.text
    assert "<script>alert" not in page.text
    for seq in range(1, belay.ledger.head()[0] + 1):
        told = client.get(f"/explain/{seq}").json()
        assert seq in told["entries"]
        assert f"explain/{seq}" in client.get(f"/explain/{seq}", headers={"Accept": "text/html"}).text
    assert client.get("/explain/nothing").status_code == 404
    assert "explain/" in client.get("/").text
    assert f"explain/{request.optimization}" in client.get(f"/optimization/{request.optimization}").text
    assert f"explain/{request.optimization}" in client.get(f"/review/{request.optimization}/1").text
