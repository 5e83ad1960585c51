"""One optimization climbs two steps in a running Airflow whose scheduler is killed in between."""

from __future__ import annotations

import pytest

from belay.domain.events import ScopeConfirmed, VoteCast, WideningIntended
from belay.domain.run import Run
from belay.domain.state import Status
from belay.ledger.verify import verify

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

NAME, DAG = "checkout-delivery-date", "rollout__checkout_wording"
PROPOSAL = {
    "optimization": NAME,
    "title": "Say when the parcel will arrive",
    "hypothesis": "A date beside the button helps people decide.",
    "variants": [{"key": "treatment", "payload": {"label": "yours on Thursday"}}],
    "rollback": {"label": "order now"},
    "agent": "copywriter",
    "agent_owner": "dana",
    "prediction": {"effect": 0.08, "low": 0.02, "high": 0.14},
}


def hitl(run):
    return f"/api/v2/dags/{DAG}/dagRuns/{run}/taskInstances/approval/-1/hitlDetails"


@pytest.fixture(scope="module", autouse=True)
def surface(world):
    """Leave the surface free, whatever failed here: the later tests need it."""
    yield
    known = world.optimization(NAME)
    if known is not None and not known.status.ended:
        world.veto(NAME)


@pytest.fixture(scope="module")
def climbed(world):
    """Take the optimization from nothing to 5 %; the tests below look at what happened on the way."""
    seen = {}
    bad = world.call(
        "admin",
        "POST",
        f"/api/v2/dags/{DAG}/dagRuns",
        {"logical_date": None, "conf": PROPOSAL | {"variants": []}},
    )
    seen["bad proposal"] = bad.status_code
    body = {"dag_run_id": f"{NAME}__step1", "logical_date": None, "conf": PROPOSAL}
    world.trigger(DAG, body)
    world.until("the first exposure", lambda: world.served(NAME) == 100)
    seen["killed"] = world.kill("scheduler")

    def asked():
        known = world.optimization(NAME)
        request = known.step and known.step.number == 2 and known.step.request
        return request and world.belay.ledger.state().requests[request]

    request = world.until("the question whether it may go to 5 %", asked)
    seen["request"] = request
    seen["restarted"] = world.pid_of("scheduler")
    run = world.optimization(NAME).step.run
    world.until(
        "the task waits for people",
        lambda: (
            world.client().task_states(Run("rollout__checkout_wording", run)).get("approval")
            == "awaiting_input"
        ),
    )
    seen["pending page"] = world.call(
        "nora", "GET", "/api/v2/dags/~/dagRuns/~/hitlDetails?response_received=false&state=awaiting_input"
    ).json()
    answer = {"chosen_options": ["Approve"], "params_input": {"reason": "looks right"}}
    seen["refused"] = {user: world.call(user, "PATCH", hitl(run), answer) for user in (None, "viola", "timo")}
    seen["no reason"] = world.call(
        "nora", "PATCH", hitl(run), {"chosen_options": ["Approve"], "params_input": {"reason": ""}}
    )
    seen["before the vote"] = world.served(NAME)
    seen["approved"] = world.call("nora", "PATCH", hitl(run), answer)
    world.until("5 % are served", lambda: world.served(NAME) == 500)
    world.until("the ledger confirms it", lambda: world.optimization(NAME).scope == 500)
    return seen


def test_a_bad_proposal_is_refused_by_the_form(climbed):
    assert climbed["bad proposal"] in {400, 422}


def test_every_widening_was_intended_once_and_confirmed(climbed, world):
    events = [entry.event for entry in world.belay.ledger.history(optimization=NAME)]
    widenings = [(e.from_scope, e.to_scope) for e in events if isinstance(e, WideningIntended)]
    assert widenings[:2] == [(0, 100), (100, 500)]
    assert len(widenings) == len(set(widenings))
    assert [e.scope for e in events if isinstance(e, ScopeConfirmed)][:2] == [100, 500]


def test_the_killed_scheduler_came_back_and_nothing_was_lost(climbed, world):
    assert climbed["restarted"] != climbed["killed"]
    assert verify(world.belay.ledger).ok


def test_only_the_roster_answers_and_only_with_a_reason(climbed, world):
    refused = {user: answer.status_code for user, answer in climbed["refused"].items()}
    assert refused == {None: 401, "viola": 403, "timo": 403}
    assert "role" in climbed["refused"]["timo"].json()["detail"]
    assert climbed["no reason"].status_code == 403
    assert climbed["before the vote"] == 100
    assert climbed["approved"].status_code == 200
    votes = [e.event for e in world.belay.ledger.history(optimization=NAME) if isinstance(e.event, VoteCast)]
    assert [(v.voter, v.via, v.reason, v.counted) for v in votes] == [
        ("nora", "airflow", "looks right", True)
    ]


def test_the_question_stands_on_the_required_actions_page(climbed):
    (pending,) = climbed["pending page"]["hitl_details"]
    assert pending["subject"] == (
        "Checkout wording, “Say when the parcel will arrive”: may it go from 1 % to 5 %?"
    )
    assert pending["options"] == ["Approve", "Reject", "Veto", "Look again"]
    assert climbed["request"].id in pending["body"]


def test_a_veto_takes_it_down_without_the_scheduler(climbed, world):
    world.kill("scheduler")
    world.veto(NAME)
    assert world.served(NAME) == 0
    known = world.optimization(NAME)
    assert (known.status, known.scope) == (Status.VETOED, 0)


def test_success_marked_by_hand_widens_nothing(climbed, world):
    """Marking the approval as done does not make it so: the flag writer asks the ledger."""
    name, dag = "checkout-by-hand", DAG
    body = {
        "dag_run_id": f"{name}__step1",
        "logical_date": None,
        "conf": PROPOSAL | {"optimization": name, "tags": ["brand"]},
    }
    world.trigger(dag, body)
    client = world.client()
    run = f"{name}__step1"
    world.until(
        "it waits for people",
        lambda: client.task_states(Run("rollout__checkout_wording", run)).get("approval") == "awaiting_input",
    )
    path = f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/approval"
    world.call("admin", "PATCH", path, {"new_state": "success"}).raise_for_status()
    world.until(
        "widening was tried",
        lambda: (
            client.task_states(Run("rollout__checkout_wording", run)).get("widen") in {"failed", "success"}
        ),
    )
    assert client.task_states(Run("rollout__checkout_wording", run))["widen"] == "failed"
    assert world.served(name) == 0
    refused = [e for e in world.belay.ledger.entries() if e.kind == "command.refused"]
    assert any("no-grant" in e.body or "gates" in e.body for e in refused)
