"""`belay slack serve`: ask in Slack, and hear the answers."""

from __future__ import annotations

import os

import typer

from belay.cli.exits import BadInputError
from belay.cli.output import say
from belay.cli.parts import opened

app = typer.Typer(help="Ask people in Slack.", no_args_is_help=True)


@app.callback()
def _slack() -> None:
    """Requests as messages, answers by button and modal."""


@app.command(epilog="Example: SLACK_BOT_TOKEN=… SLACK_APP_TOKEN=… belay slack serve")
def serve() -> None:
    """Show open requests in a channel and hear answers over Socket Mode, until Ctrl-C.

    Needs SLACK_BOT_TOKEN, SLACK_APP_TOKEN, BELAY_SLACK_CHANNEL and BELAY_PAGES_URL.
    """
    import asyncio
    import logging

    from belay.slack.serve import SlackSettings
    from belay.slack.serve import serve as run

    try:
        settings = SlackSettings.from_env(os.environ)
    except ValueError as error:
        raise BadInputError(str(error)) from error
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    say(f"asking in channel {settings.channel}; Ctrl-C ends it")
    try:
        asyncio.run(run(opened(), settings))
    except KeyboardInterrupt:
        say("ended")
