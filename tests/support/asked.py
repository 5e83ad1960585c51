"""One request as Slack shows it: its message, and a person's click, modal and reason."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from typing import Any

from tests.support.slack import Slack
from tests.support.world import World

from belay.domain.request_state import RequestState
from belay.local.background import Background
from belay.slack.message import APPROVE


class Desk:
    """`belay slack serve` as a process that can be killed and started again."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._process = Background(world.home / "slack.pid", world.home / "slack.log")

    def start(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BELAY_")}
        command = [sys.executable, "-m", "belay.cli", "slack", "serve"]
        self._process.start(command, {**kept, **self._world.environment})

    def kill(self) -> None:
        for pid in self._process.processes():
            os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        self._process.stop()


class Asked:
    """The request that an optimization's step waits for, and the message that asks it."""

    def __init__(self, world: World, slack: Slack, optimization: str) -> None:
        self._world, self._slack, self._optimization = world, slack, optimization
        self._name: str | None = None

    def request(self) -> RequestState | None:
        """Return the first request that was seen, also when the next step is under way already."""
        known = self._world.optimization(self._optimization)
        self._name = self._name or (known.step.request if known and known.step else None)
        return self._world.belay.ledger.state().requests[self._name] if self._name else None

    def messages(self) -> list[dict[str, Any]]:
        asked = self.request()
        if asked is None:
            return []
        return [m for m in self._slack.posted() if m["metadata"]["event_payload"]["name"] == asked.id]

    def message(self) -> dict[str, Any] | None:
        return next(iter(self.messages()), None)

    def shows(self, text: str) -> dict[str, Any] | None:
        """Return the message once ``text`` stands in it."""
        message = self.message()
        return message if text in str(message) else None

    def approve(self, person: str, reason: str) -> list[dict[str, Any]]:
        """Click Approve, wait for the modal, submit; return how both were acknowledged."""
        message = self.message()
        assert message is not None
        before = len(self._slack.state()["views"])
        clicked = self._slack.click(person, APPROVE, message["ts"])
        self._world.until("the modal is open", lambda: len(self._slack.state()["views"]) > before)
        submitted = self._slack.submit(person, reason)
        return [
            self._world.until("acknowledged", partial(self._slack.acknowledged, name))
            for name in (clicked, submitted)
        ]
