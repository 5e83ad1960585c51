"""A request is asked without its picture, which follows when Slack can show it, and holds nothing up."""

from __future__ import annotations

import logging

import pytest
from tests.slack.conftest import NORA, REVIEW, ask

from belay.domain.events import Choice
from belay.oversight import people
from belay.slack import pictures
from belay.slack.serve import watcher_of


@pytest.fixture
def request_id(belay):
    return ask(belay, evidence=REVIEW).id


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """No pause between two tries."""
    monkeypatch.setattr(pictures, "_FIRST_PAUSE", 0.0)
    monkeypatch.setattr(pictures, "_LONGEST_PAUSE", 0.0)


@pytest.fixture
def watcher(belay, settings, request_id):
    return watcher_of(belay, settings)


def shown(slack):
    """Return the ids of the files that the one message shows."""
    (message,) = slack.posted()
    return [block["slack_file"]["id"] for block in message["blocks"] if block["type"] == "image"]


def test_the_question_comes_first_and_its_picture_when_the_upload_is_done(slack, watcher, request_id):
    slack.set(processing=True)
    assert watcher.tick() == [request_id]
    for _ in range(5):
        watcher.tick()
    assert shown(slack) == []
    assert slack.count("files.getUploadURLExternal") == 1, "a file that is not ready is not uploaded anew"
    slack.set(processing=False)
    watcher.tick()
    assert shown(slack) == ["F0001"]
    calls = slack.state()["counts"]
    watcher.tick()
    assert slack.state()["counts"] == calls


def test_a_restart_keeps_the_file_and_uploads_nothing_anew(slack, belay, settings, watcher, request_id):
    slack.set(processing=True)
    watcher.tick()
    again = watcher_of(belay, settings)
    again.tick()
    slack.set(processing=False)
    again.tick()
    assert shown(slack) == ["F0001"]
    assert slack.count("files.getUploadURLExternal") == 1
    watcher_of(belay, settings).tick()
    assert slack.count("files.getUploadURLExternal") == 1


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (
            {"scopes": "chat:write,commands,channels:history"},
            "missing_scope to files.getUploadURLExternal: the token lacks the scope files:write",
        ),
        (
            {"refuse": {"files.completeUploadExternal": "not_allowed"}},
            "not_allowed to files.completeUploadExternal",
        ),
        ({"upload_status": 413}, "answers 413 to the bytes of an upload"),
        ({"limits": {"files.getUploadURLExternal": 99}, "retry_after": 30}, "ratelimited"),
    ],
    ids=["missing scope", "not allowed", "too large", "rate limit"],
)
def test_a_refused_upload_holds_nothing_up(slack, belay, watcher, request_id, caplog, fault, said):
    caplog.set_level(logging.WARNING)
    slack.set(**fault)
    assert watcher.tick() == [request_id], "it is asked"
    for _ in range(8):
        watcher.tick()
    assert shown(slack) == []
    assert said in caplog.text
    assert slack.count("files.getUploadURLExternal") <= 3
    nora = belay.roster().person("nora")
    people.vote(belay, request_id, Choice.APPROVE, person=nora, reason="fine", via="cli")
    assert watcher.tick() == [request_id]
    assert "Approved" in slack.posted()[0]["text"]


def test_a_file_that_never_becomes_usable_is_given_up(slack, watcher, request_id):
    slack.set(processing=True)
    for _ in range(pictures._TRIES + 5):
        watcher.tick()
    calls = slack.state()["counts"]
    watcher.tick()
    assert slack.state()["counts"] == calls
    assert slack.count("files.getUploadURLExternal") == 1


def test_a_picture_that_is_gone_is_left_out_and_the_answer_shown(slack, belay, watcher, request_id):
    watcher.tick()
    assert shown(slack) == ["F0001"]
    slack.set(processing=True)  # as when an administrator deleted the file
    nora = belay.roster().person("nora")
    people.vote(belay, request_id, Choice.REJECT, person=nora, reason="not yet", via="cli")
    assert watcher.tick() == [request_id]
    assert shown(slack) == []
    assert "Rejected" in slack.posted()[0]["text"]


def test_the_loop_goes_on_while_slack_finishes_the_upload(slack, belay, request_id, served):
    slack.set(processing=True)
    (message,) = slack.until("it is asked", lambda: len(p := slack.posted()) == 1 and p)
    slack.click(NORA, "belay_approve", message["ts"])
    slack.until("the modal is open", lambda: slack.state()["views"])
    slack.submit(NORA, "worth it")
    slack.until("the message tells it", lambda: "Approved" in slack.posted()[0]["text"])
