"""Answers on Airflow's Required Actions page, seen before Airflow takes them.

Airflow lets anybody who may change a run answer a request. Here the roster decides: who has the right gets
a vote in the ledger, who has not gets 403 and the task sleeps on. Without this middleware nothing widens
either: the sensor and the flag writer ask the ledger.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

from belay.flags.target import FlagsUnavailable
from belay.gates.answers import APPROVE, REJECT, SHOWN, VETO, record_answer
from belay.gates.outcome import RefusedError
from belay.ledger.store import LedgerError
from belay.web.wiring import services

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_PATH = re.compile(
    r"/api/v2/dags/(?P<dag>(?:rollout|promotion)__[^/]+)/dagRuns/(?P<run>[^/]+)/taskInstances/approval/-?\d+"
    r"/hitlDetails/?$"
)
_MAX_BYTES = 64 * 1024


class RequiredActionsMiddleware:
    """Turns an answer into a vote, or refuses it. Everything else passes untouched."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle one ASGI event."""
        match = scope["type"] == "http" and scope["method"] == "PATCH" and _PATH.search(scope["path"])
        if not match:
            await self.app(scope, receive, send)
            return
        body = await _read(receive)
        user = await _user(scope)
        answer = _answer(body)
        if user is not None and answer is not None:
            dag, run = unquote(match["dag"]), unquote(match["run"])
            if dag.startswith("promotion__"):
                run = f"{dag}:{run}"  # as the ledger names it: scheduled runs of all DAGs share their ids
            try:
                await asyncio.to_thread(record_answer, services(), run, user, *answer)
            except RefusedError as refused:
                await _refuse(send, 403, str(refused))
                return
            except (LedgerError, FlagsUnavailable) as error:
                await _refuse(send, 503, str(error))
                return
        sent = False

        async def again() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, again, send)


async def _read(receive: Receive) -> bytes:
    """Read the body; one that is too large is cut, and then refused by Airflow as no JSON."""
    body, more = b"", True
    while more and len(body) <= _MAX_BYTES:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body[:_MAX_BYTES]


def _answer(body: bytes) -> tuple[str, str, str | None] | None:
    """Return an answer's option, reason and digest of what was shown; None when Airflow refuses it anyway."""
    try:
        document = json.loads(body)
        (option,) = document["chosen_options"]
        form = document.get("params_input") or {}
        reason, digest = form.get("reason") or "", form.get(SHOWN)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if option not in (APPROVE, REJECT, VETO):
        return None
    return option, str(reason), None if digest is None else str(digest)


async def _user(scope: Message) -> str | None:
    """Return the id of the logged-in Airflow user; None when nobody is (Airflow will say so itself)."""
    from airflow.api_fastapi.app import get_auth_manager
    from fastapi.security.utils import get_authorization_scheme_param
    from starlette.requests import HTTPConnection

    asked = HTTPConnection(scope)
    scheme, token = get_authorization_scheme_param(asked.headers.get("authorization"))
    if scheme.lower() != "bearer" or not token:
        token = asked.cookies.get("_token", "")
    if not token:
        return None
    try:
        user = await get_auth_manager().get_user_from_token(token)
    except Exception:  # noqa: BLE001 - a bad token is Airflow's to refuse, whatever is wrong with it
        return None
    return str(user.get_id())


async def _refuse(send: Send, status: int, detail: str) -> None:
    payload = json.dumps({"detail": detail}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(payload)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": payload})
