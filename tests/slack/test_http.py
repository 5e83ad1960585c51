"""Slack over HTTP: what is not Slack's, or not fresh, or not whole, is refused and never a traceback."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from fastapi.testclient import TestClient
from tests.slack.conftest import NORA, TIMO, an_idea

from belay.domain.request_state import RequestStatus
from belay.slack.http import MAX_BYTES, SeenSignatures, create_http_app
from belay.slack.message import APPROVE
from belay.slack.modal import CALLBACK, Answer
from belay.slack.serve import watcher_of

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def over_http(belay, settings, slack, woken, request_id):
    settings = replace(settings, app_token="", signing_secret=SECRET)
    watcher_of(belay, settings).tick()
    app = create_http_app(belay, settings, wake=lambda request: woken.append(request.id))
    with TestClient(app, raise_server_exceptions=True) as client:
        yield client


def signed(body, *, secret=SECRET, at=None):
    stamp = str(int(time.time() if at is None else at))
    mac = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256)
    return {
        "content-type": FORM,
        "x-slack-request-timestamp": stamp,
        "x-slack-signature": f"v0={mac.hexdigest()}",
    }


def a_form(payload):
    return urlencode({"payload": json.dumps(payload)}).encode()


def click(slack, user=NORA):
    (message,) = slack.posted()
    return slack.a_click(user, APPROVE, message["ts"])


def submission(request, reason="worth it", user=NORA):
    values = {"belay_reason_block": {"belay_reason_input": {"type": "plain_text_input", "value": reason}}}
    packed = Answer("approve", request.id, request.digest).pack()
    view = {"type": "modal", "callback_id": CALLBACK, "private_metadata": packed, "state": {"values": values}}
    user = {"id": user}
    return {"type": "view_submission", "user": user, "team": {"id": "T1"}, "api_app_id": "A1", "view": view}


def post(client, body, headers=None):
    return client.post("/events", content=body, headers=headers or signed(body))


def test_a_signed_click_and_reason_are_a_vote(over_http, belay, slack, request_id, woken):
    assert post(over_http, a_form(click(slack))).status_code == 200
    slack.until("the modal is open", lambda: slack.state()["views"])
    request = belay.ledger.state().requests[request_id]
    assert post(over_http, a_form(submission(request))).status_code == 200
    slack.until(
        "it is granted",
        lambda: belay.ledger.state().requests[request_id].status is RequestStatus.GRANTED,
    )
    slack.until("its run is woken", lambda: woken == [request_id])


def test_a_signed_click_in_the_weekly_list_and_a_reason_are_a_judgement(over_http, belay, slack, settings):
    name = an_idea(belay)
    watcher_of(belay, settings).tick()
    message = slack.posted()[-1]
    assert post(over_http, a_form(slack.a_click(NORA, "belay_would_not:1", message["ts"]))).status_code == 200
    slack.until("the modal is open", lambda: slack.state()["views"])
    sent = a_form(slack.a_submission(NORA, "it is not us"))
    assert post(over_http, sent).status_code == 200
    again = post(over_http, sent, signed(sent, at=time.time() - 1))
    assert (again.status_code, again.text) == (200, ""), "sent again, it is met with silence"
    assert slack.told() == []
    (said,) = belay.ledger.state().optimizations[name].results.judgements
    assert (said.judge, said.agrees) == ("nora", False)
    slack.until("the list tells it", lambda: "it is not us" in str(slack.posted()[-1]))


def test_a_signed_command_is_answered(over_http, slack, request_id):
    fields = {"command": "/belay", "text": "dance", "user_id": NORA, "channel_id": "C1", "team_id": "T1"}
    answer = post(over_http, urlencode(fields).encode())
    assert answer.status_code == 200
    assert "/belay veto OPTIMIZATION reason" in answer.text


def test_forged_unsigned_stale_and_re_encoded_requests_are_refused(over_http, belay, slack, request_id):
    request = belay.ledger.state().requests[request_id]
    body = a_form(submission(request))
    cases = {
        "unsigned": {"content-type": FORM},
        "forged": signed(body, secret="another"),
        "stale": signed(body, at=time.time() - 301),
        "from the future": signed(body, at=time.time() + 301),
        "no timestamp": {k: v for k, v in signed(body).items() if "timestamp" not in k},
        "timestamp no number": signed(body) | {"x-slack-request-timestamp": "soon"},
        "re-encoded": signed(body.replace(b"+", b"%20")),
        "another body": signed(body + b"&x=1"),
        "empty signature": signed(body) | {"x-slack-signature": ""},
        "odd signature": signed(body) | {"x-slack-signature": "v0=\u00e9"},
    }
    for name, headers in cases.items():
        encoded = {k: v.encode("latin-1") for k, v in headers.items()}
        assert post(over_http, body, encoded).status_code == 401, name
    assert belay.ledger.state().requests[request_id].votes == ()


def test_a_replay_is_refused(over_http, slack, request_id):
    body = a_form(click(slack, TIMO))
    headers = signed(body)
    assert post(over_http, body, headers).status_code == 200
    assert post(over_http, body, headers).status_code == 401


def test_an_oversized_body_is_not_read(over_http):
    body = b"payload=" + b"x" * MAX_BYTES
    assert post(over_http, body).status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"payload=",
        b"payload=%7B",
        b"payload=[]",
        b"payload=null",
        b"\xff\xfe=\x00",
        b"payload=" + b"%5B" * 5000,
        b"command=/belay",
        a_form({"type": "block_actions"}),
        a_form({"type": "block_actions", "user": {"id": NORA}, "actions": []}),
        a_form({"type": "view_submission", "user": {"id": NORA}, "view": None}),
        a_form({"type": "block_actions", "user": NORA, "actions": [{}]}),
        *(
            a_form(
                {
                    "type": "block_actions",
                    "user": {"id": NORA},
                    "trigger_id": "1.2.3",
                    "actions": [{"action_id": action, "value": "home-greeting"}],
                }
            )
            for action in (
                "belay_would",
                "belay_would:",
                "belay_would:x",
                "belay_would:100",
                "xbelay_would:1",
            )
        ),
    ],
)
def test_signed_nonsense_is_a_plain_refusal(over_http, body):
    assert post(over_http, body).status_code in {400, 401, 404}


def test_a_request_of_another_kind_is_refused(over_http):
    body = b'{"payload": {}}'
    assert post(over_http, body, signed(body) | {"content-type": "application/json"}).status_code == 400
    assert over_http.get("/events").status_code == 405


def test_signatures_are_forgotten_when_they_have_no_use_any_more():
    seen = SeenSignatures()
    assert not seen.again("a", 0)
    assert seen.again("a", 599)
    assert not seen.again("b", 700)
    assert not seen.again("a", 701)
