"""Serve Slack where nobody can reach in from outside: Socket Mode, and the watch over the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler

from belay.services import Services
from belay.slack.app import create_app
from belay.slack.channel import SlackChannel, web_client
from belay.slack.watch import Watcher

_TICK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class SlackSettings:
    """How to reach Slack; each attribute names its environment variable.

    Attributes
    ----------
    bot_token, app_token : str
        ``SLACK_BOT_TOKEN`` and ``SLACK_APP_TOKEN`` (Socket Mode).
    channel : str
        ``BELAY_SLACK_CHANNEL``: id of the channel that is asked.
    pages : str
        ``BELAY_PAGES_URL``: address of Belay's pages, for the links.
    api_url : str
        ``SLACK_API_URL``: another server of the same protocol, for tests.
    """

    bot_token: str
    app_token: str
    channel: str
    pages: str
    api_url: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> SlackSettings:
        """Read the settings.

        Raises
        ------
        ValueError
            When one that has no default is missing; names all of them.
        """
        needed = {"SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "BELAY_SLACK_CHANNEL", "BELAY_PAGES_URL"}
        missing = sorted(name for name in needed if not environ.get(name))
        if missing:
            raise ValueError(f"Slack is not set up: set {', '.join(missing)}")
        return cls(
            environ["SLACK_BOT_TOKEN"],
            environ["SLACK_APP_TOKEN"],
            environ["BELAY_SLACK_CHANNEL"],
            environ["BELAY_PAGES_URL"],
            environ.get("SLACK_API_URL", "https://slack.com/api/"),
        )


async def serve(belay: Services, settings: SlackSettings, stop: Callable[[], bool] = lambda: False) -> None:
    """Hear answers over Socket Mode and keep the messages up to date, until ``stop``."""
    channel = SlackChannel(web_client(settings.bot_token, settings.api_url), settings.channel)
    watcher = Watcher(belay, channel, settings.pages)
    # Socket Mode's envelopes come over an authenticated connection and carry no signature.
    app = create_app(watcher, token=settings.bot_token, signing_secret="unused", api_url=settings.api_url)  # noqa: S106
    client = web_client(settings.app_token, settings.api_url)
    handler = AsyncSocketModeHandler(app, settings.app_token)
    handler.client.web_client.base_url = client.base_url
    await handler.connect_async()
    try:
        while not stop():
            await asyncio.to_thread(watcher.tick)
            await asyncio.sleep(_TICK_SECONDS)
    finally:
        await handler.close_async()
