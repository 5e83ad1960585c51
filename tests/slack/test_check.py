"""`belay slack check` names what is missing, and what to do about it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tests.slack.conftest import DANA, STRANGER
from typer.testing import CliRunner

from belay.cli.app import app
from belay.slack.check import SCOPES, check
from belay.slack.settings import SlackNotSetUpError, SlackSettings


def found(settings, belay):
    return {each.what: (each.ok, each.detail) for each in check(settings, belay.roster())}


def test_a_complete_app_is_well_but_for_people_without_an_id(settings, belay):
    said = found(settings, belay)
    assert said["token"] == (True, "it is belay of shop")
    assert said["scopes"][0]
    assert said["channel"] == (True, "member of #approvals")
    assert said["socket mode"][0]
    assert said["people"] == (False, "no Slack id for ruth: enter it in _people.yaml (slack: U…)")


def test_missing_scopes_are_named(settings, belay, slack):
    slack.set(scopes="chat:write,commands")
    ok, detail = found(settings, belay)["scopes"]
    assert not ok
    assert detail.startswith("missing files:write, channels:history")
    assert "install it again" in detail


def test_a_group_that_stands_for_a_role(settings, belay, slack):
    people = belay.settings.policies / "_people.yaml"
    people.write_text(people.read_text() + "slack_groups: {risk_owner: S0RISK}\n")
    ok, detail = found(settings, belay)["group risk_owner"]
    assert not ok
    assert detail.startswith("Slack says no_such_subteam: write the group's id")
    slack.set(groups={"S0RISK": [DANA, STRANGER]})
    assert found(settings, belay)["group risk_owner"] == (
        True,
        "dana of 2 members: 1 of them are not in _people.yaml and cannot answer",
    )


def test_a_channel_that_the_bot_is_not_in(settings, belay):
    assert found(replace(settings, channel="C2"), belay)["channel"] == (
        False,
        "the bot is no member of #approvals: /invite it there",
    )


def test_slack_away_is_said_for_each_thing(settings, belay, slack):
    slack.set(down=True)
    said = found(settings, belay)
    assert not said["token"][0]
    assert "SLACK_BOT_TOKEN" in said["token"][1]
    assert not said["channel"][0]


def test_the_address_for_http_is_tried(settings, belay):
    over_http = replace(settings, app_token="", signing_secret="s")
    ok, detail = found(over_http, belay)["http"]
    assert not ok
    assert "does not answer" in detail


def test_what_is_not_set_is_named():
    with pytest.raises(SlackNotSetUpError, match="SLACK_BOT_TOKEN, BELAY_SLACK_CHANNEL"):
        SlackSettings.from_env({"BELAY_PAGES_URL": "http://x"})
    said = CliRunner().invoke(app, ["slack", "check"], env={"SLACK_BOT_TOKEN": ""})
    assert said.exit_code == 2


def test_the_command_prints_it_and_fails(settings, belay, slack):
    environment = {
        "SLACK_BOT_TOKEN": "xoxb-test",
        "SLACK_APP_TOKEN": "xapp-test",
        "BELAY_SLACK_CHANNEL": "C1",
        "BELAY_PAGES_URL": "http://127.0.0.1:1/belay",
        "SLACK_API_URL": slack.url,
        "BELAY_POLICIES": str(belay.settings.policies),
        "BELAY_HOME": str(belay.settings.home),
    }
    said = CliRunner().invoke(app, ["slack", "check", "--json"], env=environment)
    assert said.exit_code == 1
    assert [each["what"] for each in json.loads(said.stdout)] == [
        "token",
        "scopes",
        "channel",
        "people",
        "socket mode",
    ]


def test_the_manifest_of_the_docs_asks_for_exactly_what_is_needed():
    text = (Path(__file__).parents[2] / "docs" / "slack.md").read_text()
    manifest = yaml.safe_load(text.split("```yaml")[1].split("```")[0])
    assert sorted(manifest["oauth_config"]["scopes"]["bot"]) == sorted(SCOPES)
    (command,) = manifest["features"]["slash_commands"]
    assert command["command"] == "/belay"
    assert command["should_escape"] is True
    assert manifest["settings"]["interactivity"]["is_enabled"] is True
