"""Answers on Airflow's Required Actions page, seen before Airflow takes them.

Airflow lets anybody who may change a run answer a request. Here the roster decides: who has the right gets
a vote in the ledger, who has not gets 403 and the task sleeps on. The vote is recorded at once; Airflow hears
of it when its task can be woken without harm. Without this middleware nothing widens either: the sensor and
the flag writer ask the ledger.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import unquote

from sqlalchemy.exc import SQLAlchemyError

from belay.domain.request_state import RequestState, RequestStatus
from belay.domain.roster import AirflowUser
from belay.domain.run import Run
from belay.execution import RefusedError
from belay.flags.target import FlagsUnavailable
from belay.gates.airflow_answers import APPROVE, LOOK, REJECT, SHOWN, VETO, record_answer, request_of_run
from belay.ledger.store import LedgerError
from belay.orchestration.names import API
from belay.present.markdown import progress
from belay.present.reading import read_card
from belay.web.waiting import show_progress, until_settled
from belay.web.wiring import services

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_PATH = re.compile(
    API + r"/dags/(?P<dag>(?:rollout|promotion)__[^/]+)/dagRuns/(?P<run>[^/]+)"
    r"/taskInstances/(?P<task>approval)/-?\d+"
    r"/hitlDetails/?$"
)
_MAX_BYTES = 64 * 1024
_TOO_LATE = 409
"""What Airflow says when it has taken somebody's answer, and its task has not gone to sleep again since."""
_log = logging.getLogger(__name__)


class Answer(NamedTuple):
    """What somebody chose on the page, why, and the digest of what the page showed."""

    option: str
    reason: str
    digest: str | None


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
        say = send
        if user is not None and answer is not None:
            task = (unquote(match["dag"]), unquote(match["run"]), match["task"])
            try:
                if await _take(task, user, answer):
                    say = _Recorded(send, user, body)
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

        await self.app(scope, again, say)


class _Recorded:
    """Says on Airflow's behalf that an answer was taken, where it is on record and another one came first.

    Airflow takes one answer and wakes its task; what comes in that moment it refuses with 409. The task that
    was woken reads the ledger, where the vote was before Airflow was asked: it counts, and whoever cast it
    must not be told that it failed.
    """

    def __init__(self, send: Send, user: AirflowUser, body: bytes) -> None:
        self._send, self._user, self._body = send, user, body
        self._instead = False

    async def __call__(self, message: Message) -> None:
        """Pass one message on, or answer in its place."""
        if message["type"] == "http.response.start" and message["status"] == _TOO_LATE:
            self._instead = True
            asked = json.loads(self._body)
            taken = {
                "responded_by": {"id": self._user.id, "name": str(self._user)},
                "responded_at": datetime.now(UTC).isoformat(),
                "chosen_options": asked["chosen_options"],
                "params_input": asked.get("params_input") or {},
            }
            await _answer_with(self._send, 200, taken)
        elif not self._instead:
            await self._send(message)


async def _take(task: tuple[str, str, str], user: AirflowUser, answer: Answer) -> bool:
    """Record an answer, show on the page where the request stands, and wait until the task can be woken.

    Returns whether it is on record: who only looks again, or answers a run that waits for nobody, is not.
    """
    dag, run, _ = task
    if answer.option == LOOK:
        request = await asyncio.to_thread(_request_of, Run(dag, run))
    else:
        request = await asyncio.to_thread(record_answer, services(), Run(dag, run), user, *answer)
    try:
        if request is not None and request.status is RequestStatus.OPEN:
            await asyncio.to_thread(lambda: show_progress(*task, _progress(request)))
        if not await until_settled(*task):
            _log.warning("run %s of %s is woken while it may still be parking", run, dag)
    except SQLAlchemyError as error:
        _log.warning("run %s of %s: Airflow's database could not be asked: %s", run, dag, error)
    return request is not None and answer.option != LOOK


def _request_of(run: Run) -> RequestState | None:
    return request_of_run(services().ledger.state(), run)


def _progress(request: RequestState) -> str:
    """Return where the request stands now, as its page says it."""
    belay = services()
    state = belay.ledger.state()
    return progress(read_card(belay.ledger, state, request, roster=belay.roster(), now=belay.now()))


async def _read(receive: Receive) -> bytes:
    """Read the body; one that is too large is cut, and then refused by Airflow as no JSON."""
    body, more = b"", True
    while more and len(body) <= _MAX_BYTES:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body[:_MAX_BYTES]


def _answer(body: bytes) -> Answer | None:
    """Return an answer; None when Airflow refuses it anyway."""
    try:
        document = json.loads(body)
        (option,) = document["chosen_options"]
        form = document.get("params_input") or {}
        reason, digest = form.get("reason") or "", form.get(SHOWN)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if option not in (APPROVE, REJECT, VETO, LOOK):
        return None
    return Answer(option, str(reason), None if digest is None else str(digest))


async def _user(scope: Message) -> AirflowUser | None:
    """Return the logged-in Airflow user; None when nobody is (Airflow will say so itself)."""
    from airflow.api_fastapi.app import get_auth_manager
    from fastapi.security.utils import get_authorization_scheme_param
    from starlette.requests import HTTPConnection

    from belay.web.auth import account

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
    return account(user)


async def _refuse(send: Send, status: int, detail: str) -> None:
    await _answer_with(send, status, {"detail": detail})


async def _answer_with(send: Send, status: int, document: Any) -> None:
    payload = json.dumps(document).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(payload)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": payload})
