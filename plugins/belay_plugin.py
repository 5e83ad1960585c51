"""Belay in Airflow: the Autonomy pages with their API, and the watch over Required Actions.

Every Airflow component loads plugins, so the web app is built at its first request, in the web server only.
"""

from __future__ import annotations

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


class BelayPlugin(AirflowPlugin):
    """What Airflow shows of Belay."""

    name = "belay"
    fastapi_apps: ClassVar[list[Any]] = [{"app": _WebApp(), "url_prefix": PAGES, "name": "Belay"}]
    fastapi_root_middlewares: ClassVar[list[Any]] = [
        {"middleware": RequiredActionsMiddleware, "args": [], "kwargs": {}, "name": "Belay: Required Actions"}
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
