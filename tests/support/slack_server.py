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
from collections import Counter
from urllib.parse import urlencode

from aiohttp import ClientSession, WSMsgType, web

SCOPES = (
    "chat:write,commands,files:write,channels:history,channels:read,groups:history,groups:read,"
    "usergroups:read,users:read"
)
MEMBER_OF, OTHER_CHANNEL = "C1", "C2"
NEEDS = {
    "chat.postMessage": "chat:write",
    "chat.postEphemeral": "chat:write",
    "chat.update": "chat:write",
    "chat.delete": "chat:write",
    "conversations.history": "channels:history",
    "conversations.replies": "channels:history",
    "conversations.info": "channels:read",
    "files.getUploadURLExternal": "files:write",
    "files.completeUploadExternal": "files:write",
    "files.delete": "files:write",
    "usergroups.users.list": "usergroups:read",
    "users.info": "users:read",
}
"""The scope that each method needs; what is not here needs none."""
_PAGE = 200


class SlackServer:
    """What Slack would remember."""

    def __init__(self) -> None:
        self.messages: dict[str, dict] = {}
        self.whispers: list[dict] = []
        self.views: list[dict] = []
        self.acknowledged: list[dict] = []
        self.calls: list[str] = []
        self.files: dict[str, dict] = {}
        self.settings = {
            "down": False,
            "rate_limited": 0,
            "scopes": SCOPES,
            "events_url": "",
            "secret": "",
            # How many calls of a method are refused next, and what Retry-After says then.
            "limits": {},
            "retry_after": 0,
            # An upload that is complete cannot be used in a message while this holds (invalid_blocks).
            "processing": False,
            # What the address for the bytes answers.
            "upload_status": 200,
            # A method and the error that it answers with.
            "refuse": {},
            # The most that a page of history holds, and how many of the newest messages are kept at all.
            "page": _PAGE,
            "horizon": 0,
            # Every envelope and every signed request arrives twice.
            "doubled": False,
            # Who exists (None: everybody); which tokens are good (None: all).
            "users": None,
            "tokens": None,
            "messages_tab": True,
        }
        self.counts: Counter[str] = Counter()
        self._sockets: list[web.WebSocketResponse] = []
        self._stamp = 0.0
        self._triggers: set[str] = set()
        self._turn = itertools.count()
        self._file_numbers = itertools.count(1)

    def app(self) -> web.Application:
        app = web.Application(client_max_size=20 * 2**20)
        app.router.add_route("*", "/api/{method}", self.api)
        app.router.add_get("/link", self.link)
        app.router.add_post("/upload/{file}", self.upload)
        app.router.add_post("/respond", self.respond)
        app.router.add_get("/control/state", self.state)
        app.router.add_post("/control/set", self.set)
        app.router.add_post("/control/send", self.send)
        app.router.add_post("/control/chatter", self.chatter)
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
                "counts": self.counts,
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
        copies = max(asked.get("copies", 1), 2 if self.settings["doubled"] else 1)
        if self.settings["events_url"]:
            for number in range(copies):
                await self._over_http(name, asked["kind"], payload, again=number)
        else:
            await self._over_a_socket(name, asked["kind"], payload, copies=copies)
        return web.json_response({"envelope": name})

    async def chatter(self, request: web.Request) -> web.Response:
        """Let other people write ``count`` messages into the channel."""
        for number in range((await request.json())["count"]):
            ts = self._next_stamp()
            self.messages[ts] = {"channel": MEMBER_OF, "ts": ts, "user": "UOTHER", "text": f"chat {number}"}
        return web.json_response({})

    def _next_stamp(self) -> str:
        """Return a message's time stamp: seconds with six decimals, each one later than the last."""
        self._stamp = max(time.time(), self._stamp + 2e-6)
        return f"{self._stamp:.6f}"

    async def _over_http(self, name: str, kind: str, payload: dict, *, again: int) -> None:
        """Send a signed request; one that is sent ``again`` has a signature of its own."""
        body = urlencode({"payload": json.dumps(payload)} if kind == "interactive" else payload)
        stamp = str(int(time.time()) + again)
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
        self.counts[method] += 1
        if self.settings["down"]:
            return web.Response(status=503)
        if self._is_limited(method):
            limited = {"ok": False, "error": "ratelimited"}
            pause = {"Retry-After": str(self.settings["retry_after"])}
            return web.json_response(limited, status=429, headers=pause)
        body = await self._body(request)
        answer = getattr(self, "_" + method.replace(".", "_"), None)
        document = self._refused(method, request, body) or (answer(body) if answer else {})
        headers = {"x-oauth-scopes": str(self.settings["scopes"])}
        return web.json_response({"ok": "error" not in document} | document, headers=headers)

    def _is_limited(self, method: str) -> bool:
        if self.settings["rate_limited"]:
            self.settings["rate_limited"] -= 1
            return True
        limits = self.settings["limits"]
        if limits.get(method, 0) <= 0:
            return False
        limits[method] -= 1
        return True

    def _refused(self, method: str, request: web.Request, body: dict) -> dict | None:
        """Return what is refused whatever the method would do: a bad token, a missing scope, bad blocks."""
        tokens = self.settings["tokens"]
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if tokens is not None and token not in tokens:
            return {"error": "invalid_auth"}
        if error := self.settings["refuse"].get(method):
            return {"error": error}
        provided = str(self.settings["scopes"])
        if (needed := NEEDS.get(method)) and needed not in provided.split(","):
            return {"error": "missing_scope", "needed": needed, "provided": provided}
        if method in ("chat.postMessage", "chat.update") and not self._usable(body.get("blocks") or []):
            told = ["[ERROR] invalid slack file [json-pointer:/blocks/0/slack_file]"]
            return {"error": "invalid_blocks", "errors": told, "response_metadata": {"messages": told}}
        return None

    def _usable(self, blocks: list[dict]) -> bool:
        """Return whether every file that is shown is there and can be used by now."""
        shown = [block["slack_file"]["id"] for block in blocks if block.get("slack_file")]
        return all(
            self.files.get(name, {}).get("complete") and not self.settings["processing"] for name in shown
        )

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
        if error := self._closed(str(body["channel"])):
            return {"error": error}
        ts = self._next_stamp()
        self.messages[ts] = {**body, "ts": ts}
        return {"channel": body["channel"], "ts": ts, "message": self.messages[ts]}

    def _closed(self, channel: str) -> str:
        """Return why nothing can be posted there, if it cannot."""
        if channel.startswith("C"):
            return {MEMBER_OF: "", OTHER_CHANNEL: "not_in_channel"}.get(channel, "channel_not_found")
        if self.settings["users"] is not None and channel not in self.settings["users"]:
            return "channel_not_found"
        return "" if self.settings["messages_tab"] else "messages_tab_disabled"

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
        if body["channel"] not in (MEMBER_OF, OTHER_CHANNEL):
            return {"error": "channel_not_found"}
        known = {"id": body["channel"], "name": "approvals", "is_member": body["channel"] == MEMBER_OF}
        return {"channel": known}

    def _conversations_history(self, body: dict) -> dict:
        found = [
            m for m in self.messages.values() if not m.get("thread_ts") and m["channel"] == body["channel"]
        ]
        kept = found[::-1][: self.settings["horizon"] or None]
        return self._page([m for m in kept if m["ts"] > str(body.get("oldest") or "")], body)

    def _conversations_replies(self, body: dict) -> dict:
        return self._page(
            [m for m in self.messages.values() if body["ts"] in (m["ts"], m.get("thread_ts"))], body
        )

    def _page(self, found: list[dict], body: dict) -> dict:
        """Return one page; without ``include_all_metadata`` no message says its metadata."""
        start = int(body.get("cursor") or 0)
        end = start + min(int(body.get("limit") or 100), int(self.settings["page"]))
        page = found[start:end]
        if not body.get("include_all_metadata"):
            page = [{k: v for k, v in m.items() if k != "metadata"} for m in page]
        more = end < len(found)
        return {
            "messages": page,
            "has_more": more,
            "response_metadata": {"next_cursor": str(end) if more else ""},
        }

    def _users_info(self, body: dict) -> dict:
        users = self.settings["users"]
        if users is not None and body["user"] not in users:
            return {"error": "user_not_found"}
        return {"user": {"id": body["user"], "deleted": False, "is_bot": False}}

    def _usergroups_users_list(self, body: dict) -> dict:
        members = self.settings.get("groups", {}).get(body["usergroup"])
        return {"error": "no_such_subteam"} if members is None else {"users": members}

    def _views_open(self, body: dict) -> dict:
        if body["trigger_id"] in self._triggers:
            return {"error": "exchanged_trigger_id"}
        self._triggers.add(body["trigger_id"])
        self.views.append(body["view"])
        return {"view": {"id": "V1"}}

    def _files_getUploadURLExternal(self, body: dict) -> dict:  # noqa: N802 - Slack's name
        name = f"F{next(self._file_numbers):04d}"
        self.files[name] = {"filename": body["filename"], "length": int(body["length"]), "complete": False}
        return {"file_id": name, "upload_url": f"{self.url}/upload/{name}"}

    def _files_completeUploadExternal(self, body: dict) -> dict:  # noqa: N802 - Slack's name
        for file in body["files"]:
            if self.files[file["id"]].get("received") != self.files[file["id"]]["length"]:
                return {"error": "file_not_found"}
            self.files[file["id"]]["complete"] = True
        return {"files": body["files"]}

    def _files_delete(self, body: dict) -> dict:
        return {} if self.files.pop(body["file"], None) else {"error": "file_not_found"}

    async def upload(self, request: web.Request) -> web.Response:
        content = await request.read()
        if self.settings["upload_status"] != 200:
            return web.Response(status=self.settings["upload_status"], text="not taken")
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
