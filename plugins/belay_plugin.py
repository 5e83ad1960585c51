"""Belay in Airflow: the Autonomy pages with their API, and the watch over Required Actions.

Every Airflow component loads plugins, so the web app is built at its first request, in the web server only;
and the Slack app when the web server starts, because Slack waits three seconds for the first click as well.
"""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

from belay.orchestration.links import PAGES, ReviewLink
from belay.web.required_actions import RequiredActionsMiddleware


class _WebApp:
    """The ASGI app, built when it is first asked."""

    _app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._app is None:
            from belay.web.app import create_app

            self._app = create_app()
        await self._app(scope, receive, send)


class _SlackApp:
    """Slack over HTTP; without its settings there is nothing to hear."""

    def __init__(self) -> None:
        self._app: Any = None
        self._turn = threading.Lock()

    def prepare(self) -> Any:
        """Build the app, once."""
        with self._turn:
            if self._app is None:
                self._app = _slack_app()
        return self._app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        app = self._app or await asyncio.to_thread(self.prepare)
        await app(scope, receive, send)


_SLACK = _SlackApp()


class _Started:
    """Middleware that does nothing but be made, when Airflow's web server starts and nowhere else.

    What is answered anywhere then wakes its run from here, for which it takes no login.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        threading.Thread(target=_SLACK.prepare, name="belay-slack", daemon=True).start()
        threading.Thread(target=_wake_runs, name="belay-waker", daemon=True).start()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)


def _wake_runs() -> None:
    from belay.web.waker import Waker
    from belay.web.wiring import services

    Waker(services()).run()


def _slack_app() -> Any:
    from functools import partial

    from fastapi import FastAPI

    from belay.slack.settings import SlackNotSetUpError, SlackSettings

    try:
        settings = SlackSettings.from_env(os.environ)
    except SlackNotSetUpError:
        return FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    if not settings.signing_secret:
        return FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    from belay.slack.http import create_http_app
    from belay.web.waker import wake_in_process
    from belay.web.wiring import services

    belay = services()
    return create_http_app(belay, settings, wake=partial(wake_in_process, belay))


class BelayPlugin(AirflowPlugin):
    """What Airflow shows of Belay."""

    name = "belay"
    fastapi_apps: ClassVar[list[Any]] = [
        {"app": _WebApp(), "url_prefix": PAGES, "name": "Belay"},
        {"app": _SLACK, "url_prefix": f"{PAGES}-slack", "name": "Belay for Slack"},
    ]
    fastapi_root_middlewares: ClassVar[list[Any]] = [
        {
            "middleware": RequiredActionsMiddleware,
            "args": [],
            "kwargs": {},
            "name": "Belay: Required Actions",
        },
        {
            "middleware": _Started,
            "args": [],
            "kwargs": {},
            "name": "Belay: Slack is ready, and answers wake their runs",
        },
    ]
    external_views: ClassVar[list[Any]] = [
        {
            "name": "Autonomy",
            "href": f"{PAGES}/",
            "destination": "nav",
            "url_route": "autonomy",
            "nav_top_level": True,
        }
    ]
    operator_extra_links: ClassVar[list[Any]] = [ReviewLink()]
