"""A capability's page and its card: stage, lease, and each criterion as met, not met or unknown."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient

from belay.domain import commands as c
from belay.domain.gates import PromotionGate, Verdict
from belay.domain.stages import Stage
from belay.execution import execute
from belay.services import Services

Browse = Callable[..., TestClient]
NAME = "checkout_wording"


@pytest.fixture
def promoting(belay: Services, folder: Any, reviewed: Callable[..., str]) -> Any:
    """Take a promotion from suggest to supervised to the question to people."""
    ladder = yaml.safe_load((folder / "_ladder.yaml").read_text())
    ladder["promotion"] = {stage: {"days": 0} for stage in ("observe", "suggest", "supervised", "bounded")}
    (folder / "_ladder.yaml").write_text(yaml.safe_dump(ladder))
    file = folder / f"{NAME}.yaml"
    file.write_text(file.read_text().replace("initial_stage: supervised", "initial_stage: suggest"))
    reviewed()
    policy, run = belay.policy(NAME), f"promotion__{NAME}:manual__1"
    execute(belay, c.StartPromotion(NAME, Stage.SUPERVISED, run, policy), by="admit")
    evidence = belay.ledger.put_evidence({"kind": "promotion", "sentence": "May it?", "criteria": []})
    for gate in (PromotionGate.QUALITY, PromotionGate.RECORD, PromotionGate.REVIEW):
        command = c.JudgePromotion(NAME, run, gate, Verdict.PASS, f"{gate} is fine", evidence)
        execute(belay, command, by=str(gate))
    execute(belay, c.RequestPromotion(NAME, run, policy), by="approval")
    return next(request for request in belay.ledger.state().open_requests() if request.promotes)


def test_the_card_shows_stage_lease_and_criteria(browse: Browse, reviewed: Callable[..., str]) -> None:
    reviewed()
    page = browse().get("/").text
    assert "Granted until" in page
    assert "criteria met for bounded" in page
    assert ">? calibration<" in page, "nothing was measured yet: unknown"
    assert ">✕ completed<" in page
    assert ">✓ supervision<" in page
    (card,) = [one for one in browse().get("/api/board").json()["capabilities"] if one["id"] == NAME]
    standings = {line["name"]: line["standing"] for line in card["standing"]["criteria"]}
    assert (standings["completed"], standings["OEC"], standings["supervision"]) == (
        "not_met",
        "unknown",
        "met",
    )


def test_its_page_tells_the_record_and_how_it_came_here(browse: Browse, reviewed: Callable[..., str]) -> None:
    reviewed()
    page = browse().get(f"/capability/{NAME}")
    assert page.status_code == 200
    for said in ("To go to bounded", "unknown", "1 proposed", "Never above autonomous", "brought policy"):
        assert said in page.text
    assert browse().get("/capability/nothing").status_code == 404


def test_a_question_about_a_stage_is_answered_on_the_board(
    browse: Browse, belay: Services, promoting: Any
) -> None:
    board = browse().get("/").text
    assert "suggest → supervised" in board
    assert f'href="capability/{NAME}"' in board
    page = browse().get(f"/capability/{NAME}").text
    assert "Promotion to supervised" in page
    assert "answer on the board" in page
    body = {"choice": "approve", "reason": "read the record", "digest": promoting.digest}
    for user in ("nora", "omar"):
        assert browse(user).post(f"/api/requests/{promoting.id}/votes", json=body).status_code == 200
    assert belay.ledger.state().capabilities[NAME].grant is not None
    veto = browse("nora").post(f"/api/vetoes/{promoting.id}", json={"reason": "on second thoughts"})
    assert (veto.status_code, veto.json()["taken_down"]) == (200, [])
    assert belay.ledger.state().capabilities[NAME].grant is None, "a veto wins after the grant, too"
    assert belay.ledger.state().capabilities[NAME].stage == "suggest", "and takes no stage away"


def test_a_run_leads_to_the_capability(browse: Browse, promoting: Any) -> None:
    answer = browse().get(f"/run/promotion__{NAME}:manual__1", follow_redirects=False)
    assert answer.headers["location"] == f"../capability/{NAME}"


def test_the_review_button_of_a_promotions_task_opens_its_page(browse: Browse, promoting: Any) -> None:
    from belay.orchestration.links import ReviewLink

    run = SimpleNamespace(dag_id=f"promotion__{NAME}", run_id="manual__1")
    link = ReviewLink().get_link(SimpleNamespace(), ti_key=run)  # type: ignore[arg-type]
    page = browse().get(link.partition("/belay")[2])
    assert page.status_code == 200
    assert "Promotion to supervised" in page.text
