"""The whole loop, from the question to the outcome in the thread, in each way in which Slack is untidy."""

from __future__ import annotations

import pytest
from tests.slack.conftest import NORA, REVIEW, ask

from belay.domain.request_state import RequestStatus
from belay.slack.message import APPROVE

LIMITED = ("chat.postMessage", "chat.update", "views.open", "conversations.history")
UNTIDY = {
    "uploads end later": {"processing": True},
    "history has pages and a horizon": {"page": 3, "horizon": 5},
    "no upload, no history": {"scopes": "chat:write,commands"},
    "everything arrives twice": {"doubled": True},
    "limits": {"limits": dict.fromkeys(LIMITED, 1), "retry_after": 1},
    "all at once": {
        "processing": True,
        "page": 3,
        "horizon": 5,
        "doubled": True,
        "scopes": "chat:write,commands,channels:history",
        "limits": dict.fromkeys(LIMITED, 1),
        "retry_after": 1,
    },
}


@pytest.mark.parametrize("how", UNTIDY.values(), ids=UNTIDY)
def test_it_is_asked_answered_counted_told_and_woken(slack, belay, serving, woken, how):
    slack.chatter(20)
    slack.set(**how)
    request = ask(belay, evidence=REVIEW)
    serving()
    serving()
    slack.until("both are connected", lambda: slack.state()["connected"] == 2)
    (message,) = slack.until("it is asked", lambda: len(p := slack.posted()) == 1 and p)
    slack.click(NORA, APPROVE, message["ts"])
    slack.until("the modal is open", lambda: slack.state()["views"])
    envelope = slack.submit(NORA, "worth it")
    slack.until(
        "it is granted", lambda: belay.ledger.state().requests[request.id].status is RequestStatus.GRANTED
    )
    answered = slack.until("it is answered", lambda: slack.acknowledgements(envelope))
    assert {answer["body"] for answer in answered} == {"{}"}, "nothing is refused"
    slack.until("the message tells it", lambda: "Approved" in slack.posted()[0]["text"])
    slack.until("the thread has it", lambda: len(slack.thread(message["ts"])) == 3)
    slack.until("its run is woken", lambda: woken)
    assert len(belay.ledger.state().requests[request.id].votes) == 1
    assert len(slack.posted()) == 1
    assert len(slack.thread(message["ts"])) == 3
    assert slack.told() == []
