"""An answer that Airflow did not hear wakes its run at once, though nobody has a login for Airflow."""

from __future__ import annotations

import time

import pytest
from tests.support.world import policies_in, running

from belay.domain.events import Choice
from belay.domain.run import Run
from belay.oversight import people

pytestmark = [pytest.mark.airflow, pytest.mark.long]

NAME, CAPABILITY = "checkout-woken", "checkout_hints"
RUN = Run.of_step(CAPABILITY, NAME, 1)
PROPOSAL = {
    "optimization": NAME,
    "title": "A calmer hint",
    "hypothesis": "Less haste, fewer errors.",
    "variants": [{"key": "treatment", "payload": {"label": "take your time"}}],
    "rollback": {"label": "order now"},
    "agent": "copywriter",
    "agent_owner": "dana",
    "tags": ["brand"],
}
RECHECK = 600


def test_it_is_woken_by_the_plugin(tmp_path):
    settings = {
        "BELAY_POLICIES": str(policies_in(tmp_path)),
        "BELAY_PROMOTION_SCHEDULE": "none",
        "BELAY_APPROVAL_RECHECK_SECONDS": str(RECHECK),
    }
    with running(tmp_path, **settings) as world:
        world.trigger(RUN.dag, {"dag_run_id": RUN.run_id, "logical_date": None, "conf": PROPOSAL})

        def request():
            known = world.optimization(NAME)
            return known and known.step and known.step.request

        name = world.until("it is asked", request)
        client = world.client()
        world.until("the task waits", lambda: client.waits(RUN))
        nora = world.belay.roster().person("nora")
        people.vote(world.belay, name, Choice.REJECT, person=nora, reason="not now", via="cli")
        answered = time.monotonic()
        ended = ("skipped", "failed", "success")
        world.until("the task has ended", lambda: client.task_states(RUN).get("approval") in ended)
        took = time.monotonic() - answered
        print(f"the approval ended {took:.1f} s after the answer, its recheck is {RECHECK} s")
        assert client.task_states(RUN)["approval"] == "skipped"
        assert took < RECHECK / 4
