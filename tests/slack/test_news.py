"""What nobody was asked about is told in Slack, once, with its reason and who answers for it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from tests.slack.conftest import HOSTILE, ask, slack_id
from tests.slack.test_message import texts
from tests.support.block_kit import faults
from tests.support.live import make_live

from belay.domain import commands as c
from belay.domain.actors import service
from belay.oversight import people
from belay.present.news import News
from belay.slack.news import news_message
from belay.slack.serve import watcher_of


def titles(slack):
    """Return the title of each message that tells and asks nothing."""
    news = [m for m in slack.posted() if m["metadata"]["event_payload"]["name"].startswith("news-")]
    return [message["blocks"][0]["text"]["text"].replace("\u200b", "") for message in news]


def harm(belay, name="checkout-delivery-date"):
    """Let the guard take a change down."""
    command = c.RollBack(name, "guard", "Conversion fell by 20 %")
    assert belay.ledger.execute(command, by=service("guard"), at=belay.now()).refusal is None


@pytest.fixture
def live(belay):
    """A change that is shown to 1 %, about which nobody is asked anything."""
    (name,) = make_live(belay, 1, asked=False)
    return name


def test_a_roll_back_by_the_guard_is_told_at_once_and_once(slack, belay, settings, live):
    watcher = watcher_of(belay, settings)
    assert watcher.tick() == []
    harm(belay, live)
    (name,) = watcher.tick()
    assert titles(slack) == [f"“Change {live}” goes to 0 % for harm"]
    (message,) = slack.posted()
    flat = json.dumps(message, ensure_ascii=False)
    assert "Conversion fell by 20 %" in flat
    seq = name.removeprefix("news-")
    assert f"/explain/{seq}" in flat
    assert f"[#{seq}]" in flat
    assert "Carla Mendes" in flat, "who owns the capability, and has no Slack id"
    assert f"<@{slack_id('dana')}>" in flat, "who answers for the agent"
    assert faults(message) == []
    assert watcher.tick() == []
    assert watcher_of(belay, settings).tick() == [], "a new watcher knows that it is told"
    assert len(slack.posted()) == 1


def test_what_happened_while_slack_was_away_is_told_when_it_is_back(slack, belay, settings, live):
    watcher = watcher_of(belay, settings)
    slack.set(down=True)
    harm(belay, live)
    omar = belay.roster().person("omar")
    people.freeze(belay, "all", person=omar, reason="too much at once")
    assert watcher.tick() == []
    slack.set(down=False)
    assert len(watcher.tick()) == 2
    assert titles(slack) == [f"“Change {live}” goes to 0 % for harm", "Frozen: all"]


def test_old_news_are_no_news(slack, belay, settings, live):
    harm(belay, live)
    now = belay.now()
    belay.now = lambda: now + timedelta(days=2)
    (alarm,) = watcher_of(belay, settings).tick()
    assert alarm.startswith("alarm-"), "no guard has looked in these days, which is no old news"
    assert len(slack.posted()) == 1


def test_a_question_is_answered_where_it_was_asked_and_told_beside_it(slack, belay, settings):
    """The message of the question says void; what took it away is news for everybody else."""
    ask(belay)
    watcher = watcher_of(belay, settings)
    watcher.tick()
    omar = belay.roster().person("omar")
    people.veto(belay, "capability:checkout_wording", person=omar, reason="wait for legal", via="board")
    watcher.tick()
    (title,) = titles(slack)
    assert title == "Vetoed: capability:checkout_wording"


def test_nothing_of_it_is_interpreted_and_a_thousand_lines_fit(belay):
    matter = News(7, HOSTILE, tuple(f"{HOSTILE} [#{n}]" for n in range(7, 1007)), ("carla", "nobody"))
    message = news_message(matter, belay.roster(), pages="http://127.0.0.1:1/belay")
    assert faults(message) == []
    assert "and 992 more: belay explain 7" in json.dumps(message)
    for said in texts(message["blocks"], "mrkdwn"):
        assert "evil.example" not in said
        assert "<!channel>" not in said
