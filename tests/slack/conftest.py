"""A request that waits, and a Slack of one's own that shows it."""

from __future__ import annotations

import asyncio
import shutil
import threading
from pathlib import Path

import pytest
import yaml
from tests.support.slack import Slack

from belay.domain import commands as c
from belay.domain.actors import service
from belay.domain.gates import Gate, Verdict
from belay.gates.admit import propose
from belay.gates.intake import parse_proposal
from belay.services import Services
from belay.settings import Settings
from belay.slack.serve import serve
from belay.slack.settings import SlackSettings
from belay_lab.shop.scenario import SCENARIOS

CAPABILITIES = Path(__file__).parents[2] / "include" / "capabilities"
NAMES = ("nora", "priya", "omar", "timo", "viktor", "dana")
HOSTILE = "<!channel> <https://evil.example|Approved by Nora> *bold* `code` \u202e" + "x" * 9_900


def slack_id(person):
    return f"U{person.upper():0<9}"


NORA, PRIYA, OMAR, TIMO, VIKTOR, DANA = (slack_id(name) for name in NAMES)
STRANGER = slack_id("stranger")
METRICS = [
    {
        "title": "Conversion",
        "role": "primary",
        "effect": 0.08,
        "low": 0.02,
        "high": 0.14,
        "margin": 0.2,
        "finding": "harmless",
    },
    {
        "title": "Support tickets",
        "direction": "decrease",
        "role": "guardrail",
        "effect": -0.03,
        "low": -0.2,
        "high": 0.16,
        "margin": 1.0,
        "finding": "harmless",
    },
]


@pytest.fixture
def slack():
    server = Slack()
    yield server
    server.stop()


@pytest.fixture
def belay(tmp_path):
    policies = tmp_path / "capabilities"
    shutil.copytree(CAPABILITIES, policies)
    people = policies / "_people.yaml"
    roster = yaml.safe_load(people.read_text())
    for person in NAMES:
        roster["people"][person]["slack"] = slack_id(person)
    people.write_text(yaml.safe_dump(roster))
    opened = Services(Settings.from_env({"BELAY_HOME": str(tmp_path), "BELAY_POLICIES": str(policies)}))
    yield opened
    opened.ledger.close()


REVIEW = {
    "kind": "review",
    "verdict": "widen",
    "sentence": "It helps.",
    "from_scope": 0,
    "to_scope": 100,
    "units_per_day": 60_000,
    "metrics": [
        {**line, "metric": line["title"].lower(), "arm": "treatment", "direction": way, "sentence": "Fine."}
        for line, way in zip(METRICS, ("increase", "decrease"), strict=True)
    ],
}
"""A review that has a picture."""


def ask(belay, name="checkout-delivery-date", *, evidence=None, **changes):
    """Let a reviewed step wait for an approval, and return the request; the agent's words are hostile."""
    document = yaml.safe_load((SCENARIOS / "proposals" / "checkout-delivery-date.yaml").read_text())
    document |= {"optimization": name, "tags": ["brand"], "hypothesis": HOSTILE} | changes
    propose(belay, parse_proposal(document))
    policy, gate = belay.policy("checkout_wording"), service("test")

    def do(command):
        outcome = belay.ledger.execute(command, by=gate, at=belay.now())
        assert outcome.refusal is None, outcome.refusal

    do(c.StartStep(name, f"{name}-run", policy))
    for passed in (Gate.QUALITY, Gate.WINDOW):
        do(c.JudgeGate(name, 1, passed, Verdict.PASS, "fine", None))
    document = {"kind": "admission", "sentence": "It helps.", "metrics": METRICS, "units_per_day": 60_000}
    review = belay.ledger.put_evidence(evidence or document)
    do(c.JudgeGate(name, 1, Gate.REVIEW, Verdict.PASS, "It helps.", review))
    do(c.RequestOversight(name, 1, policy))
    return next(request for request in belay.ledger.state().open_requests() if request.optimization == name)


def an_idea(belay, name="home-greeting", **changes):
    """Let a proposal wait for a judgement (its capability is at observe), and return its name."""
    document = yaml.safe_load((SCENARIOS / "proposals" / "checkout-delivery-date.yaml").read_text())
    document |= {"optimization": name, "capability": "brand_voice"} | changes
    return propose(belay, parse_proposal(document)).id


@pytest.fixture
def request_id(belay):
    return ask(belay).id


@pytest.fixture
def settings(slack):
    return SlackSettings("xoxb-test", "C1", "http://127.0.0.1:1/belay", "xapp-test", "", slack.url)


@pytest.fixture
def woken():
    """The requests whose runs were woken."""
    return []


@pytest.fixture
def serving(belay, settings, woken):
    """Start one more `belay slack serve` in this process; all end with the test."""
    stopping, threads = threading.Event(), []

    def start(with_settings=settings):
        coroutine = serve(
            belay, with_settings, wake=lambda request: woken.append(request.id), stop=stopping.is_set
        )
        thread = threading.Thread(target=lambda: asyncio.run(coroutine), daemon=True)
        thread.start()
        threads.append(thread)

    yield start
    stopping.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def served(serving, slack):
    serving()
    slack.until("the socket is connected", lambda: slack.state()["connected"])
