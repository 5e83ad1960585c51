"""Answers that come while a task is still being parked: Airflow 3.3.2 alone fails such tasks."""

from __future__ import annotations

import time

import pytest
import requests

pytestmark = [pytest.mark.airflow, pytest.mark.long]

DAG = "rollout__checkout_wording"
PROPOSAL = {
    "title": "Say when the parcel will arrive",
    "hypothesis": "A date beside the button helps people decide.",
    "variants": [{"key": "treatment", "payload": {"label": "yours on Thursday"}}],
    "rollback": {"label": "order now"},
    "agent": "copywriter",
    "agent_owner": "dana",
    "tags": ["brand"],
}
REJECT = {"chosen_options": ["Reject"], "params_input": {"reason": "not before the campaign"}}


@pytest.mark.parametrize("seconds", [0.2, 1.0, 5.0])
def test_the_task_never_fails_for_it(world, seconds):
    name = f"checkout-answered-{seconds:g}".replace(".", "-")
    run = f"{name}__step1"
    nora = requests.Session()
    nora.headers["Authorization"] = f"Bearer {world.token('nora')}"
    task = f"{world.airflow.url}/api/v2/dags/{DAG}/dagRuns/{run}/taskInstances/approval"

    def asked():
        known = world.optimization(name)
        return known and known.step and known.step.request

    def waits():
        return nora.get(task, timeout=30).json().get("state") == "awaiting_input"

    body = {"dag_run_id": run, "logical_date": None, "conf": PROPOSAL | {"optimization": name}}
    world.trigger(DAG, body)
    request = world.until("people are asked", asked)
    # Who opened the review before answering is not hasty.
    nora.get(f"{world.airflow.url}/belay/review/{name}/1", timeout=30).raise_for_status()
    world.until("the task has parked", waits, every=0.02)
    time.sleep(seconds)
    answer = nora.patch(f"{task}/-1/hitlDetails", json=REJECT, timeout=60)
    assert answer.status_code == 200, answer.text
    answered = time.monotonic()
    ended = ("skipped", "failed", "success")
    world.until("the task has ended", lambda: nora.get(task, timeout=30).json()["state"] in ended)
    print(f"answered {seconds:g} s after parking: the task ended {time.monotonic() - answered:.1f} s later")
    found = nora.get(task, timeout=30).json()
    # A scheduler that lags by more than the answer waited costs a try, never the answer.
    assert found["state"] == "skipped"
    known = world.belay.ledger.state().requests[request]
    assert [(vote.voter, vote.via, vote.choice) for vote in known.votes] == [("nora", "airflow", "reject")]
    assert known.opened_by == ("nora",)
    assert world.served(name) == 0
