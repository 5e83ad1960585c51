"""Slack over HTTP: the app that the plugin mounts in Airflow's web server.

Contract: https://docs.slack.dev/authentication/verifying-requests-from-slack. Bolt checks signature and
timestamp over the raw body and answers 401 by itself; what it does not do is done before it: a body that
is too large is not read, and a signature that was seen within its five minutes is refused.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from slack_bolt.adapter.fastapi.async_handler import AsyncSlackRequestHandler
from slack_sdk.signature import SignatureVerifier

from belay.services import Services
from belay.slack.app import create_app
from belay.slack.desk import Desk, Wake
from belay.slack.payload import readable
from belay.slack.serve import watcher_of
from belay.slack.settings import SlackSettings

MAX_BYTES = 256 * 1024
"""Slack's own payloads, with the message that was clicked, stay far below this."""
_SECONDS = 300
_MOST = 20_000
_log = logging.getLogger(__name__)


class SeenSignatures:
    """Signatures of the last five minutes; each is good once.

    In one process: what a second web server process lets through again, the ledger counts once.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[str, float] = OrderedDict()

    def again(self, signature: str, now: float) -> bool:
        """Return whether ``signature`` was seen before, and remember it (``now`` in seconds)."""
        while self._seen and (
            next(iter(self._seen.values())) < now - 2 * _SECONDS or len(self._seen) > _MOST
        ):
            self._seen.popitem(last=False)
        if signature in self._seen:
            return True
        self._seen[signature] = now
        return False

    def _oldest(self) -> float:
        return next(iter(self._seen.values()))


def create_http_app(belay: Services, settings: SlackSettings, *, wake: Wake) -> FastAPI:
    """Return the app; its one route is ``POST /events``, for interactivity and commands alike."""
    desk = Desk(watcher_of(belay, settings), wake)
    bolt = create_app(
        desk,
        token=settings.bot_token,
        signing_secret=settings.signing_secret,
        api_url=settings.api_url,
    )
    handler, seen = AsyncSlackRequestHandler(bolt), SeenSignatures()
    verifier = SignatureVerifier(settings.signing_secret)
    app = FastAPI(title="Belay for Slack", docs_url=None, redoc_url=None, openapi_url=None)

    @app.post("/events")
    async def events(request: Request) -> Response:
        """Hear one request of Slack."""
        body = await _body(request)
        if body is None:
            return JSONResponse({"error": f"at most {MAX_BYTES:,} bytes"}, status_code=413)
        if not _signed(verifier, body, request):
            return JSONResponse(
                {"error": "not signed by Slack within the last five minutes"}, status_code=401
            )
        if seen.again(request.headers["x-slack-signature"], time.monotonic()):
            return JSONResponse({"error": "seen before"}, status_code=401)
        if not readable(body, request.headers.get("content-type", "")):
            return JSONResponse({"error": "this is no form that Slack sends"}, status_code=400)
        try:
            response: Response = await handler.handle(request)
        except (TypeError, AttributeError, LookupError, ValueError, RecursionError) as error:
            # Bolt reads more of a payload than Belay does, before any listener hears it.
            _log.warning("signed by Slack, and not as it documents it: %s", error)
            return JSONResponse({"error": "this is no form that Slack sends"}, status_code=400)
        return response

    return app


async def _body(request: Request) -> bytes | None:
    """Read the body as far as is allowed; Starlette keeps it for the handler. None when it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            return None
    request._body = bytes(body)  # noqa: SLF001 - where Starlette keeps a body that was read
    return bytes(body)


def _signed(verifier: SignatureVerifier, body: bytes, request: Request) -> bool:
    """Return whether Slack signed exactly these bytes, not more than five minutes from now."""
    try:
        return verifier.is_valid_request(body, dict(request.headers))
    except (ValueError, TypeError, UnicodeError):  # a timestamp that is no number, a header of odd bytes
        return False
