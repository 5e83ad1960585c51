"""The watch over Required Actions: votes before Airflow takes the answer, and nothing else is touched."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import OperationalError

from belay.domain.request_state import RequestStatus
from belay.domain.roster import AirflowUser, Roster
from belay.domain.rules.answer import Refusal
from belay.domain.state import State
from belay.execution import RefusedError
from belay.flags.target import FlagsUnavailable
from belay.ledger.store import LedgerError
from belay.web import required_actions
from belay.web.required_actions import RequiredActionsMiddleware

PATH = "/api/v2/dags/rollout__checkout_wording/dagRuns/opt__step1/taskInstances/approval/-1/hitlDetails"
ANSWER = {"chosen_options": ["Approve"], "params_input": {"reason": "looks right", "shown": "d1"}}


class Airflow:
    """What stands behind the middleware: it keeps what reaches it, and says yes (or what it is told to)."""

    def __init__(self, status=200):
        self.status = status
        self.bodies = []

    async def __call__(self, scope, receive, send):
        body = b""
        while True:
            message = await receive()
            body += message["body"]
            if not message.get("more_body"):
                break
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


BELAY = SimpleNamespace(roster=Roster, ledger=SimpleNamespace(state=State))


@pytest.fixture
def recorded(monkeypatch):
    """The answers that were to become votes; ``nora`` is logged in."""
    found = []

    async def nora(scope):
        return AirflowUser("3", "nora")

    async def settled(*task):
        return True

    monkeypatch.setattr(required_actions, "_user", nora)
    monkeypatch.setattr(required_actions, "until_settled", settled)
    monkeypatch.setattr(required_actions, "services", lambda: BELAY)
    monkeypatch.setattr(required_actions, "record_answer", lambda *answer: found.append(answer))
    return found


def send(body, *, method="PATCH", path=PATH, chunks=1, says=200):
    airflow, sent = Airflow(says), []
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    size = max(-(-len(raw) // chunks), 1)
    parts = [raw[i : i + size] for i in range(0, len(raw), size)] or [b""]

    async def receive():
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def keep(message):
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": []}
    asyncio.run(RequiredActionsMiddleware(airflow)(scope, receive, keep))
    return sent[0]["status"], sent[1]["body"], airflow.bodies


@pytest.mark.parametrize("chunks", [1, 7])
def test_an_answer_is_recorded_and_reaches_airflow_whole(recorded, chunks):
    status, _, bodies = send(ANSWER, chunks=chunks)
    assert status == 200
    assert recorded == [
        (BELAY, ("rollout__checkout_wording", "opt__step1"), ("3", "nora"), "Approve", "looks right", "d1")
    ]
    assert [json.loads(body) for body in bodies] == [ANSWER]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RefusedError(Refusal("role", "nora may not answer this")), 403),
        (LedgerError("the ledger is read-only"), 503),
        (FlagsUnavailable("the flags cannot be written"), 503),
    ],
)
def test_what_cannot_be_recorded_never_reaches_airflow(recorded, monkeypatch, error, status):
    def refuse(*answer):
        raise error

    monkeypatch.setattr(required_actions, "record_answer", refuse)
    answered, body, bodies = send(ANSWER)
    assert (answered, bodies) == (status, [])
    assert str(error) in json.loads(body)["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[]",
        b"null",
        {"chosen_options": []},
        {"chosen_options": ["Approve", "Reject"]},
        {"chosen_options": ["Maybe"]},
        {"chosen_options": [["Approve"]]},
    ],
)
def test_what_is_no_answer_is_left_for_airflow_to_refuse(recorded, body):
    _, _, bodies = send(body)
    assert len(bodies) == 1
    assert recorded == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", PATH),
        ("PATCH", PATH.replace("rollout__checkout_wording", "somebody_elses")),
        ("PATCH", PATH.replace("approval", "another_task")),
        ("PATCH", "/api/v2/dags/rollout__checkout_wording"),
    ],
)
def test_everything_else_passes(recorded, method, path):
    status, _, bodies = send(ANSWER, method=method, path=path)
    assert (status, len(bodies), recorded) == (200, 1, [])


def test_the_run_is_found_whatever_its_name(recorded):
    send(ANSWER, path=PATH.replace("opt__step1", "manual__2026-11-23T14:00:00+00:00"))
    assert recorded[0][1].run_id == "manual__2026-11-23T14:00:00+00:00"


def test_airflow_hears_of_it_when_the_task_can_be_woken(recorded, monkeypatch):
    """The vote is on record at once; the task is woken later, and the page shows where it stands."""
    order = []

    async def settles(*task):
        order.append(("settled", task, len(recorded)))
        return True

    request = SimpleNamespace(status=RequestStatus.OPEN)
    monkeypatch.setattr(required_actions, "record_answer", lambda *answer: recorded.append(answer) or request)
    monkeypatch.setattr(required_actions, "until_settled", settles)
    monkeypatch.setattr(required_actions, "_progress", lambda request: "Answers so far: a risk_owner.")
    monkeypatch.setattr(required_actions, "show_progress", lambda *shown: order.append(shown))
    _, _, bodies = send(ANSWER)
    task = ("rollout__checkout_wording", "opt__step1", "approval")
    assert order == [(*task, "Answers so far: a risk_owner."), ("settled", task, 1)]
    assert len(bodies) == 1


def test_who_answers_a_moment_after_somebody_else_is_told_that_it_counts(recorded, monkeypatch):
    """Airflow has taken the first answer and refuses the second, which the ledger has all the same."""
    request = SimpleNamespace(status=RequestStatus.GRANTED)
    monkeypatch.setattr(required_actions, "record_answer", lambda *answer: recorded.append(answer) or request)
    status, body, bodies = send(ANSWER, says=409)
    assert (status, len(recorded), len(bodies)) == (200, 1, 1)
    said = json.loads(body)
    assert (said["responded_by"], said["chosen_options"]) == ({"id": "3", "name": "nora"}, ["Approve"])
    assert said["params_input"] == ANSWER["params_input"]


@pytest.mark.parametrize(
    ("body", "says"), [(ANSWER, 409), ({"chosen_options": ["Look again"]}, 409), (ANSWER, 400)]
)
def test_what_airflow_says_stands_where_nothing_was_recorded(recorded, monkeypatch, body, says):
    monkeypatch.setattr(required_actions, "request_of_run", lambda *run: SimpleNamespace(status="granted"))
    status, said, _ = send(body, says=says)
    assert (status, said) == (says, b"{}")


def test_looking_again_is_no_answer_and_waits_too(recorded, monkeypatch):
    waited = []

    async def settles(*task):
        waited.append(task)
        return True

    monkeypatch.setattr(required_actions, "until_settled", settles)
    monkeypatch.setattr(required_actions, "request_of_run", lambda *run: None)
    _, _, bodies = send({"chosen_options": ["Look again"]})
    assert (recorded, len(waited), len(bodies)) == ([], 1, 1)


def test_airflows_database_away_stops_no_answer(recorded, monkeypatch):
    async def settles(*task):
        raise OperationalError("select", {}, Exception("locked"))

    monkeypatch.setattr(required_actions, "until_settled", settles)
    status, _, bodies = send(ANSWER)
    assert (status, len(bodies), len(recorded)) == (200, 1, 1)
