"""The web app that the plugin mounts at ``/belay`` in Airflow's web server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from belay.flags.target import FlagsUnavailable
from belay.ledger.store import LedgerError
from belay.web import api, assets, pages

_CHANGES = {"POST", "PUT", "PATCH", "DELETE"}


def create_app() -> FastAPI:
    """Return the app. Its own docs are off: they would be public."""
    app = FastAPI(title="Belay", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(api.router)
    app.include_router(assets.router)
    app.include_router(pages.router)
    app.middleware("http")(_guarded)
    app.add_exception_handler(LedgerError, _unavailable)
    app.add_exception_handler(FlagsUnavailable, _unavailable)
    return app


async def _guarded(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Refuse changes from other sites, and tell browsers what the pages may do."""
    if request.method in _CHANGES:
        origin = request.headers.get("origin")
        foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
        if foreign or request.headers.get("content-type", "").split(";")[0] != "application/json":
            return JSONResponse({"detail": "changes come as JSON, from Belay's own pages"}, status_code=403)
    response = await call_next(request)
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; frame-ancestors 'self'; "
        "base-uri 'none'; form-action 'none'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "no-store"
    return response


async def _unavailable(_request: Request, error: Exception) -> JSONResponse:
    """A part is away: say which, and what to do."""
    return JSONResponse({"detail": str(error)}, status_code=503)
