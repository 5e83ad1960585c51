"""The whole loop through a Slack-compatible server: posted, clicked, reasoned, counted, shown."""

from __future__ import annotations

import asyncio
import shutil
import threading
from pathlib import Path

import pytest
import yaml
from tests.support.slack_server import SlackServer

from belay.domain import commands as c
from belay.domain.actors import agent, service
from belay.domain.gates import Gate, Verdict
from belay.domain.state import RequestStatus, Status
from belay.gates.admit import propose
from belay.gates.intake import parse_proposal
from belay.services import Services
from belay.settings import Settings
from belay.slack.channel import SlackChannel, web_client
from belay.slack.message import APPROVE, REJECT, VETO
from belay.slack.serve import SlackSettings, serve
from belay.slack.watch import Watcher
from belay.storefront.scenario import SCENARIOS

CAPABILITIES = Path(__file__).parents[2] / "include" / "capabilities"
NORA, PRIYA, TIMO, STRANGER = (f"U{name:0<9}" for name in ("NORA", "PRIYA", "TIMO", "STRANGER"))
HOSTILE = "<!channel> <https://evil.example|Approved by Nora> *bold* `code` \u202e" + "x" * 5000


@pytest.fixture
def slack():
    server = SlackServer().start()
    yield server
    server.stop()


@pytest.fixture
def belay(tmp_path):
    policies = tmp_path / "capabilities"
    shutil.copytree(CAPABILITIES, policies)
    people = policies / "_people.yaml"
    roster = yaml.safe_load(people.read_text())
    for person in ("nora", "priya", "timo"):
        roster["people"][person]["slack"] = f"U{person.upper():0<9}"
    people.write_text(yaml.safe_dump(roster))
    opened = Services(Settings.from_env({"BELAY_HOME": str(tmp_path), "BELAY_POLICIES": str(policies)}))
    yield opened
    opened.ledger.close()


@pytest.fixture
def request_id(belay):
    """A reviewed step that waits for an approval; the agent's words are hostile."""
    document = yaml.safe_load((SCENARIOS / "proposals" / "checkout-delivery-date.yaml").read_text())
    name = propose(belay, parse_proposal(document | {"tags": ["brand"], "hypothesis": HOSTILE})).id
    policy, gate = belay.policy("checkout_wording"), service("test")

    def do(command):
        outcome = belay.ledger.execute(command, by=gate, at=belay.now())
        assert outcome.refusal is None, outcome.refusal

    do(c.StartStep(name, "run1", policy))
    for passed in (Gate.QUALITY, Gate.WINDOW):
        do(c.JudgeGate(name, 1, passed, Verdict.PASS, "fine", None))
    metric = {
        "title": "Conversion",
        "role": "primary",
        "effect": 0.08,
        "low": 0.02,
        "high": 0.14,
        "margin": 0.2,
        "finding": "harmless",
    }
    review = belay.ledger.put_evidence({"kind": "review", "sentence": "It helps.", "metrics": [metric]})
    do(c.JudgeGate(name, 1, Gate.REVIEW, Verdict.PASS, "It helps.", review))
    do(c.RequestOversight(name, 1, policy))
    return belay.ledger.state().open_requests()[0].id


@pytest.fixture
def served(slack, belay):
    """`belay slack serve`, in this process, until the test is over."""
    settings = SlackSettings("xoxb-test", "xapp-test", "C1", "http://127.0.0.1:1/belay", slack.url)
    stopping = threading.Event()
    thread = threading.Thread(
        target=lambda: asyncio.run(serve(belay, settings, stopping.is_set)), daemon=True
    )
    thread.start()
    slack.until(slack.connected)
    yield
    stopping.set()
    thread.join(20)


def posted(slack):
    return [m for m in slack.messages.values() if not m.get("thread_ts")]


def actions(message):
    return [
        e["action_id"] for block in message["blocks"] if block["type"] == "actions" for e in block["elements"]
    ]


def test_a_click_and_a_reason_become_a_vote_and_the_message_tells_the_outcome(
    slack, belay, request_id, served
):
    (message,) = slack.until(lambda: posted(slack))
    assert actions(message)[:3] == [APPROVE, REJECT, VETO]
    envelope = slack.click(NORA, APPROVE, message["ts"])
    slack.until(lambda: envelope in slack.acknowledged)
    slack.until(lambda: slack.views)
    slack.submit(NORA, "worth it")
    request = slack.until(
        lambda: (r := belay.ledger.state().requests[request_id]).status is RequestStatus.GRANTED and r
    )
    assert [(v.voter, v.via, v.reason) for v in request.votes] == [("nora", "slack", "worth it")]
    slack.until(lambda: "Granted" in posted(slack)[0]["text"])
    assert not actions(posted(slack)[0])
    assert len(posted(slack)) == 1
    thread = slack.until(lambda: [m for m in slack.messages.values() if m.get("thread_ts")])
    assert "Nora Lindqvist" in thread[0]["text"]


def test_who_has_no_right_is_told_who_has_it(slack, belay, request_id, served):
    (message,) = slack.until(lambda: posted(slack))
    slack.click(TIMO, APPROVE, message["ts"])
    whisper = slack.until(lambda: slack.whispers)[0]
    assert "cx_owner" in whisper["text"]
    slack.click(STRANGER, VETO, message["ts"])
    assert "veto" in slack.until(lambda: slack.whispers[1:])[0]["text"]
    assert not slack.views
    assert belay.ledger.state().requests[request_id].votes == ()


def test_a_veto_by_command_takes_it_down(slack, belay, request_id, served):
    slack.command(PRIYA, "veto checkout-delivery-date no reason of hers")
    assert "holds no veto" in slack.until(lambda: slack.whispers)[0]["text"]
    slack.command(NORA, "veto checkout-delivery-date it misleads")
    known = slack.until(
        lambda: (
            (o := belay.ledger.state().optimizations["checkout-delivery-date"]).status is Status.VETOED and o
        )
    )
    assert "it misleads" in known.reason
    done = slack.until(lambda: slack.whispers[1:])[0]
    assert "taken down" in done["text"]
    envelope = slack.command(NORA, "dance")
    slack.until(lambda: envelope in slack.acknowledged)
    assert len(slack.whispers) == 2  # a usage note is part of the acknowledgement


def test_the_agents_words_stay_words(slack, belay, request_id, served):
    (message,) = slack.until(lambda: posted(slack))
    mrkdwn = [b["text"]["text"] for b in message["blocks"] if b.get("text", {}).get("type") == "mrkdwn"]
    assert not any("evil.example" in text or "<!channel>" in text for text in mrkdwn)
    quoted = str([b for b in message["blocks"] if b["type"] == "rich_text"])
    assert "evil.example" in quoted
    assert "\u202e" not in str(message["blocks"])
    assert len(message["text"]) < 4000
    assert len(message["blocks"]) <= 50


def test_slack_away_delays_asking_and_doubles_nothing(slack, belay, request_id):
    channel = SlackChannel(web_client("xoxb-test", slack.url), "C1")
    slack.down = True
    assert Watcher(belay, channel, "http://127.0.0.1:1").tick() == []
    slack.down, slack.rate_limited = False, 1
    watcher = Watcher(belay, channel, "http://127.0.0.1:1")
    assert watcher.tick() == [request_id]
    assert watcher.tick() == []
    assert Watcher(belay, channel, "http://127.0.0.1:1").tick() == [request_id]  # a restarted one finds it
    assert len(posted(slack)) == 1
    propose_again = c.Veto("checkout-delivery-date", "x", frozenset({"veto"}), "cli")
    assert belay.ledger.execute(propose_again, by=agent("bot"), at=belay.now()).refusal.rule == "people-veto"
