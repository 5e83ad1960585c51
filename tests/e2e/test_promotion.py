"""A capability earns a stage in a running Airflow, by two people in two roles, and loses it again by harm."""

from __future__ import annotations

import pytest

from belay.domain.events import LeaseRenewed, PromotionStarted, StageDemoted, StagePromoted
from belay.domain.run import Run
from belay.gates.admit import propose
from belay.gates.intake import parse_proposal
from belay.ledger.verify import verify
from belay.oversight import people

pytestmark = [pytest.mark.airflow, pytest.mark.long]

NAME = "greeting"
PROMOTION, ROLLOUT = f"promotion__{NAME}", f"rollout__{NAME}"
PROPOSAL = {
    "optimization": "greeting-kind",
    "capability": NAME,
    "title": "Greet people by the time of day",
    "hypothesis": "Who feels seen stays.",
    "variants": [{"key": "treatment", "payload": {"text": "Good evening"}}],
    "rollback": {"text": "Welcome"},
    "agent": "copywriter",
    "agent_owner": "dana",
    "prediction": {"effect": 0.05, "low": -0.05, "high": 0.15},
}


def known(world):
    return world.belay.ledger.state().capabilities[NAME]


def start(world, run: str, dag: str = PROMOTION, conf: dict | None = None) -> None:
    body = {"dag_run_id": run, "logical_date": None, "conf": conf or {}}
    world.trigger(dag, body)


def waiting(world, run: str):
    """Return the open request of a promotion, once its task waits for people."""
    promotion = known(world).promotion
    request = world.belay.ledger.state().requests.get(promotion.request or "") if promotion else None
    states = world.client().task_states(Run(PROMOTION, run))
    return request if states.get("approval") == "awaiting_input" else None


def answer(world, user: str, run: str, option: str = "Approve"):
    path = f"/api/v2/dags/{PROMOTION}/dagRuns/{run}/taskInstances/approval/-1/hitlDetails"
    body = {"chosen_options": [option], "params_input": {"reason": "read the record"}}
    return world.call(user, "PATCH", path, body)


@pytest.fixture(scope="module")
def promoted(world):
    """Let people judge a proposal, and take the capability from suggest to supervised."""
    seen = {}
    propose(world.belay, parse_proposal(PROPOSAL))
    nora = world.belay.roster().person("nora")
    people.judge(
        world.belay, "greeting-kind", agrees=True, person=nora, reason="I would do this", via="slack"
    )
    start(world, "first")
    seen["request"] = world.until("people are asked", lambda: waiting(world, "first"))
    seen["page"] = world.call(
        "nora", "GET", "/api/v2/dags/~/dagRuns/~/hitlDetails?response_received=false&state=awaiting_input"
    ).json()
    seen["timo"] = answer(world, "timo", "first").status_code
    seen["omar"] = answer(world, "omar", "first").status_code
    seen["after one"] = world.until(
        "the task waits for the second of two", lambda: waiting(world, "first")
    ).status
    seen["stage after one"] = known(world).stage
    seen["nora"] = world.until(
        "the second answer is taken", lambda: (said := answer(world, "nora", "first")).ok and said
    ).status_code
    world.until("it is promoted", lambda: known(world).stage == "supervised")
    seen["runs"] = world.call("admin", "GET", f"/api/v2/dags/{PROMOTION}/dagRuns").json()["total_entries"]
    return seen


def test_two_people_in_two_roles_promote_it(promoted, world):
    assert promoted["timo"] == 403
    assert (promoted["after one"], promoted["stage after one"]) == ("open", "suggest")
    assert (promoted["omar"], promoted["nora"]) == (200, 200)
    events = [entry for entry in world.belay.ledger.history() if isinstance(entry.event, StagePromoted)]
    (entry,) = [entry for entry in events if entry.event.capability == NAME]
    assert (entry.event.from_stage, entry.event.to_stage) == ("suggest", "supervised")
    assert entry.event.grant == promoted["request"].id
    assert str(entry.by) == "service:promoter", "the grant of people was used; nothing promoted by itself"
    votes = world.belay.ledger.state().requests[entry.event.grant].votes
    assert {(vote.voter, vote.roles, vote.counted) for vote in votes} == {
        ("nora", ("cx_owner",), True),
        ("omar", ("risk_owner",), True),
    }
    started = [e.event for e in world.belay.ledger.history() if isinstance(e.event, PromotionStarted)]
    assert started[0].asked_by == "admin", "who triggered the run, as Airflow knows them"
    assert known(world).lease_until is not None
    assert promoted["runs"] == 1, "no schedule started anything"


def test_the_question_stands_on_the_required_actions_page(promoted):
    asked = [page for page in promoted["page"]["hitl_details"] if "to stage supervised" in page["subject"]]
    (subject,) = [page["subject"] for page in asked]
    assert subject.endswith(": may it go from stage suggest to stage supervised?")
    assert "A first exposure would take notice instead of approve" in asked[0]["body"]


def test_harm_during_the_next_promotion_takes_the_stage_and_the_question(promoted, world):
    rude = PROPOSAL | {"optimization": "greeting-rude", "title": "Say nothing at all"}
    del rude["capability"]
    start(world, "greeting-rude__step1", ROLLOUT, rude)
    start(world, "second")
    request = world.until("people are asked again", lambda: waiting(world, "second"))
    assert (request.from_stage, request.to_stage) == ("supervised", "bounded")
    world.until("harm takes it down", lambda: known(world).stage == "suggest")
    world.until("nobody sees it", lambda: world.optimization("greeting-rude").pending is None)
    assert world.served("greeting-rude") == 0
    demoted = [e.event for e in world.belay.ledger.history() if isinstance(e.event, StageDemoted)]
    (event,) = [event for event in demoted if event.capability == NAME]
    assert (event.rule, event.from_stage, event.to_stage) == ("harm-rate", "supervised", "suggest")
    assert world.belay.ledger.state().requests[request.id].status == "void"
    assert answer(world, "omar", "second").status_code == 403, "what they were shown does not hold any more"
    world.until(
        "the run ends without promoting",
        lambda: world.client().task_states(Run(PROMOTION, "second")).get("approval") == "failed",
    )
    assert known(world).stage == "suggest"
    assert not [e for e in world.belay.ledger.history() if isinstance(e.event, LeaseRenewed)]
    assert verify(world.belay.ledger).ok
