"""A server that speaks Slack's Web API, signed interactivity and Socket Mode as far as Belay uses them.

A process of its own on loopback: ``python -m tests.support.slack_server`` prints its port. What people do
in Slack (click, submit, type a command) is asked of it under ``/control/…``; see tests/support/slack.py.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import os
import signal
import sys
import time
import uuid
from urllib.parse import urlencode

from aiohttp import ClientSession, WSMsgType, web

SCOPES = (
    "chat:write,commands,files:write,channels:history,channels:read,groups:history,groups:read,"
    "usergroups:read"
)
MEMBER_OF = "C1"


class SlackServer:
    """What Slack would remember."""

    def __init__(self) -> None:
        self.messages: dict[str, dict] = {}
        self.whispers: list[dict] = []
        self.views: list[dict] = []
        self.acknowledged: list[dict] = []
        self.calls: list[str] = []
        self.files: dict[str, dict] = {}
        self.settings = {"down": False, "rate_limited": 0, "scopes": SCOPES, "events_url": "", "secret": ""}
        self._sockets: list[web.WebSocketResponse] = []
        self._stamps = (f"1700000000.{n:06d}" for n in itertools.count(1))
        self._turn = itertools.count()

    def app(self) -> web.Application:
        app = web.Application(client_max_size=20 * 2**20)
        app.router.add_route("*", "/api/{method}", self.api)
        app.router.add_get("/link", self.link)
        app.router.add_post("/upload/{file}", self.upload)
        app.router.add_post("/respond", self.respond)
        app.router.add_get("/control/state", self.state)
        app.router.add_post("/control/set", self.set)
        app.router.add_post("/control/send", self.send)
        return app

    # -- what the tests ask -----------------------------------------------------------------------

    async def state(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {
                "messages": self.messages,
                "whispers": self.whispers,
                "views": self.views,
                "acknowledged": self.acknowledged,
                "calls": self.calls[-200:],
                "files": self.files,
                "connected": sum(not socket.closed for socket in self._sockets),
            }
        )

    async def set(self, request: web.Request) -> web.Response:
        self.settings |= await request.json()
        if self.settings["down"]:
            for socket in self._sockets:
                await socket.close()
        return web.json_response({})

    async def send(self, request: web.Request) -> web.Response:
        """Send an interaction on its way as Slack does; the answer says when it was acknowledged."""
        asked = await request.json()
        payload = asked["payload"]
        payload["response_url"] = f"{self.url}/respond"
        name = uuid.uuid4().hex
        if self.settings["events_url"]:
            await self._over_http(name, asked["kind"], payload)
        else:
            await self._over_a_socket(name, asked["kind"], payload, copies=asked.get("copies", 1))
        return web.json_response({"envelope": name})

    async def _over_http(self, name: str, kind: str, payload: dict) -> None:
        body = urlencode({"payload": json.dumps(payload)} if kind == "interactive" else payload)
        stamp = str(int(time.time()))
        signed = hmac.new(self.settings["secret"].encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": f"v0={signed.hexdigest()}",
        }
        began = time.monotonic()
        url = self.settings["events_url"]
        async with ClientSession() as session, session.post(url, data=body, headers=headers) as answer:
            text = await answer.text()
            seconds = time.monotonic() - began
            self.acknowledged.append(
                {"envelope": name, "status": answer.status, "seconds": seconds, "body": text[:2000]}
            )

    async def _over_a_socket(self, name: str, kind: str, payload: dict, *, copies: int) -> None:
        """Send an envelope to one of the connections, in turn; ``copies`` as after a reconnect."""
        envelope = {"envelope_id": name, "type": kind, "accepts_response_payload": True, "payload": payload}
        for _ in range(copies):
            open_ones = [socket for socket in self._sockets if not socket.closed]
            socket = open_ones[next(self._turn) % len(open_ones)]
            self._sent = getattr(self, "_sent", {})
            self._sent[name] = time.monotonic()
            await socket.send_str(json.dumps(envelope))

    # -- Slack ------------------------------------------------------------------------------------

    async def api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        self.calls.append(method)
        if self.settings["down"]:
            return web.Response(status=503)
        if self.settings["rate_limited"]:
            self.settings["rate_limited"] -= 1
            limited = {"ok": False, "error": "ratelimited"}
            return web.json_response(limited, status=429, headers={"Retry-After": "0"})
        body = await self._body(request)
        answer = getattr(self, "_" + method.replace(".", "_"), None)
        document = answer(body) if answer else {}
        headers = {"x-oauth-scopes": str(self.settings["scopes"])}
        return web.json_response({"ok": "error" not in document} | document, headers=headers)

    async def _body(self, request: web.Request) -> dict:
        if request.content_type == "application/json":
            return dict(request.query) | (json.loads(await request.text() or "{}"))
        fields = dict(request.query) | dict(await request.post())
        for name in ("blocks", "metadata", "view", "files"):
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
        return {"url": f"ws://{self.url.removeprefix('http://')}/link"}

    def _chat_postMessage(self, body: dict) -> dict:  # noqa: N802 - Slack's name
        ts = next(self._stamps)
        self.messages[ts] = {**body, "ts": ts}
        return {"channel": body["channel"], "ts": ts, "message": self.messages[ts]}

    def _chat_update(self, body: dict) -> dict:
        if body["ts"] not in self.messages:
            return {"error": "message_not_found"}
        self.messages[body["ts"]] |= body
        return {"channel": body["channel"], "ts": body["ts"]}

    def _chat_delete(self, body: dict) -> dict:
        return {} if self.messages.pop(body["ts"], None) else {"error": "message_not_found"}

    def _chat_postEphemeral(self, body: dict) -> dict:  # noqa: N802 - Slack's name
        self.whispers.append(body)
        return {"message_ts": "1"}

    def _conversations_info(self, body: dict) -> dict:
        known = {"id": body["channel"], "name": "approvals", "is_member": body["channel"] == MEMBER_OF}
        return {"channel": known}

    def _conversations_history(self, body: dict) -> dict:
        found = [
            m for m in self.messages.values() if not m.get("thread_ts") and m["channel"] == body["channel"]
        ]
        return {"messages": found[::-1], "response_metadata": {"next_cursor": ""}}

    def _conversations_replies(self, body: dict) -> dict:
        return {
            "messages": [m for m in self.messages.values() if body["ts"] in (m["ts"], m.get("thread_ts"))]
        }

    def _usergroups_users_list(self, body: dict) -> dict:
        members = self.settings.get("groups", {}).get(body["usergroup"])
        return {"error": "no_such_subteam"} if members is None else {"users": members}

    def _views_open(self, body: dict) -> dict:
        self.views.append(body["view"])
        return {"view": {"id": "V1"}}

    def _files_getUploadURLExternal(self, body: dict) -> dict:  # noqa: N802 - Slack's name
        name = f"F{len(self.files) + 1:04d}"
        self.files[name] = {"filename": body["filename"], "length": int(body["length"]), "complete": False}
        return {"file_id": name, "upload_url": f"{self.url}/upload/{name}"}

    def _files_completeUploadExternal(self, body: dict) -> dict:  # noqa: N802 - Slack's name
        for file in body["files"]:
            if self.files[file["id"]].get("received") != self.files[file["id"]]["length"]:
                return {"error": "file_not_found"}
            self.files[file["id"]]["complete"] = True
        return {"files": body["files"]}

    async def upload(self, request: web.Request) -> web.Response:
        content = await request.read()
        file = self.files[request.match_info["file"]]
        file |= {"received": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        if folder := os.environ.get("SLACK_SERVER_FILES"):
            path = os.path.join(folder, f"{request.match_info['file']}.png")  # noqa: PTH118
            with open(path, "wb") as kept:  # noqa: ASYNC230, PTH123
                kept.write(content)
        return web.Response(text="OK")

    async def respond(self, request: web.Request) -> web.Response:
        self.whispers.append(await request.json())
        return web.Response(text="ok")

    async def link(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.append(socket)
        await socket.send_str(json.dumps({"type": "hello", "num_connections": 1}))
        async for frame in socket:
            if frame.type is WSMsgType.TEXT and "envelope_id" in frame.data:
                said = json.loads(frame.data)
                name = said["envelope_id"]
                seconds = time.monotonic() - self._sent.get(name, time.monotonic())
                self.acknowledged.append(
                    {
                        "envelope": name,
                        "status": 200,
                        "seconds": seconds,
                        "body": json.dumps(said.get("payload") or {})[:2000],
                    }
                )
        return socket


async def main() -> None:
    """Serve until SIGTERM or the end of standard input."""
    server = SlackServer()
    runner = web.AppRunner(server.app(), shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    server.url = f"http://127.0.0.1:{port}"
    print(port, flush=True)
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    loop.add_reader(sys.stdin.fileno(), lambda: sys.stdin.readline() or ended.set())
    await ended.wait()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
