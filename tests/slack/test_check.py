"""`belay slack check` names what is missing, and what to do about it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tests.slack.conftest import DANA, NAMES, OMAR, STRANGER, slack_id
from typer.testing import CliRunner

from belay.cli.app import app
from belay.slack.check import SCOPES, answers, check, wakes
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
    assert said["history"] == (True, "what was posted can be found again")
    assert said["upload"] == (True, "a picture can be uploaded (one was, and is deleted)")
    assert said["direct message"] == (
        None,
        "not tried: name somebody who is to get one with --tell PERSON",
    )


def test_nobody_sees_anything_of_it(settings, belay, slack):
    found(settings, belay)
    state = slack.state()
    assert (state["messages"], state["files"], state["whispers"]) == ({}, {}, [])


def test_ids_that_do_not_exist_are_named(settings, belay, slack):
    slack.set(users=[slack_id(name) for name in NAMES if name != "omar"])
    ok, detail = found(settings, belay)["people"]
    assert not ok
    assert f"omar's {OMAR} is nobody in this workspace" in detail
    slack.set(users=None, scopes="chat:write")
    belay_roster = belay.roster()
    all_set = replace(belay_roster, people=tuple(p for p in belay_roster.people if p.slack_id))
    said = {each.what: each for each in check(settings, all_set)}
    assert said["people"].ok is None, "it could not be found out"
    assert "could not be looked up: Slack says missing_scope: the token lacks the scope users:read" in str(
        said["people"].detail
    )


def test_history_and_upload_are_tried_and_their_scopes_named(settings, belay, slack):
    slack.set(scopes="chat:write,channels:read")
    said = found(settings, belay)
    assert not said["history"][0]
    assert "the token lacks the scope channels:history" in said["history"][1]
    assert not said["upload"][0]
    assert said["upload"][1].startswith("Slack says missing_scope: the token lacks the scope files:write")
    slack.set(scopes=",".join(SCOPES), upload_status=413)
    assert "413" in found(settings, belay)["upload"][1]


def test_a_direct_message_is_tried_with_somebody_who_is_named(settings, belay, slack):
    nora = belay.roster().person("nora")

    def told():
        return {each.what: (each.ok, each.detail) for each in check(settings, belay.roster(), tell=nora)}

    assert told()["direct message"] == (True, "nora has one now")
    assert "It can." in slack.told()[0]
    slack.set(messages_tab=False)
    ok, detail = told()["direct message"]
    assert not ok
    assert "messages_tab_disabled: the manifest has app_home.messages_tab_enabled: true" in detail


def test_how_an_answer_wakes_its_run_is_said(settings):
    assert wakes(settings, airflow="http://a", logs_in=True).ok
    without = wakes(settings, airflow="http://a", logs_in=False)
    assert without.ok is None
    assert "BELAY_AIRFLOW_USER and its password not set here" in without.detail
    assert "after its recheck" in without.detail
    over_http = replace(settings, app_token="", signing_secret="s")
    assert wakes(over_http, airflow="", logs_in=False).ok, "the plugin does it, in the web server"


def test_one_question_says_whether_slack_answers(settings, slack):
    assert answers(settings, seconds=5).ok
    slack.set(tokens=["xoxb-another"])
    wrong = answers(settings, seconds=5)
    assert not wrong.ok
    assert "invalid_auth: set SLACK_BOT_TOKEN" in wrong.detail
    slack.set(down=True)
    away = answers(settings, seconds=5)
    assert not away.ok
    assert "nothing answers at" in away.detail
    nobody = answers(replace(settings, api_url="http://127.0.0.1:1/api/"), seconds=5)
    assert "nothing answers at http://127.0.0.1:1/api/" in nobody.detail


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
    assert "nothing answers at" in said["token"][1]
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
        "history",
        "upload",
        "people",
        "direct message",
        "socket mode",
        "wake",
    ]


def test_the_manifest_of_the_docs_asks_for_exactly_what_is_needed():
    text = (Path(__file__).parents[2] / "docs" / "slack.md").read_text()
    manifest = yaml.safe_load(text.split("```yaml")[1].split("```")[0])
    assert sorted(manifest["oauth_config"]["scopes"]["bot"]) == sorted(SCOPES)
    (command,) = manifest["features"]["slash_commands"]
    assert command["command"] == "/belay"
    assert command["should_escape"] is True
    assert manifest["settings"]["interactivity"]["is_enabled"] is True
    home = manifest["features"]["app_home"]
    assert home["messages_tab_enabled"] is True
    assert home["messages_tab_read_only_enabled"] is False, "/belay can be typed there"
