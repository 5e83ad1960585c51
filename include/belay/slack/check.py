"""`belay slack check`: does the app in Slack have what Belay needs? What is missing is named."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import requests
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.signature import SignatureVerifier

from belay.domain.figures import counted
from belay.domain.roster import Person, Roster
from belay.slack.client import prompt_client, refusal, web_client
from belay.slack.settings import SlackSettings
from belay.slack.text import mrkdwn

SCOPES = (
    "chat:write",
    "files:write",
    "commands",
    "channels:history",
    "groups:history",
    "channels:read",
    "groups:read",
    "usergroups:read",
    "users:read",
)
"""What the bot token must be allowed to do."""
_SERVER_ERROR = 500
_MOST_PEOPLE = 50
"""How many people's ids are looked up; Slack allows about a hundred calls a minute."""
_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8ffff3f0005fe02fe"
    "0def46b80000000049454e44ae426082"
)
"""A picture of one pixel."""


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that was looked at: whether it is well, and what to do when it is not.

    ``ok`` is None where that could not be found out, or was not tried.
    """

    what: str
    ok: bool | None
    detail: str


def check(settings: SlackSettings, roster: Roster, *, tell: Person | None = None) -> Iterator[Found]:
    """Yield what is found, thing by thing; never raises for what Slack says.

    Nobody sees anything of it: a file is uploaded for nobody and deleted, and nothing is posted.

    Parameters
    ----------
    tell
        Who is written to, to see that single people can be told; nobody by default.
    """
    client = web_client(settings.bot_token, settings.api_url)
    yield from _token(client)
    yield _channel(client, settings.channel)
    yield _history(client, settings.channel)
    yield _upload(client)
    yield _people(client, roster)
    yield _direct_message(client, tell)
    for role, group in roster.slack_groups.items():
        yield _group(client, roster, role, group)
    if settings.app_token:
        yield _socket(settings)
    if settings.signing_secret:
        yield _endpoint(settings)


def wakes(settings: SlackSettings, *, airflow: str, logs_in: bool) -> Found:
    """Say how the run that waits in Airflow hears of an answer.

    Parameters
    ----------
    airflow
        Airflow's address as ``BELAY_AIRFLOW_URL`` has it; empty without.
    logs_in
        Whether an Airflow user and password are set here.
    """
    if airflow and logs_in:
        return Found("wake", ok=True, detail=f"an answer wakes its run at once, over {airflow}")
    by_plugin = "Belay's plugin in Airflow's web server wakes its run within seconds of an answer"
    if settings.signing_secret:
        return Found("wake", ok=True, detail=f"{by_plugin}, without a login")
    missing = "BELAY_AIRFLOW_USER and its password" if airflow else "BELAY_AIRFLOW_URL"
    return Found(
        "wake",
        ok=None,
        detail=f"{missing} not set here: {by_plugin}, where it is loaded and sees this ledger; "
        "else the run looks by itself, after its recheck (five minutes)",
    )


def answers(settings: SlackSettings, *, seconds: int) -> Found:
    """Ask Slack once who the bot token is of, within ``seconds``; nothing is tried again."""
    client = prompt_client(settings.bot_token, settings.api_url)
    client.timeout = seconds
    return next(_token(client))


def _token(client: WebClient) -> Iterator[Found]:
    try:
        answer = client.auth_test()
    except (SlackClientError, OSError) as error:
        api = client.base_url
        remedy = "set SLACK_BOT_TOKEN to the app's bot token (xoxb-…)"
        if not isinstance(error, SlackApiError) or error.response.status_code >= _SERVER_ERROR:
            remedy = f"nothing answers at {api}: check the network, and SLACK_API_URL where it is set"
        yield Found("token", ok=False, detail=f"{_said(error)}: {remedy}")
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


def _history(client: WebClient, channel: str) -> Found:
    try:
        client.conversations_history(channel=channel, limit=1, include_all_metadata=True)
    except (SlackClientError, OSError) as error:
        lost = "after the ledger is put back from a copy, open questions would be posted a second time"
        return Found("history", ok=False, detail=f"{_said(error)}: {lost}")
    return Found("history", ok=True, detail="what was posted can be found again")


def _upload(client: WebClient) -> Found:
    """Upload a picture for nobody to see, and delete it."""
    without = "requests are posted without their picture"
    try:
        ticket = client.files_getUploadURLExternal(filename="belay-check.png", length=len(_PNG))
        answer = requests.post(str(ticket["upload_url"]), data=_PNG, timeout=10)
        if not answer.ok:
            said = f"Slack answers {answer.status_code} to the bytes"
            return Found("upload", ok=False, detail=f"{said}: {without}")
        file = str(ticket["file_id"])
        client.files_completeUploadExternal(files=[{"id": file, "title": "belay-check.png"}])
    except (SlackClientError, OSError) as error:
        return Found("upload", ok=False, detail=f"{_said(error)}: {without}")
    try:
        client.files_delete(file=file)
    except (SlackClientError, OSError) as error:
        left = f"a picture of one pixel stays, as file {file}: {_said(error)}"
        return Found("upload", ok=True, detail=f"a picture can be uploaded; {left}")
    return Found("upload", ok=True, detail="a picture can be uploaded (one was, and is deleted)")


def _people(client: WebClient, roster: Roster) -> Found:
    answering = [person for person in roster.people if person.active and person.roles]
    without = [person.id for person in answering if not person.slack_id]
    wrong, unseen = list[str](), ""
    for person in [person for person in answering if person.slack_id][:_MOST_PEOPLE]:
        try:
            user = client.users_info(user=str(person.slack_id))["user"]
        except (SlackClientError, OSError) as error:
            if not isinstance(error, SlackApiError) or error.response.get("error") != "user_not_found":
                unseen = _said(error)
                break
            wrong.append(f"{person.id}'s {person.slack_id} is nobody in this workspace")
        else:
            if user.get("deleted"):
                wrong.append(f"{person.id}'s {person.slack_id} is deactivated in Slack")
            elif user.get("is_bot"):
                wrong.append(f"{person.id}'s {person.slack_id} is a bot")
    if without:
        wrong.append(f"no Slack id for {', '.join(without)}: enter it in _people.yaml (slack: U…)")
    if wrong:
        return Found("people", ok=False, detail="; ".join(wrong))
    if unseen:
        return Found("people", ok=None, detail=f"their ids could not be looked up: {unseen}")
    more = f"; the ids of the first {_MOST_PEOPLE} were looked up" if len(answering) > _MOST_PEOPLE else ""
    can = f"{counted(len(answering), 'person')} can answer in Slack{more}"
    return Found("people", ok=bool(answering), detail=can)


def _direct_message(client: WebClient, tell: Person | None) -> Found:
    what = "direct message"
    if tell is None:
        return Found(what, ok=None, detail="not tried: name somebody who is to get one with --tell PERSON")
    if not tell.slack_id:
        return Found(what, ok=False, detail=f"{tell.id} has no Slack id in _people.yaml (slack: U…)")
    text = mrkdwn("`belay slack check` tries whether Belay can write to you alone. It can.", 200)
    try:
        client.chat_postMessage(channel=tell.slack_id, text=text)
    except (SlackClientError, OSError) as error:
        remedy = "the manifest has app_home.messages_tab_enabled: true, and the scope chat:write"
        return Found(what, ok=False, detail=f"{_said(error)}: {remedy}")
    return Found(what, ok=True, detail=f"{tell.id} has one now")


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
        return refusal(error)
    return f"Slack cannot be reached ({type(error).__name__})"
