"""How to reach Slack: environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from belay.environment import BadSettingError, text_of, value_of

API = "https://slack.com/api/"


class SlackNotSetUpError(Exception):
    """A setting that is needed is missing; the message names it."""


@dataclass(frozen=True, slots=True)
class SlackSettings:
    """Each attribute names its environment variable.

    Attributes
    ----------
    bot_token : str
        ``SLACK_BOT_TOKEN`` (``xoxb-…``).
    channel : str
        ``BELAY_SLACK_CHANNEL``: id of the channel that is asked.
    pages : str
        ``BELAY_PAGES_URL``: address of Belay's pages, for the links.
    app_token : str
        ``SLACK_APP_TOKEN`` (``xapp-…``), for Socket Mode; empty without it.
    signing_secret : str
        ``SLACK_SIGNING_SECRET``, for requests over HTTP; empty without it.
    api_url : str
        ``SLACK_API_URL``: another server of the same protocol, for tests.
    """

    bot_token: str
    channel: str
    pages: str
    app_token: str = ""
    signing_secret: str = ""
    api_url: str = API

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> SlackSettings:
        """Read the settings.

        Raises
        ------
        SlackNotSetUpError
            When one that has no default is missing (names all of them), or one cannot be used.
        """
        needed = ("SLACK_BOT_TOKEN", "BELAY_SLACK_CHANNEL", "BELAY_PAGES_URL")
        missing = [name for name in needed if not text_of(name, environ)]
        if not text_of("SLACK_APP_TOKEN", environ) and not text_of("SLACK_SIGNING_SECRET", environ):
            missing.append("SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP)")
        if missing:
            raise SlackNotSetUpError(f"Slack is not set up: set {', '.join(missing)}")
        try:
            return cls(
                bot_token=value_of("SLACK_BOT_TOKEN", environ),
                channel=value_of("BELAY_SLACK_CHANNEL", environ),
                pages=value_of("BELAY_PAGES_URL", environ),
                app_token=value_of("SLACK_APP_TOKEN", environ) or "",
                signing_secret=value_of("SLACK_SIGNING_SECRET", environ) or "",
                api_url=value_of("SLACK_API_URL", environ) or API,
            )
        except BadSettingError as error:
            raise SlackNotSetUpError(f"Slack is not set up: {error}") from None
