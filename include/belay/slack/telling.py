"""What a single person is told or asked, out of the others' sight.

What is said is escaped here and nowhere else: callers pass words as they are (`belay.slack.text.Mrkdwn`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Collection, Mapping
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncRespond
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from belay.domain.roster import Roster
from belay.slack.client import AWAY
from belay.slack.text import harmless, mrkdwn
from belay.slack.votes import Said

NOBODY = "You are nobody of the roster: ask whoever keeps _people.yaml to enter your Slack id."
_USED = frozenset({"exchanged_trigger_id", "trigger_exchanged"})
_FORM_SECONDS = 2.0
_MOST = 3900
_log = logging.getLogger(__name__)


async def whisper(client: AsyncWebClient, body: Mapping[str, Any], text: str) -> None:
    """Answer whoever clicked, where they clicked; nobody else sees it."""
    channel = (body.get("channel") or {}).get("id") or body["user"]["id"]
    said = mrkdwn(text, _MOST)
    try:
        await client.chat_postEphemeral(channel=channel, user=body["user"]["id"], text=said)
    except AWAY as error:
        _log.warning("%s was not told %r: %s", body["user"]["id"], text, error)


async def tell(client: AsyncWebClient, user: str, text: str) -> None:
    """Write to ``user`` alone: a submitted form says nothing of the channel that it was opened from."""
    try:
        await client.chat_postMessage(channel=user, text=mrkdwn(text, _MOST))
    except AWAY as error:
        _log.warning("%s was not told %r: %s", user, text, error)


async def respond_to(respond: AsyncRespond, user: str, text: str) -> None:
    """Answer a slash command; only who typed it sees it."""
    try:
        await respond(text=mrkdwn(text, _MOST), response_type="ephemeral")
    except (*AWAY, ValueError) as error:  # a response_url that answers nothing
        _log.warning("%s was not told %r: %s", user, text, error)


async def answer_in_form(
    ack: AsyncAck, work: Awaitable[Said], client: AsyncWebClient, user: str, block: str
) -> Said:
    """Acknowledge a submitted form with what came of it: a refusal stands in the form, beside ``block``.

    Slack waits three seconds: what takes longer is acknowledged before it is done, and told afterwards.
    """
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait({task}, timeout=_FORM_SECONDS)
    if done and (said := task.result()).refused:
        await ack(response_action="errors", errors={block: harmless(said.text, 1000)})
        return said
    await ack()
    said = await task
    if said.text:
        await tell(client, user, said.text)
    return said


async def open_form(client: AsyncWebClient, body: Mapping[str, Any], view: dict[str, Any]) -> None:
    """Open a modal for whoever clicked; Slack takes it within three seconds of the click only."""
    try:
        await client.views_open(trigger_id=body["trigger_id"], view=view)
    except AWAY as error:
        if isinstance(error, SlackApiError) and error.response.get("error") in _USED:
            return  # the same click arrived twice, and its first copy opened the form
        _log.warning("no modal for %s: %s", body["user"]["id"], error)
        await whisper(client, body, "Slack did not open the form in time. Click again.")


def holders(roster: Roster, roles: Collection[str]) -> str:
    """Say which roles it takes, and who holds them."""
    names = ", ".join(person.name for person in roster.people if person.active and person.roles & set(roles))
    return f"{' or '.join(sorted(roles)) or 'nobody'} ({names or 'nobody yet'})"
