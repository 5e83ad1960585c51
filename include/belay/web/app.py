"""The web app that the plugin mounts at ``/belay`` in Airflow's web server."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException

from belay.flags.target import FlagsUnavailable, StaleEpoch
from belay.ledger.store import LedgerError
from belay.orchestration.names import API
from belay.web import api, assets, auth, pages

_CHANGES = {"POST", "PUT", "PATCH", "DELETE"}
_MAX_BYTES = 1_048_576
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; frame-ancestors 'self'; "
        "base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def create_app() -> FastAPI:
    """Return the app. Its own docs are off: they would be public."""
    app = FastAPI(title="Belay", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(api.router)
    app.include_router(assets.router)
    app.include_router(pages.router)
    app.middleware("http")(_guarded)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _unusable)
    for away in (LedgerError, FlagsUnavailable, StaleEpoch):
        app.add_exception_handler(away, _unavailable)
    return app


async def _guarded(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Refuse changes from other sites, and tell browsers what the pages may do."""
    refusal = _not_ours(request) if request.method in _CHANGES else None
    response = refusal or await call_next(request)
    response.headers.update(_HEADERS)
    return response


def _not_ours(request: Request) -> Response | None:
    """Return why a change is refused, if it is.

    A browser sends the session's cookie whatever page asks, and always says which page that was; a
    program that sends its own token may leave that out.
    """
    origin = request.headers.get("origin")
    own = {request.headers.get("host"), urlsplit(auth.public_url()).netloc}
    foreign = origin is not None and (not urlsplit(origin).netloc or urlsplit(origin).netloc not in own)
    unsaid = origin is None and "authorization" not in request.headers
    typed = request.headers.get("content-type", "").split(";")[0].strip().lower() == "application/json"
    if foreign or unsaid or not typed:
        return JSONResponse({"detail": "changes come as JSON, from Belay's own pages"}, status_code=403)
    length = request.headers.get("content-length", "")
    if not length.isdigit():
        return JSONResponse({"detail": "a change must say how long it is"}, status_code=411)
    if int(length) > _MAX_BYTES:
        return JSONResponse({"detail": f"a change is at most {_MAX_BYTES:,} bytes"}, status_code=413)
    return None


class _Said(JSONResponse):
    """JSON in ASCII: it can say anything that was sent, also halves of characters."""

    def render(self, content: Any) -> bytes:
        """Return the bytes to send."""
        return json.dumps(content, allow_nan=False).encode()


async def _unusable(_request: Request, error: Exception) -> Response:
    """Say which field is wrong and why, without what was sent: that may be anything."""
    assert isinstance(error, RequestValidationError)
    told = [{name: problem[name] for name in ("type", "loc", "msg")} for problem in error.errors()]
    return _Said({"detail": told}, 422)


async def _refused(request: Request, error: Exception) -> Response:
    """Say it in the form that was asked for: a page for people, JSON for programs."""
    assert isinstance(error, HTTPException)
    if "text/html" not in request.headers.get("accept", ""):
        return _Said({"detail": error.detail}, error.status_code, error.headers)
    root = request.scope.get("root_path", "")
    outside = root.removesuffix("/belay")
    login = f"{outside}{API}/auth/login?next={quote(request.url.path)}"
    shown = pages.problem(error.status_code, str(error.detail), home=f"{root}/", login=login)
    return HTMLResponse(shown, error.status_code, error.headers)


async def _unavailable(request: Request, error: Exception) -> Response:
    """A part is away: say which, and what to do."""
    return await _refused(request, HTTPException(503, str(error)))
