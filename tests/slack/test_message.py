"""Messages within Slack's limits, with nothing of the agent's interpreted."""

from __future__ import annotations

import json

import pytest
from tests.slack.conftest import HOSTILE, NORA, PRIYA, ask
from tests.support.block_kit import faults

from belay.domain import commands as c
from belay.domain.actors import service
from belay.domain.events import Choice
from belay.gates.widen import widen
from belay.oversight import people
from belay.oversight.stop import stop
from belay.slack.message import request_message
from belay.slack.serve import watcher_of
from belay.slack.thread import lines


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


def words_of(message):
    """Return everything a message shows, as one text, without what only keeps lines together."""
    said = [
        text for kind in ("plain_text", "mrkdwn", "text", "link") for text in texts(message["blocks"], kind)
    ]
    return "\n".join(said).replace("\u200b", "").replace("\u00a0", " ")


def test_a_person_decides_in_a_minute(belay, settings):
    message = shown(belay, settings, ask(belay, hypothesis="A date helps."))
    flat = json.dumps(message["blocks"], ensure_ascii=False).replace("\u200b", "").replace("\u00a0", " ")
    places = []
    for said in (
        "Checkout wording: may it go from 0 % to 1 %?",
        "What customers would see (label)",
        "Now: “Order now”",
        "“Order now, yours on Thursday”",
        "The agent copywriter proposes (Dana Novak is accountable)",
        "*0 % → 1 %*, about 600 people a day, and nobody now",
        "most likely +8.0 %, at worst +2.0 %, allowed −20 %",
        "most likely −3.0 %, at worst +16.0 %, allowed +100 %",
        "Think about:",
        "Support tickets is closest to its limit: at worst 16 % of what is allowed",
        "F0001",
        "*If approved:* 1 % of people see it.",
        "*If nobody answers* by <!date^",
        "it means no; nobody sees it.",
        "0 of 1 approvals; needs a cx_owner",
        "belay_approve",
        f"Can answer: <@{NORA}> (cx_owner), <@{PRIYA}> (cx_owner)",
    ):
        assert said in flat, said
        places.append(flat.index(said))
    assert places == sorted(places), "the change first, then figures, then what comes of an answer"
    assert message["text"].startswith(
        "Checkout wording: may it go from 0 % to 1 %? “Order now” → “Order now, yours on Thursday”."
    )


def test_nothing_is_a_table_and_no_figure_loses_its_percent_sign(belay, settings):
    request = ask(belay)
    flat = json.dumps(shown(belay, settings, request)["blocks"], ensure_ascii=False)
    assert "rich_text_preformatted" not in flat, "a table scrolls sideways on a phone"
    assert "+2.0\u00a0%" in flat


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ({"label": HOSTILE}, {"label": "Buy"}, "characters in all)"),
        ({"label": "Buy"}, {"label": "x" * 9_000}, "Show all of the change"),
        ({"a": 1, "b": {"c": [1, 2]}}, {"a": 1, "b": {"c": [2]}}, "[2]"),
        ({"a": "same"}, {"a": "same"}, "Nothing: the new version is the same as the old one."),
        ({f"k{n}": n for n in range(9)}, {f"k{n}": -n - 1 for n in range(9)}, "and 6 more fields"),
        ("Buy\nNew: free", "Buy now", "“Buy ⏎ New: free”"),
        (None, {"on": True}, "yes"),
        ({"on": True}, {"on": 1}, "1"),
    ],
)
def test_both_sides_of_the_change_are_shown_as_words(belay, settings, before, after, says):
    request = ask(belay, rollback=before, variants=[{"key": "treatment", "payload": after}])
    message = shown(belay, settings, request)
    assert faults(message) == []
    assert says in words_of(message)
    for text in texts(message["blocks"], "mrkdwn"):
        assert "evil.example" not in text


def test_who_can_answer_is_mentioned_once_and_never_after_it_is_decided(belay, settings):
    request, watcher = ask(belay), watcher_of(belay, settings)
    assert json.dumps(shown(belay, settings, request)).count(f"<@{NORA}>") == 1
    details = next(iter(lines(watcher.card(belay.ledger.state(), request), request)))
    assert "<@" not in details.text
    people.vote(
        belay, request.id, Choice.APPROVE, person=belay.roster().person("nora"), reason="x", via="cli"
    )
    ended = belay.ledger.state().requests[request.id]
    assert "<@" not in json.dumps(shown(belay, settings, ended))


def granted(belay, **changes):
    request = ask(belay, **changes)
    nora = belay.roster().person("nora")
    people.vote(belay, request.id, Choice.APPROVE, person=nora, reason="worth it", via="cli")
    return request


def ending(belay, how):
    name, nora = "checkout-delivery-date", belay.roster().person("nora")
    if how == "veto":
        people.veto(belay, name, person=nora, reason="wrong on islands", via="cli")
    elif how == "stop":
        stop(belay, "all", person=nora, reason="wrong on islands", via="cli")
    else:
        harm = c.RollBack(name, how, "Harm: wrong on islands")
        assert belay.ledger.execute(harm, by=service("guard"), at=belay.now()).refusal is None


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("how", ["veto", "stop", "guard", "stopped"])
def test_there_is_no_tick_over_what_was_taken_down(belay, settings, how, live):
    request = granted(belay)
    if live:
        widen(belay, request.optimization, 1)
        now = shown(belay, settings, belay.ledger.state().requests[request.id])
        assert now["text"].startswith("✅ Live: Checkout wording, 0 % → 1 %")
        assert "Live at 1 %" in words_of(now)
    ending(belay, how)
    after = belay.ledger.state().requests[request.id]
    message = shown(belay, settings, after)
    assert "✅" not in json.dumps(message, ensure_ascii=False)
    taken_down = "🚫 Not asked any more" if how == "stop" and not live else "⛔ Taken down"
    assert message["text"].startswith("⛔ Vetoed" if how == "veto" else taken_down)
    if taken_down.startswith("⛔"):
        assert "wrong on islands" in words_of(message)
        assert "Before that: Approved by Nora Lindqvist" in words_of(message)
    if how == "veto" or (how == "stop" and live):
        assert "by Nora Lindqvist" in words_of(message).partition("Before that")[0]


def test_the_watcher_brings_it_up_to_date_when_it_is_taken_down(slack, belay, settings):
    def of(request):
        found = [m for m in slack.posted() if m["metadata"]["event_payload"]["name"] == request.id]
        return found[0] if found else None

    request, watcher = granted(belay), watcher_of(belay, settings)
    watcher.tick()
    assert slack.posted() == [], "what was decided before it was first seen is not asked"
    other = ask(belay, "checkout-other")
    watcher.tick()
    nora = belay.roster().person("nora")
    people.vote(belay, other.id, Choice.APPROVE, person=nora, reason="worth it", via="cli")
    watcher.tick()
    assert of(other)["text"].startswith("✅ Approved")
    people.veto(belay, other.optimization, person=nora, reason="wrong on islands", via="cli")
    watcher.tick()
    message = of(other)
    assert message["text"].startswith("⛔ Vetoed")
    assert "⛔ *Taken down.* Vetoed by Nora Lindqvist: wrong on islands" in slack.thread(message["ts"])
    assert not of(request)


def test_what_is_live_says_since_when_and_on_how_many_people(belay, settings):
    request = granted(belay)
    widen(belay, request.optimization, 1)
    card = watcher_of(belay, settings).card(belay.ledger.state(), belay.ledger.state().requests[request.id])
    message = request_message(card, review_url="http://127.0.0.1:1/r", people=2_130)
    said = words_of(message)
    assert "*Live at 1 %*, since <!date^" in said
    assert "No harm found in 2,130 people." in said
    nobody = request_message(card, review_url="http://127.0.0.1:1/r")
    assert "Nobody has looked at the effect yet." in words_of(nobody), "not looked at is not harmless"


def test_what_is_shown_is_what_the_answer_is_bound_to(belay, settings):
    """The same change shown differently has another digest: payload, what it replaces, and the evidence."""
    one = ask(belay)
    watcher = watcher_of(belay, settings)
    for name, changed in (
        ("checkout-b", {"rollback": {"label": "Buy"}}),
        ("checkout-c", {"variants": [{"key": "treatment", "payload": {"label": "Buy"}}]}),
    ):
        state = belay.ledger.state()
        other = ask(belay, name, **changed)
        now = belay.ledger.state()
        shown_one, shown_other = watcher.card(state, one), watcher.card(now, other)
        assert shown_one.change != shown_other.change
        assert now.optimizations[name].digest != state.optimizations[one.optimization].digest


@pytest.mark.parametrize(
    "words",
    [
        HOSTILE,
        "]}]" * 3000,
        '{"type": "actions", "elements": []}' * 300,
        "\u202e\u2066\u200f\u0007" * 2000,
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
