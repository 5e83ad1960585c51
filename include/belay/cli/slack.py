"""`belay slack serve|check`: ask in Slack, and hear the answers."""

from __future__ import annotations

import logging
import os
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from belay.cli.exits import BadInputError
from belay.cli.output import Json, print_json, say, table
from belay.cli.parts import opened

if TYPE_CHECKING:
    from belay.slack.settings import SlackSettings

Tell = Annotated[
    str | None,
    typer.Option(
        "--tell", metavar="PERSON", help="Write to this person of the roster, to see that it works."
    ),
]

app = typer.Typer(help="Ask people in Slack.", no_args_is_help=True)


@app.callback()
def _slack() -> None:
    """Requests as messages, answers by button and modal."""


@app.command(epilog="Example: SLACK_BOT_TOKEN=… SLACK_APP_TOKEN=… belay slack serve")
def serve() -> None:
    """Show open requests in a channel and hear answers over Socket Mode, until Ctrl-C.

    Needs SLACK_BOT_TOKEN, BELAY_SLACK_CHANNEL, BELAY_PAGES_URL and SLACK_APP_TOKEN. Without the app token it
    only shows: answers come over HTTP then, to the web server.
    """
    import asyncio

    from belay.cli.airflow import session
    from belay.orchestration.resume import wake
    from belay.slack.serve import serve as run

    settings, belay = _settings(), opened()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    hears = "over Socket Mode" if settings.app_token else "nothing here: answers come over HTTP"
    say(f"asking in channel {settings.channel}, hearing {hears}; Ctrl-C ends it")
    try:
        asyncio.run(run(belay, settings, wake=partial(wake, belay, session(belay))))
    except KeyboardInterrupt:
        say("ended")


@app.command(epilog="Example: belay slack check --tell nora --json")
def check(*, tell: Tell = None, json: Json = False) -> None:
    """Look whether the app in Slack has what Belay needs; say what is missing and how to mend it.

    Tries it: the token and its scopes, the channel and its history, an upload, everybody's id, the groups,
    and with --tell a direct message. What is marked ? could not be found out, or was not tried.
    """
    from belay.cli.airflow import credentials
    from belay.cli.identity import identify
    from belay.slack.check import check as look
    from belay.slack.check import wakes

    settings, belay = _settings(), opened()
    roster = belay.roster()
    person = identify(roster, tell) if tell else None
    found = [
        *look(settings, roster, tell=person),
        wakes(settings, airflow=belay.settings.airflow_url, logs_in=credentials() is not None),
    ]
    if json:
        print_json(found)
    else:
        marks = {True: "✓", False: "✗", None: "?"}
        table("Slack", ("", "what", "found"), [(marks[each.ok], each.what, each.detail) for each in found])
    if any(each.ok is False for each in found):
        raise typer.Exit(1)


def _settings() -> SlackSettings:
    from belay.slack.settings import SlackNotSetUpError, SlackSettings

    try:
        return SlackSettings.from_env(os.environ)
    except SlackNotSetUpError as error:
        raise BadInputError(str(error)) from error
