"""A server that speaks Slack's Web API and Socket Mode as far as Belay uses them, on loopback.

It keeps what was posted, hands out trigger ids, and can click, submit and go away as Slack does.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
import uuid

from aiohttp import WSMsgType, web


class SlackServer:
    """Runs in a thread of its own; its methods may be called from any thread."""

    def __init__(self) -> None:
        self.messages: dict[str, dict] = {}
        self.whispers: list[dict] = []
        self.views: list[dict] = []
        self.acknowledged: list[str] = []
        self.calls: list[str] = []
        self.down = False
        self.rate_limited = 0
        self._sockets: list[web.WebSocketResponse] = []
        self._stamps = (f"1700000000.{n:06d}" for n in itertools.count(1))
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> SlackServer:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/"

    # -- what a person does -----------------------------------------------------------------------

    def click(self, user: str, action_id: str, ts: str) -> str:
        """Press a button of a message; return the envelope's id."""
        message = self.messages[ts]
        action = next(
            element
            for block in message["blocks"]
            for element in block.get("elements", ())
            if element.get("action_id") == action_id
        )
        payload = {
            "type": "block_actions",
            "user": {"id": user},
            "team": {"id": "T1"},
            "api_app_id": "A1",
            "trigger_id": uuid.uuid4().hex,
            "container": {"message_ts": ts, "channel_id": message["channel"]},
            "channel": {"id": message["channel"]},
            "message": message,
            "actions": [{**action, "block_id": "belay_answer", "action_ts": "1"}],
        }
        return self._send("interactive", payload)

    def submit(self, user: str, reason: str) -> str:
        """Submit the modal that was opened last."""
        view = self.views[-1]
        values = {"belay_reason_block": {"belay_reason_input": {"type": "plain_text_input", "value": reason}}}
        payload = {
            "type": "view_submission",
            "user": {"id": user},
            "team": {"id": "T1"},
            "api_app_id": "A1",
            "view": {**view, "id": "V1", "state": {"values": values}},
        }
        return self._send("interactive", payload)

    def command(self, user: str, text: str) -> str:
        payload = {
            "command": "/belay",
            "text": text,
            "user_id": user,
            "channel_id": "C1",
            "team_id": "T1",
            "api_app_id": "A1",
        }
        return self._send("slash_commands", payload)

    def until(self, condition, patience: float = 20.0):
        deadline = time.monotonic() + patience
        while not (found := condition()):
            assert time.monotonic() < deadline, (self.calls[-10:], self.whispers)
            time.sleep(0.02)
        return found

    def connected(self) -> bool:
        return any(not socket.closed for socket in self._sockets)

    def _send(self, kind: str, payload: dict) -> str:
        envelope = {
            "envelope_id": uuid.uuid4().hex,
            "type": kind,
            "accepts_response_payload": True,
            "payload": payload,
        }
        self.until(self.connected)
        socket = [s for s in self._sockets if not s.closed][-1]
        asyncio.run_coroutine_threadsafe(socket.send_str(json.dumps(envelope)), self._loop).result(10)
        return envelope["envelope_id"]

    # -- the server -------------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._ready.set()
        self._loop.run_forever()

    async def _listen(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_get("/link", self._link)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        self.calls.append(method)
        if self.down:
            return web.Response(status=503)
        if self.rate_limited:
            self.rate_limited -= 1
            return web.json_response(
                {"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": "0"}
            )
        body = await self._body(request)
        answer = getattr(self, "_" + method.replace(".", "_"), None)
        if answer is None:
            return web.json_response({"ok": True})
        return web.json_response({"ok": True} | answer(body))

    async def _body(self, request: web.Request) -> dict:
        if request.content_type == "application/json":
            return await request.json()
        fields = dict(request.query) | dict(await request.post())
        for name in ("blocks", "metadata", "view"):
            if isinstance(fields.get(name), str):
                fields[name] = json.loads(fields[name])
        return fields

    def _auth_test(self, _body: dict) -> dict:
        return {
            "user_id": "UBOT",
            "bot_id": "BBOT",
            "team_id": "T1",
            "user": "belay",
            "team": "shop",
            "url": "http://shop.example/",
        }

    def _apps_connections_open(self, _body: dict) -> dict:
        return {"url": f"ws://127.0.0.1:{self.port}/link"}

    def _chat_postMessage(self, body: dict) -> dict:  # noqa: N802 - Slack's name
        ts = next(self._stamps)
        self.messages[ts] = {**body, "ts": ts}
        return {"channel": body["channel"], "ts": ts, "message": self.messages[ts]}

    def _chat_update(self, body: dict) -> dict:
        self.messages[body["ts"]] |= body
        return {"channel": body["channel"], "ts": body["ts"]}

    def _chat_postEphemeral(self, body: dict) -> dict:  # noqa: N802 - Slack's name
        self.whispers.append(body)
        return {"message_ts": "1"}

    def _conversations_history(self, _body: dict) -> dict:
        found = [m for m in self.messages.values() if not m.get("thread_ts")]
        return {"messages": found, "response_metadata": {"next_cursor": ""}}

    def _views_open(self, body: dict) -> dict:
        self.views.append(body["view"])
        return {"view": {"id": "V1"}}

    async def _link(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.append(socket)
        await socket.send_str(json.dumps({"type": "hello", "num_connections": 1}))
        async for frame in socket:
            if frame.type is WSMsgType.TEXT and "envelope_id" in frame.data:
                self.acknowledged.append(json.loads(frame.data)["envelope_id"])
        return socket
