"""What was posted is never posted again: after a restart, behind any number of messages, by two at once."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa
from tests.slack.conftest import NORA, an_idea, ask
from tests.support.live import make_live

from belay.domain import commands as c
from belay.domain.actors import service
from belay.domain.events import Choice
from belay.domain.request_state import RequestStatus
from belay.oversight import people
from belay.slack.message_store import MessageStore
from belay.slack.serve import watcher_of

CHATTER = 1_200


@pytest.fixture
def full(belay):
    """A ledger with a question, something for the weekly list, and news; and how many messages that makes."""
    ask(belay)
    an_idea(belay)
    (live,) = make_live(belay, 1, asked=False)
    harm = c.RollBack(live, "guard", "Conversion fell by 20 %")
    assert belay.ledger.execute(harm, by=service("guard"), at=belay.now()).refusal is None
    return 3


def lose_the_store(belay):
    """As when the ledger was put back from a copy of before Belay remembered its messages."""
    with belay.ledger.engine.execution_options(belay_writes=True).begin() as connection:
        connection.execute(sa.text("DELETE FROM slack_messages"))


def settled(watcher):
    """Tick until nothing is left to do."""
    while watcher.tick():
        pass


def test_a_restart_behind_many_messages_posts_nothing_and_asks_slack_nothing(slack, belay, settings, full):
    settled(watcher_of(belay, settings))
    assert len(slack.posted()) == full
    slack.chatter(CHATTER)
    reads = slack.count("conversations.history")
    settled(watcher_of(belay, settings))
    assert len(slack.posted()) == full
    assert slack.count("conversations.history") == reads
    assert slack.count("conversations.replies") == 0


def test_where_the_store_is_lost_history_is_read_to_where_it_matters(slack, belay, settings, full):
    settled(watcher_of(belay, settings))
    before = {m["ts"] for m in slack.posted()}
    slack.chatter(CHATTER)
    lose_the_store(belay)
    settled(watcher_of(belay, settings))
    assert {m["ts"] for m in slack.posted()} == before
    assert slack.count("conversations.history") > CHATTER / 200


def test_lines_of_a_thread_are_not_said_again_when_the_store_is_lost(slack, belay, settings):
    request, watcher = ask(belay), watcher_of(belay, settings)
    watcher.tick()
    nora = belay.roster().person("nora")
    people.vote(belay, request.id, Choice.APPROVE, person=nora, reason="fine", via="cli")
    settled(watcher)
    (message,) = slack.posted()
    lines = slack.thread(message["ts"])
    assert len(lines) == 3
    lose_the_store(belay)
    slack.set(page=1)
    settled(watcher_of(belay, settings))
    assert slack.thread(message["ts"]) == lines


def test_a_limit_on_history_delays_and_nothing_waits_in_the_turn(slack, belay, settings, full):
    settled(watcher_of(belay, settings))
    slack.chatter(400)
    lose_the_store(belay)
    slack.set(limits={"conversations.history": 1}, retry_after=2)
    again = watcher_of(belay, settings)
    began = time.monotonic()
    assert again.tick() == []
    assert time.monotonic() - began < 1, "nobody sleeps"
    assert again._turn.acquire(blocking=False)
    again._turn.release()
    assert len(slack.posted()) == full
    slack.until("it is looked up", lambda: again.tick() or again.channel.store.complete)
    settled(again)
    assert len(slack.posted()) == full


def test_what_is_asked_while_history_is_read_is_asked_at_once(slack, belay, settings):
    slack.set(limits={"conversations.history": 99}, retry_after=60)
    watcher = watcher_of(belay, settings)
    assert watcher.tick() == []
    request = ask(belay)
    assert watcher.tick() == [request.id]
    assert not watcher.channel.store.complete


def test_without_the_right_to_read_history_it_asks_all_the_same(slack, belay, settings, caplog):
    slack.set(scopes="chat:write,commands,files:write")
    request = ask(belay)
    watcher = watcher_of(belay, settings)
    assert watcher.tick() == [request.id]
    assert "missing_scope to conversations.history: the token lacks the scope channels:history" in caplog.text
    assert watcher_of(belay, settings).tick() == []
    assert len(slack.posted()) == 1


def test_two_watchers_at_once_post_once(slack, belay, settings):
    asked = [ask(belay).id]
    watchers = [watcher_of(belay, settings) for _ in range(4)]
    for watcher in watchers:
        watcher.channel.store.completed()
    gate = threading.Barrier(len(watchers))

    def run(watcher):
        gate.wait()
        watcher.tick()

    threads = [threading.Thread(target=run, args=(watcher,)) for watcher in watchers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    names = [m["metadata"]["event_payload"]["name"] for m in slack.posted()]
    assert names == asked
    assert slack.count("chat.postMessage") == 2, "the question, and the first line of its thread"


def test_a_post_without_an_answer_is_looked_for_before_it_is_posted_again(
    slack, belay, settings, monkeypatch
):
    """Slack took it, and the connection broke before it said so."""
    request, watcher = ask(belay), watcher_of(belay, settings)
    watcher.channel.store.completed()
    post = watcher.channel.client.chat_postMessage

    def broken(**content):
        post(**content)
        raise ConnectionResetError("the connection broke")

    monkeypatch.setattr(watcher.channel.client, "chat_postMessage", broken)
    assert watcher.tick() == []
    assert watcher.away
    monkeypatch.undo()
    assert watcher.tick() == [request.id], "found, and brought up to date"
    assert len(slack.posted()) == 1
    assert slack.count("chat.postMessage") == 2, "the question, and the first line of its thread"


def test_what_was_never_taken_is_posted_when_slack_is_back(slack, belay, settings):
    request, watcher = ask(belay), watcher_of(belay, settings)
    watcher.channel.store.completed()
    slack.set(down=True)
    assert watcher.tick() == []
    slack.set(down=False)
    slack.until("it is posted", lambda: watcher.tick() == [request.id])
    assert len(slack.posted()) == 1


def test_a_message_that_somebody_deleted_is_posted_again_while_it_asks(slack, belay, settings):
    request, watcher = ask(belay), watcher_of(belay, settings)
    watcher.tick()
    (message,) = slack.posted()
    watcher.channel.client.chat_delete(channel="C1", ts=message["ts"])
    at = request.asked_at + 0.5 * (request.expires_at - request.asked_at)
    belay.ledger.execute(c.SettleRequest(request.id), by=service("approval"), at=at)
    assert watcher.tick() == []
    watcher._refused.clear()
    assert watcher.tick() == [request.id]
    assert len(slack.posted()) == 1


def test_a_limit_on_messages_is_left_alone_as_long_as_slack_says(slack, belay, settings):
    ask(belay)
    watcher = watcher_of(belay, settings)
    slack.set(limits={"chat.postMessage": 1}, retry_after=1)
    began = time.monotonic()
    assert watcher.tick() == []
    assert time.monotonic() - began < 0.9
    posts = slack.count("chat.postMessage")
    assert watcher.tick() == []
    assert slack.count("chat.postMessage") == posts, "not before it may"
    slack.until("it is asked", watcher.tick)
    assert len(slack.posted()) == 1


def test_where_no_table_may_be_made_it_works_from_memory(belay, caplog):
    engine = belay.ledger.engine
    read_only = sa.create_engine(f"sqlite:///file:{engine.url.database}?mode=ro&uri=true")
    store = MessageStore(read_only, "C1")
    assert "no table slack_messages could be made" in caplog.text
    store.completed()
    assert store.complete
    read_only.dispose()


def test_a_request_that_ended_unseen_is_shown_ended_after_the_store_was_lost(slack, belay, settings):
    request, watcher = ask(belay), watcher_of(belay, settings)
    watcher.tick()
    lose_the_store(belay)
    after = request.expires_at + timedelta(seconds=1)
    belay.ledger.execute(c.SettleRequest(request.id), by=service("approval"), at=after)
    assert belay.ledger.state().requests[request.id].status is RequestStatus.EXPIRED
    assert watcher_of(belay, settings).tick() == [request.id]
    (message,) = slack.posted()
    assert "Expired" in message["text"]


def test_nora_answers_a_question_of_before_the_restart(slack, belay, settings, request_id, serving, woken):
    watcher_of(belay, settings).tick()
    slack.chatter(CHATTER)
    serving()
    slack.until("the socket is connected", lambda: slack.state()["connected"])
    (message,) = slack.posted()
    slack.click(NORA, "belay_approve", message["ts"])
    slack.until("the modal is open", lambda: slack.state()["views"])
    slack.submit(NORA, "worth it")
    slack.until("the message tells it", lambda: "Approved" in slack.posted()[0]["text"])
    slack.until("its run is woken", lambda: woken == [request_id])
