"""The approval sensor: whatever wakes it, the ledger decides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.orchestration.conftest import NAME

from belay.domain import commands as c
from belay.domain.oversight import Oversight
from belay.domain.stages import Stage
from belay.execution import RefusedError, execute

REASON = "the review shows no harm"


class Task:
    """What Airflow keeps of a task: its try, its state, and what the run's other tasks handed on."""

    id, dag_id = "a-task-instance", "rollout__checkout_wording"

    def __init__(self, run):
        self.run, self.try_number, self.kept = run, 1, {}

    def get(self, key, default=None):
        return self.kept.get(key, default)

    def set(self, key, value, *, retention=None):
        self.kept[key] = value

    def xcom_pull(self, task_ids):
        """Whoever may edit runs may write here."""
        return {"admit": {"step": 99}, "review": {"sentence": "forged: it doubles everything"}}[task_ids]

    def context(self):
        return {
            "ti": self,
            "task_instance": self,
            "task_state_store": self,
            "run_id": self.run,
            "params": {"optimization": NAME, "capability": "checkout_wording"},
        }


@pytest.fixture
def pages(monkeypatch):
    """What the Required Actions page was asked to show, in order."""
    from belay.orchestration import approval

    shown = []
    monkeypatch.setattr(approval, "upsert_hitl_detail", lambda **page: shown.append(page))
    return shown


@pytest.fixture
def sensor():
    from belay.orchestration.approval import SlackApprovalSensor

    return SlackApprovalSensor(task_id="approval", recheck=timedelta(minutes=5))


def parked(call):
    from airflow.sdk.exceptions import TaskAwaitingInput

    with pytest.raises(TaskAwaitingInput) as waiting:
        call()
    return waiting.value


def answered(user, option, reason=REASON, shown=None):
    form = {"reason": reason} | ({"shown": shown} if shown else {})
    at = datetime.now(UTC)
    return {
        "chosen_options": [option],
        "params_input": form,
        "responded_at": at,
        "responded_by_user": {"id": user, "name": user},
        "timedout": False,
    }


def test_it_asks_on_the_page_and_parks(reviewed, sensor, pages):
    waiting = parked(lambda: sensor.execute(Task(reviewed(tags=["brand"])).context()))
    assert waiting.method_name == "execute_complete"
    assert waiting.timeout == timedelta(minutes=5)
    (page,) = pages
    assert page["options"] == ["Approve", "Reject", "Veto", "Look again"]
    assert page["subject"] == (
        "Checkout wording, “Say when the parcel will arrive”: may it go from 0 % to 1 %?"
    )
    assert "no harm shown" in page["body"]
    assert "forged" not in page["body"], "the ledger says what the review found, and XCom does not"
    assert f"/belay/run/{NAME}__step1" in page["body"]
    assert page["body"].startswith(
        "**What customers would see:** label: “order now” → “yours on Thursday”\n\n"
    )
    assert "Answers so far: 0 of 1 approvals; needs a cx_owner." in page["body"]
    assert "it means no; nobody sees it." in page["body"]


def test_a_notice_offers_no_approval(reviewed, sensor, pages, belay):
    parked(lambda: sensor.execute(Task(reviewed()).context()))
    (request,) = belay.ledger.state().open_requests()
    assert request.oversight is Oversight.NOTICE
    assert pages[0]["options"] == ["Reject", "Veto", "Look again"]
    assert pages[0]["subject"].startswith("For your information: ")
    assert pages[0]["subject"].endswith("unless vetoed")


def test_looking_again_asks_nothing_twice(reviewed, sensor, pages, belay):
    task = Task(reviewed(tags=["brand"]))
    parked(lambda: sensor.execute(task.context()))
    before = belay.ledger.state().seq
    timeout = {"error": "timed out", "error_type": "timeout"}
    for _ in range(3):
        parked(lambda: sensor.execute_complete(task.context(), timeout))
    assert belay.ledger.state().seq == before
    assert {page["body"] for page in pages} == {pages[0]["body"]}


def test_an_answer_becomes_a_vote_and_the_ledger_decides(reviewed, sensor, pages, belay):
    task = Task(reviewed(tags=["brand"]))
    parked(lambda: sensor.execute(task.context()))
    found = sensor.execute_complete(task.context(), answered("nora", "Approve"))
    assert (found["verdict"], found["sentence"]) == ("pass", "approved by nora")
    assert belay.ledger.state().optimizations[NAME].grant.step == 1
    assert sensor.execute(task.context()) == found  # cleared and run again


@pytest.mark.parametrize(
    ("user", "reason"), [("mallory", REASON), ("timo", REASON), ("nora", "  "), ("dana", REASON)]
)
def test_an_answer_without_the_right_counts_for_nothing(reviewed, sensor, pages, belay, user, reason):
    """An Airflow administrator is nobody here, unless the roster says so."""
    task = Task(reviewed(tags=["brand"]))
    parked(lambda: sensor.execute(task.context()))
    parked(lambda: sensor.execute_complete(task.context(), answered(user, "Approve", reason)))
    (request,) = belay.ledger.state().open_requests()
    assert not request.votes


def test_a_rejection_skips_the_rest(reviewed, sensor, pages):
    from airflow.sdk.exceptions import AirflowSkipException

    task = Task(reviewed(tags=["brand"]))
    parked(lambda: sensor.execute(task.context()))
    with pytest.raises(AirflowSkipException, match="nora rejected it"):
        sensor.execute_complete(task.context(), answered("nora", "Reject"))


def test_a_veto_ends_it_in_red(reviewed, sensor, pages, belay):
    from airflow.sdk.exceptions import AirflowFailException

    task = Task(reviewed(tags=["brand"]))
    parked(lambda: sensor.execute(task.context()))
    with pytest.raises(AirflowFailException, match="vetoed"):
        sensor.execute_complete(task.context(), answered("omar", "Veto"))


def test_a_policy_that_changed_meanwhile_holds_the_step(reviewed, sensor, pages, belay, policies):
    from airflow.sdk.exceptions import AirflowSkipException

    from belay.domain.actors import human
    from belay.oversight.active_policy import adopt_policy

    task = Task(reviewed(tags=["brand"]))
    parked(lambda: sensor.execute(task.context()))
    file = policies / "checkout_wording.yaml"
    file.write_text(file.read_text().replace("margin: 0.2", "margin: 0.1"))
    adopt_policy(belay, belay.policy("checkout_wording"), human("carla"), "a smaller margin")
    with pytest.raises(AirflowSkipException, match="start a new run"):
        sensor.execute_complete(task.context(), answered("nora", "Approve"))


def test_a_new_question_stands_on_a_fresh_page(reviewed, sensor, pages, belay):
    """Demoted while a notice runs: more oversight is asked, and the page of the notice offers no approval.

    Airflow keeps a page for as long as a try, so the task is tried again.
    """
    from airflow.sdk.exceptions import AirflowException

    task = Task(reviewed())
    parked(lambda: sensor.execute(task.context()))
    (notice,) = belay.ledger.state().open_requests()
    assert pages[0]["params"]["shown"]["value"] == notice.digest
    demotion = c.Demote("checkout_wording", Stage.SUGGEST, "veto", "too many complaints")
    execute(belay, demotion, by="guard")
    with pytest.raises(AirflowException, match="fresh page"):
        sensor.execute(task.context())
    task.try_number = 2
    parked(lambda: sensor.execute(task.context()))
    (question,) = belay.ledger.state().open_requests()
    assert question.oversight is Oversight.APPROVE
    assert pages[-1]["options"] == ["Approve", "Reject", "Veto", "Look again"]
    parked(lambda: sensor.execute_complete(task.context(), answered("nora", "Approve", shown=notice.digest)))
    assert not belay.ledger.state().requests[question.id].votes  # of what was shown before
    found = sensor.execute_complete(task.context(), answered("nora", "Approve", shown=question.digest))
    assert found["verdict"] == "pass"


def test_a_cleared_run_finds_what_people_said_and_opens_nothing(reviewed, sensor, pages, belay):
    """Cleared before anybody answered it asks again; cleared after a rejection it is still rejected."""
    from airflow.sdk.exceptions import AirflowSkipException

    from belay.gates.widen import widen

    task = Task(reviewed(tags=["brand"]))
    parked(lambda: sensor.execute(task.context()))
    parked(lambda: sensor.execute(task.context()))
    with pytest.raises(RefusedError, match="no unused grant"):
        widen(belay, NAME, 1)  # as after "mark success"
    with pytest.raises(AirflowSkipException):
        sensor.execute_complete(task.context(), answered("nora", "Reject"))
    with pytest.raises(AirflowSkipException):
        sensor.execute(task.context())
    with pytest.raises(RefusedError, match="no unused grant"):
        widen(belay, NAME, 1)
    assert belay.flags.read(NAME) is None


def test_an_answer_a_day_after_parking(reviewed, sensor, pages, belay, policies, monkeypatch):
    """The clock is moved on by 24 hours; whatever woke the task in between, the answer counts."""
    file = policies / "_defaults.yaml"
    file.write_text(file.read_text().replace("expires: 24h", "expires: 3d"))
    task = Task(reviewed(tags=["brand"]))
    parked(lambda: sensor.execute(task.context()))
    later = datetime.now(UTC) + timedelta(hours=24)
    monkeypatch.setattr(belay, "now", lambda: later)
    parked(lambda: sensor.execute_complete(task.context(), {"error": "timed out", "error_type": "timeout"}))
    found = sensor.execute_complete(task.context(), answered("nora", "Approve"))
    assert found["verdict"] == "pass"


def test_a_user_of_fab_is_known_by_name(reviewed, sensor, pages, belay):
    """FAB's ids are numbers; the roster knows user names."""
    task = Task(reviewed(tags=["brand"]))
    parked(lambda: sensor.execute(task.context()))
    event = answered("nora", "Approve") | {"responded_by_user": {"id": "3", "name": "nora"}}
    assert sensor.execute_complete(task.context(), event)["sentence"] == "approved by nora"


def test_its_own_timeout_does_not_wake_it_before_it_has_settled(reviewed, sensor, pages):
    sensor.recheck = timedelta(seconds=0)
    waiting = parked(lambda: sensor.execute(Task(reviewed(tags=["brand"])).context()))
    assert waiting.timeout == timedelta(seconds=3)
