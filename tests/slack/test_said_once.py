"""What is typed is read as it was shown, what is said is escaped once, and what counted is not refused."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from types import SimpleNamespace

import pytest
from tests.slack.conftest import NORA, OMAR, PRIYA, an_idea

from belay.domain import commands as c
from belay.domain.actors import service
from belay.domain.events import Choice, Vetoed
from belay.domain.request_state import RequestStatus
from belay.domain.stages import Stage
from belay.oversight import people
from belay.slack import telling
from belay.slack.commands import Commands
from belay.slack.desk import Desk
from belay.slack.message import APPROVE, VETO
from belay.slack.modal import REASON_BLOCK, Answer
from belay.slack.serve import watcher_of
from belay.slack.votes import cast

WORDS = "a <!channel> & *bold* <https://evil.example|link>"
ESCAPED = "a &lt;!channel&gt; &amp; *bold* &lt;https://evil.example|link&gt;"


def plain(text):
    return text.replace("\u200b", "")


@pytest.fixture
def desk(belay, settings, woken):
    return Desk(watcher_of(belay, settings), lambda request: woken.append(request.id))


@pytest.fixture
def type_in(slack, desk):
    """Let a listener of its own hear a command as Slack sends it, and return what was answered."""
    import asyncio

    commands = Commands(desk)

    def type_it(user, text, trigger=""):
        answered = []

        async def ack(*args):
            answered.extend(args)

        async def respond(text, response_type):
            assert response_type == "ephemeral"
            answered.append(text)

        command = {"text": text, "user_id": user, "trigger_id": trigger or f"{time.monotonic()}"}
        asyncio.run(commands.commanded(ack, command, respond))
        return answered

    return type_it


# -- what is shown can be typed -----------------------------------------------------------------------


@pytest.mark.parametrize("how", ["capability:checkout_\u200bwording", "*capability:checkout_wording*"])
def test_a_name_pasted_from_a_message_is_found(type_in, belay, request_id, how):
    (said,) = type_in(NORA, f"stop {how} the numbers are odd")
    assert "capability:checkout_wording is stopped" in plain(said)
    assert "capability:checkout_wording" in belay.ledger.state().freezes


def test_status_is_pasted_into_a_veto(type_in, belay, request_id):
    (status,) = type_in(NORA, "status")
    name = status.splitlines()[1].removeprefix("• ").split()[0]
    (said,) = type_in(NORA, f"veto {name} it misleads")
    assert said.startswith("Vetoed; taken down: ")


def test_a_reason_is_recorded_as_it_was_typed(type_in, belay, request_id):
    (said,) = type_in(
        NORA, "veto checkout-delivery-date prices &lt; cost &amp; rising, <https://w.example|w>"
    )
    assert said.startswith("Vetoed")
    reason = belay.ledger.state().optimizations["checkout-delivery-date"].reason
    assert reason == "veto by nora: prices < cost & rising, https://w.example"


# -- escaped once --------------------------------------------------------------------------------------


def test_reasons_and_titles_reach_nobody_as_markup(slack, type_in, belay, settings, request_id):
    watcher = watcher_of(belay, settings)
    nora = belay.roster().person("nora")
    watcher.tick()
    people.vote(belay, request_id, Choice.REJECT, person=nora, reason=WORDS, via="cli")
    watcher.tick()
    an_idea(belay, title=WORDS)
    watcher.tick()
    people.freeze(belay, "all", person=belay.roster().person("omar"), reason=WORDS)
    (status,) = type_in(NORA, "status")
    assert ESCAPED in plain(status)
    for message in slack.state()["messages"].values():
        text = plain(message["text"])
        assert "<!channel>" not in text
        assert "<https://evil" not in text
        assert "&amp;lt;" not in text
        assert "&amp;amp;" not in text
    thread = [plain(m["text"]) for m in slack.state()["messages"].values() if m.get("thread_ts")]
    assert any(ESCAPED in line for line in thread)
    assert any(ESCAPED in plain(m["text"]) for m in slack.posted()), "the notification of the list"


def test_a_single_person_is_told_the_same(slack, belay, request_id, served):
    (message,) = slack.until("it is asked", lambda: len(p := slack.posted()) == 1 and p)
    omar, late = belay.roster().person("omar"), slack.a_click(NORA, APPROVE, message["ts"])
    people.veto(belay, "checkout-delivery-date", person=omar, reason=WORDS, via="cli")
    slack.send("interactive", late)
    (told,) = slack.until("nora is told", slack.told)
    assert ESCAPED in plain(told)


# -- the same again -------------------------------------------------------------------------------------


@pytest.mark.parametrize("choice", [Choice.APPROVE, Choice.REJECT])
def test_an_answer_that_is_cast_again_says_its_first_result(belay, request_id, choice):
    request, nora = belay.ledger.state().requests[request_id], belay.roster().person("nora")
    answer = Answer(choice.value, request_id, request.digest)
    head = None
    for reason, said in (
        ("worth a try", ""),
        ("worth a try", ""),
        (
            "it says so",
            f"You {choice.value}{'d' if choice is Choice.APPROVE else 'ed'} this already, and that",
        ),
    ):
        came = cast(belay, answer, nora, reason)
        assert came.text.startswith(said)
        assert (came.text == "") == (said == "")
        assert not came.refused
        head = head or belay.ledger.head()
        assert belay.ledger.head() == head, "nothing more is recorded"
    assert belay.ledger.state().requests[request_id].status is not RequestStatus.OPEN
    other = Answer("reject" if choice is Choice.APPROVE else "approve", request_id, request.digest)
    came = cast(belay, other, nora, "on second thoughts")
    assert came.refused
    assert came.text.startswith("Your first answer stands")


def test_a_veto_that_is_cast_again_is_silent_and_anothers_is_named(belay, request_id):
    nora, omar = belay.roster().person("nora"), belay.roster().person("omar")
    answer = Answer("veto", request_id, "")
    assert cast(belay, answer, nora, "it misleads").text == ""
    assert cast(belay, answer, nora, "it misleads").text == ""
    came = cast(belay, answer, omar, "so do I think")
    assert came.text == "It is vetoed already: veto by nora: it misleads"
    assert not came.refused
    assert (
        sum(isinstance(e.event, Vetoed) for e in belay.ledger.history(optimization="checkout-delivery-date"))
        == 1
    )


def test_a_click_after_ones_answer_says_what_it_was(slack, belay, settings, request_id, served):
    (message,) = slack.until("it is asked", lambda: len(p := slack.posted()) == 1 and p)
    late = slack.a_click(NORA, APPROVE, message["ts"])
    slack.click(NORA, APPROVE, message["ts"])
    slack.until("the modal is open", lambda: slack.state()["views"])
    slack.submit(NORA, "worth it")
    slack.until(
        "it is granted", lambda: belay.ledger.state().requests[request_id].status is RequestStatus.GRANTED
    )
    slack.send("interactive", late)
    (told,) = slack.until("nora is told", slack.told)
    assert told == "You approved this already, and that counts: worth it"


def test_a_command_that_arrives_twice_is_done_once(slack, type_in, belay, settings, woken, request_id):
    policy_stage = belay.ledger.state().capabilities["checkout_wording"].stage
    assert policy_stage is Stage.SUPERVISED
    assert type_in(NORA, "veto capability:checkout_wording too much", trigger="T-1") != []
    assert type_in(NORA, "veto capability:checkout_wording too much", trigger="T-1") == []
    other = Commands(Desk(watcher_of(belay, settings), lambda _request: None))  # another process
    assert other._heard_elsewhere(other._veto, {"user_id": NORA, "trigger_id": "T-1"})
    assert belay.ledger.state().capabilities["checkout_wording"].stage is Stage.SUGGEST
    assert type_in(NORA, f"delegate <@{PRIYA}|priya> until 3d away", trigger="T-2") != []
    assert type_in(NORA, f"delegate <@{PRIYA}|priya> until 3d away", trigger="T-2") == []
    assert len(belay.ledger.state().delegations) == 1


def test_a_stop_asks_no_store_whether_it_was_heard(desk, monkeypatch):
    commands = Commands(desk)
    monkeypatch.setattr(desk.watcher.channel, "store", None)
    monkeypatch.setattr(commands._repeats, "_store", None)
    assert not commands._heard_elsewhere(commands._stop, {"user_id": NORA, "trigger_id": "T"})


def test_everything_twice_and_the_loop_is_what_it_was(slack, belay, request_id, serving, woken):
    slack.set(doubled=True)
    serving()
    serving()
    slack.until("both are connected", lambda: slack.state()["connected"] == 2)
    (message,) = slack.until("it is asked", lambda: len(p := slack.posted()) == 1 and p)
    slack.click(NORA, APPROVE, message["ts"])
    slack.until("both copies are heard", lambda: slack.count("views.open") == 2)
    assert len(slack.state()["views"]) == 1
    envelope = slack.submit(NORA, "worth it")
    slack.until("both are answered", lambda: len(slack.acknowledgements(envelope)) == 2)
    assert all(answer["body"] == "{}" for answer in slack.acknowledgements(envelope))
    slack.until("the message tells it", lambda: "Approved" in slack.posted()[0]["text"])
    slack.command(NORA, "stop capability:checkout_wording the numbers are odd")
    slack.until("nora is told", slack.told)
    slack.until("the message tells that", lambda: belay.ledger.state().freezes)
    assert len(belay.ledger.state().requests[request_id].votes) == 1
    assert slack.until("its run is woken", lambda: set(woken)) == {request_id}
    stops = [e for e in belay.ledger.entries() if e.kind == "kill_switch.pulled"]
    assert len(stops) <= 2
    assert not any("Not " in said for said in slack.told())


# -- where a refusal stands ------------------------------------------------------------------------------


def test_a_refusal_stands_in_the_form_and_nowhere_else(slack, belay, request_id, served):
    (message,) = slack.until("it is asked", lambda: len(p := slack.posted()) == 1 and p)
    slack.click(NORA, APPROVE, message["ts"])
    slack.until("the modal is open", lambda: slack.state()["views"])
    request = belay.ledger.state().requests[request_id]
    after = request.expires_at + timedelta(seconds=1)
    belay.ledger.execute(c.SettleRequest(request_id), by=service("approval"), at=after)
    envelope = slack.submit(NORA, "worth it")
    answer = slack.until("it is answered", lambda: slack.acknowledged(envelope))
    said = json.loads(answer["body"])
    assert said["response_action"] == "errors"
    assert said["errors"][REASON_BLOCK].startswith(f"Not counted: request {request_id} is expired")
    assert slack.told() == []


def test_what_takes_long_is_acknowledged_in_time_and_told_afterwards(
    slack, belay, request_id, served, monkeypatch
):
    monkeypatch.setattr(telling, "_FORM_SECONDS", 0.05)
    (message,) = slack.until("it is asked", lambda: len(p := slack.posted()) == 1 and p)
    slack.click(OMAR, VETO, message["ts"])
    slack.until("the modal is open", lambda: slack.state()["views"])

    def slow(*_args, **_more):
        time.sleep(0.5)
        return SimpleNamespace(text="Not counted: too late", refused=True)

    monkeypatch.setattr("belay.slack.answers.cast", slow)
    envelope = slack.submit(OMAR, "no")
    answer = slack.until("it is acknowledged", lambda: slack.acknowledged(envelope))
    assert answer["body"] == "{}"
    assert slack.until("omar is told", slack.told) == ["Not counted: too late"]
