"""Serve Slack where nobody can reach in from outside: the watch over the ledger, and Socket Mode."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler

from belay.ledger.store import LedgerError
from belay.services import Services
from belay.slack.app import create_app
from belay.slack.channel import SlackChannel
from belay.slack.client import prompt_client, web_client
from belay.slack.desk import Desk, Wake
from belay.slack.message_store import MessageStore
from belay.slack.settings import SlackSettings
from belay.slack.watch import Watcher

_TICK_SECONDS = 2.0
_log = logging.getLogger(__name__)


def watcher_of(belay: Services, settings: SlackSettings) -> Watcher:
    """Return a watcher over the ledger for the channel of ``settings``."""
    store = MessageStore(belay.ledger.engine, settings.channel)
    channel = SlackChannel(prompt_client(settings.bot_token, settings.api_url), settings.channel, store)
    return Watcher(belay, channel, settings.pages)


async def serve(
    belay: Services, settings: SlackSettings, *, wake: Wake, stop: Callable[[], bool] = lambda: False
) -> None:
    """Keep the messages up to date and, with an app token, hear answers over Socket Mode, until ``stop``.

    Several may run at once: Slack sends each envelope to one of them, and the ledger counts a vote once.
    """
    watcher = watcher_of(belay, settings)
    handler, connecting = None, None
    if settings.app_token:
        # Socket Mode's envelopes come over an authenticated connection and carry no signature.
        app = create_app(
            Desk(watcher, wake), token=settings.bot_token, signing_secret="", api_url=settings.api_url
        )
        handler = AsyncSocketModeHandler(app, settings.app_token)
        handler.client.web_client.base_url = web_client(settings.app_token, settings.api_url).base_url
        connecting = asyncio.create_task(_connected(handler))
    try:
        while not stop():
            try:
                await asyncio.to_thread(watcher.tick)
            except LedgerError as error:
                _log.warning("nothing is shown in Slack, the ledger cannot be read: %s", error)
            await asyncio.sleep(_TICK_SECONDS)
    finally:
        if handler is not None and connecting is not None:
            connecting.cancel()
            await handler.close_async()


async def _connected(handler: AsyncSocketModeHandler) -> None:
    """Connect, however long Slack is away; once connected, the client reconnects by itself."""
    while True:
        try:
            await handler.connect_async()
        except Exception as error:  # noqa: BLE001 - whatever keeps Slack away, the other channels go on
            _log.warning("Socket Mode is not connected yet: %s", error)
            await asyncio.sleep(_TICK_SECONDS)
        else:
            return
