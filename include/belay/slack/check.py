"""`belay slack check`: does the app in Slack have what Belay needs? What is missing is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import requests
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.signature import SignatureVerifier

from belay.domain.roster import Roster
from belay.slack.client import web_client
from belay.slack.settings import SlackSettings

SCOPES = (
    "chat:write",
    "files:write",
    "commands",
    "channels:history",
    "groups:history",
    "channels:read",
    "groups:read",
    "usergroups:read",
)
"""What the bot token must be allowed to do."""


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that was looked at: whether it is well, and what to do when it is not."""

    what: str
    ok: bool
    detail: str


def check(settings: SlackSettings, roster: Roster) -> Iterator[Found]:
    """Yield what is found, thing by thing; never raises for what Slack says."""
    client = web_client(settings.bot_token, settings.api_url)
    yield from _token(client)
    yield _channel(client, settings.channel)
    yield _people(roster)
    for role, group in roster.slack_groups.items():
        yield _group(client, roster, role, group)
    if settings.app_token:
        yield _socket(settings)
    if settings.signing_secret:
        yield _endpoint(settings)


def _token(client: WebClient) -> Iterator[Found]:
    try:
        answer = client.auth_test()
    except (SlackClientError, OSError) as error:
        yield Found("token", ok=False, detail=f"{_said(error)}: set SLACK_BOT_TOKEN to the app's bot token")
        return
    yield Found("token", ok=True, detail=f"it is {answer.get('user')} of {answer.get('team')}")
    granted = {scope.strip() for scope in str(answer.headers.get("x-oauth-scopes", "")).split(",")}
    missing = [scope for scope in SCOPES if scope not in granted]
    remedy = "add them to the app under OAuth & Permissions and install it again"
    detail = f"missing {', '.join(missing)}: {remedy}" if missing else ", ".join(SCOPES)
    yield Found("scopes", ok=not missing, detail=detail)


def _channel(client: WebClient, channel: str) -> Found:
    try:
        known = client.conversations_info(channel=channel)["channel"]
    except (SlackClientError, OSError) as error:
        return Found(
            "channel", ok=False, detail=f"{_said(error)}: set BELAY_SLACK_CHANNEL to the channel's id"
        )
    name = f"#{known.get('name', channel)}"
    if known.get("is_archived"):
        return Found("channel", ok=False, detail=f"{name} is archived: choose another")
    if not known.get("is_member"):
        return Found("channel", ok=False, detail=f"the bot is no member of {name}: /invite it there")
    return Found("channel", ok=True, detail=f"member of {name}")


def _people(roster: Roster) -> Found:
    answering = [person for person in roster.people if person.active and person.roles]
    without = [person.id for person in answering if not person.slack_id]
    if without:
        detail = f"no Slack id for {', '.join(without)}: enter it in _people.yaml (slack: U…)"
        return Found("people", ok=False, detail=detail)
    return Found("people", ok=bool(answering), detail=f"{len(answering)} people can answer in Slack")


def _group(client: WebClient, roster: Roster, role: str, group: str) -> Found:
    try:
        members: set[str] = set(client.usergroups_users_list(usergroup=group).get("users", []))
    except (SlackClientError, OSError) as error:
        remedy = "write the group's id (S…) under slack_groups in _people.yaml"
        return Found(f"group {role}", ok=False, detail=f"{_said(error)}: {remedy}")
    known = [person.id for person in roster.people if person.active and person.slack_id in members]
    strangers = len(members) - len(known)
    detail = f"{', '.join(known) or 'nobody of the roster'} of {len(members)} members"
    if strangers:
        detail += f": {strangers} of them are not in _people.yaml and cannot answer"
    return Found(f"group {role}", ok=bool(known), detail=detail)


def _socket(settings: SlackSettings) -> Found:
    try:
        web_client(settings.app_token, settings.api_url).apps_connections_open(app_token=settings.app_token)
    except (SlackClientError, OSError) as error:
        remedy = "set SLACK_APP_TOKEN to an app-level token with connections:write, and turn Socket Mode on"
        return Found("socket mode", ok=False, detail=f"{_said(error)}: {remedy}")
    return Found("socket mode", ok=True, detail="a connection can be opened")


def _endpoint(settings: SlackSettings) -> Found:
    """Knock at our own address as Slack does: signed, with its ``ssl_check``."""
    address = f"{settings.pages.rstrip('/')}-slack/events"
    body = "ssl_check=1&command=%2Fbelay&user_id=U0"
    import time

    stamp = str(int(time.time()))
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": stamp,
        "x-slack-signature": SignatureVerifier(settings.signing_secret).generate_signature(
            timestamp=stamp, body=body
        )
        or "",
    }
    try:
        answer = requests.post(address, data=body, headers=headers, timeout=10)
    except requests.RequestException as error:
        remedy = "set BELAY_PAGES_URL to Airflow's public address with /belay, reachable from Slack"
        return Found("http", ok=False, detail=f"{address} does not answer ({type(error).__name__}): {remedy}")
    if answer.status_code == requests.codes.unauthorized:
        remedy = "the web server has another SLACK_SIGNING_SECRET, or its clock is off"
        return Found("http", ok=False, detail=f"{address} refuses the signature: {remedy}")
    if not answer.ok:
        remedy = "is the plugin loaded, and does the web server have the SLACK_… settings?"
        return Found("http", ok=False, detail=f"{address} answered {answer.status_code}: {remedy}")
    return Found("http", ok=True, detail=f"{address} answers signed requests: enter it as the Request URL")


def _said(error: Exception) -> str:
    if isinstance(error, SlackApiError):
        return f"Slack says {error.response.get('error', 'no')}"
    return f"Slack cannot be reached ({type(error).__name__})"
