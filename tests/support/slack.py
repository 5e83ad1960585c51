"""People in Slack, as the tests move them: clicking, submitting, typing, looking at the channel."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import requests

_ROOT = Path(__file__).resolve().parents[2]


class Slack:
    """The Slack-compatible server, running as a process of its own."""

    def __init__(self, **environment: str) -> None:
        import os

        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.slack_server"],
            cwd=_ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.address = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        self._session = requests.Session()

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait(20)

    @property
    def url(self) -> str:
        """Address of the Web API."""
        return f"{self.address}/api/"

    def set(self, **settings: Any) -> None:
        """Change how it behaves; what there is to change: `SlackServer.settings`."""
        self._session.post(f"{self.address}/control/set", json=settings, timeout=10).raise_for_status()

    def state(self) -> dict[str, Any]:
        """Return everything that it remembers."""
        found: dict[str, Any] = self._session.get(f"{self.address}/control/state", timeout=10).json()
        return found

    def posted(self) -> list[dict[str, Any]]:
        """Return the channel's messages, oldest first, without threads and direct messages."""
        messages = self.state()["messages"].values()
        return [
            m
            for m in messages
            if not m.get("thread_ts") and m["channel"].startswith("C") and m.get("user") != "UOTHER"
        ]

    def thread(self, ts: str) -> list[str]:
        """Return the lines of a message's thread."""
        return [m["text"] for m in self.state()["messages"].values() if m.get("thread_ts") == ts]

    def told(self) -> list[str]:
        """Return what was said to single people: ephemeral answers and direct messages."""
        state = self.state()
        direct = [m["text"] for m in state["messages"].values() if m["channel"].startswith("U")]
        return [whisper.get("text", "") for whisper in state["whispers"]] + direct

    def acknowledged(self, envelope: str) -> dict[str, Any] | None:
        """Return how an interaction was acknowledged, or None while it was not."""
        return next((a for a in self.state()["acknowledged"] if a["envelope"] == envelope), None)

    def chatter(self, count: int) -> None:
        """Let other people write so many messages into the channel."""
        answer = self._session.post(f"{self.address}/control/chatter", json={"count": count}, timeout=30)
        answer.raise_for_status()

    def count(self, method: str) -> int:
        """Return how often a method was called."""
        return int(self.state()["counts"].get(method, 0))

    def acknowledgements(self, envelope: str) -> list[dict[str, Any]]:
        """Return how each copy of an interaction was acknowledged."""
        return [a for a in self.state()["acknowledged"] if a["envelope"] == envelope]

    # -- what people do -----------------------------------------------------------------------------

    def click(self, user: str, action_id: str, ts: str, *, copies: int = 1) -> str:
        """Press a button of a message; return the interaction's name."""
        return self.send("interactive", self.a_click(user, action_id, ts), copies=copies)

    def submit(
        self, user: str, reason: str, *, quick: int | None = None, view: int = -1, copies: int = 1
    ) -> str:
        """Submit the modal that was opened last; ``quick`` is the number of the reason that is chosen."""
        payload = self.a_submission(user, reason, quick=quick, view=view)
        return self.send("interactive", payload, copies=copies)

    def command(self, user: str, text: str) -> str:
        """Type ``/belay text``."""
        payload = {
            "command": "/belay",
            "text": text,
            "user_id": user,
            "channel_id": "C1",
            "team_id": "T1",
            "api_app_id": "A1",
            "trigger_id": uuid.uuid4().hex,
        }
        return self.send("slash_commands", payload)

    def a_click(self, user: str, action_id: str, ts: str) -> dict[str, Any]:
        """Return the payload of a click."""
        message = self.state()["messages"][ts]
        action = next(
            {**element, "block_id": block.get("block_id", "b")}
            for block in message["blocks"]
            for element in block.get("elements", ())
            if element.get("action_id") == action_id
        )
        return {
            "type": "block_actions",
            "user": {"id": user},
            "team": {"id": "T1"},
            "api_app_id": "A1",
            "trigger_id": uuid.uuid4().hex,
            "container": {"message_ts": ts, "channel_id": message["channel"]},
            "channel": {"id": message["channel"]},
            "message": message,
            "actions": [{**action, "action_ts": "1"}],
        }

    def a_submission(
        self, user: str, reason: str, *, quick: int | None = None, view: int = -1
    ) -> dict[str, Any]:
        """Return the payload of a submitted modal."""
        opened = self.state()["views"][view]
        written = {"type": "plain_text_input", "value": reason or None}
        values: dict[str, Any] = {"belay_reason_block": {"belay_reason_input": written}}
        if quick is not None:
            asked = next(block for block in opened["blocks"] if block.get("block_id") == "belay_quick_block")
            chosen = {"type": "radio_buttons", "selected_option": asked["element"]["options"][quick]}
            values["belay_quick_block"] = {"belay_quick_reason": chosen}
        return {
            "type": "view_submission",
            "trigger_id": uuid.uuid4().hex,
            "user": {"id": user},
            "team": {"id": "T1"},
            "api_app_id": "A1",
            "view": {**opened, "id": "V1", "state": {"values": values}},
        }

    def send(self, kind: str, payload: dict[str, Any], *, copies: int = 1) -> str:
        """Send an interaction, to a socket or to the events address; return its name."""
        body = {"kind": kind, "payload": payload, "copies": copies}
        answer = self._session.post(f"{self.address}/control/send", json=body, timeout=30)
        answer.raise_for_status()
        return str(answer.json()["envelope"])

    def until(self, what: str, condition: Any, patience: float = 20.0) -> Any:
        """Wait until ``condition`` holds, and return what it returned."""
        deadline = time.monotonic() + patience
        while not (found := condition()):
            if time.monotonic() > deadline:
                state = self.state()
                raise AssertionError(
                    f"{what}: not in {patience:.0f} s; {state['calls'][-10:]}, {self.told()}"
                )
            time.sleep(0.03)
        return found
