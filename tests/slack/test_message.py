"""Messages within Slack's limits, with nothing of the agent's interpreted."""

from __future__ import annotations

import json

import pytest
from tests.slack.conftest import HOSTILE, ask
from tests.support.block_kit import faults

from belay.domain import commands as c
from belay.domain.actors import service
from belay.slack.message import request_message
from belay.slack.serve import watcher_of


def shown(belay, settings, request):
    watcher = watcher_of(belay, settings)
    card = watcher.card(belay.ledger.state(), request)
    return request_message(card, review_url="http://127.0.0.1:1/review", picture="F0001")


def texts(blocks, kind):
    """Yield every text object of ``kind`` in the blocks."""
    if isinstance(blocks, dict):
        if blocks.get("type") == kind and isinstance(blocks.get("text"), str):
            yield blocks["text"]
        blocks = list(blocks.values())
    if isinstance(blocks, list):
        for part in blocks:
            yield from texts(part, kind)


def test_a_person_understands_it_in_a_minute(belay, settings):
    message = shown(belay, settings, ask(belay, hypothesis="A date helps."))
    flat = json.dumps(message, ensure_ascii=False)
    for said in (
        "Checkout wording: may it go from 0 % to 1 %?",
        "agent:copywriter proposes (dana answers for it)",
        "*0 % → 1 %*, about 0 → 600 people a day",
        "It helps.",
        "Conversion",
        "+8.0 % (+2.0 % to +14.0 %)",
        "margin 20.0 %",
        "*Missing:* a cx_owner, 1 of 1 approvals",
        "Can decide: Nora Lindqvist (cx_owner), Priya Raman (cx_owner)",
        "Expires, and silence means no, <!date^",
        "ledger ",
        "F0001",
    ):
        assert said in flat.replace("\u200b", ""), said


@pytest.mark.parametrize(
    "words",
    [
        HOSTILE,
        "]}]" * 3000,
        '{"type": "actions", "elements": []}' * 300,
        "\u202e\u2066\u200f\u0000\u0007" * 2000,
        "👩‍👩‍👧‍👦" * 1500,
        "a\u0301" * 5000,
        "<@U000000000> <!here> <!subteam^S1> @channel #general" * 200,
        "```\n*Approved* by <https://x|nora>\n```" * 250,
    ],
)
def test_the_agents_words_stay_words(belay, settings, words):
    request = ask(belay, hypothesis=words[:10_000], title=words[:150])
    message = shown(belay, settings, request)
    assert faults(message) == []
    for text in texts(message["blocks"], "mrkdwn"):
        assert "evil.example" not in text
        assert "<!channel>" not in text
        assert "<@U000000000>" not in text
    assert not {"\u202e", "\u2066", "\u200f", "\u0000"} & set(json.dumps(message, ensure_ascii=False))
    if len(words) > 5000 and words.isprintable():
        assert "characters in all)" in json.dumps(message)


def test_every_state_of_a_request_is_within_limits(belay, settings):
    request, watcher = ask(belay), watcher_of(belay, settings)
    service_ = service("approval")
    assert faults(shown(belay, settings, request)) == []
    belay.ledger.execute(c.SettleRequest(request.id), by=service_, at=request.expires_at)
    ended = belay.ledger.state().requests[request.id]
    message = request_message(watcher.card(belay.ledger.state(), ended), review_url="http://127.0.0.1:1/r")
    assert faults(message) == []
    assert not [block for block in message["blocks"] if block["type"] == "actions"]


def test_the_checker_finds_what_slack_would_refuse():
    def button(**changes):
        text = {"type": "plain_text", "text": "Go"}
        return {"type": "button", "action_id": "a", "text": text, **changes}

    def message(*blocks):
        return {"text": "x", "blocks": list(blocks)}

    long = {"type": "plain_text", "text": "x" * 76}
    assert faults(message({"type": "actions", "elements": [button()]})) == []
    assert faults({"blocks": []}) == ["text: missing: screen readers and notifications need it"]
    assert "at most 75 characters" in faults(message({"type": "actions", "elements": [button(text=long)]}))[0]
    assert "unknown block" in faults(message({"type": "scrolls"}))[0]
    assert "at most 50 blocks" in faults(message(*[{"type": "divider"}] * 51))[0]
    twice = {"type": "actions", "elements": [button(), button()]}
    assert "action_id 'a' is used twice" in faults(message(twice))[0]
    assert "unknown key 'colour'" in faults(message({"type": "divider", "colour": "red"}))[0]
    assert "missing 'text'" in faults(message({"type": "header"}))[0]
