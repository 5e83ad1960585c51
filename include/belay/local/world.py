"""The embedded world of one home folder: an Airflow and a storefront of one's own, in the background."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from belay.local.airflow import LocalAirflow, free_port
from belay.local.background import Background

if TYPE_CHECKING:
    from belay.services import Services

USERS = {"admin": "admin", "nora": "user", "omar": "user", "priya": "user", "ruth": "user"} | dict.fromkeys(
    ("copywriter", "ranker", "retainer"), "viewer"
)
"""Who can log in: an administrator, the people of the packaged roster who answer, and its agents, who see."""

_MARK = "demo.json"
_PORT = 8080
_WALL_SECONDS = 120.0


class StorefrontNotRunningError(Exception):
    """The simulated shop did not start; the message says what it printed last."""


@dataclass(frozen=True)
class LocalWorld:
    """Everything embedded, under ``home``."""

    home: Path

    @classmethod
    def from_env(cls) -> LocalWorld:
        """Return the world of ``BELAY_HOME``."""
        from belay.settings import Settings

        return cls(Settings.from_env().home)

    def environment(self) -> dict[str, str]:
        """Return an environment in which every part is the embedded one, whatever this process was told."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BELAY_")}
        data = {name: value for name, value in os.environ.items() if name in ("BELAY_DATA", "BELAY_DEBUG")}
        return {
            **kept,
            **data,
            "BELAY_HOME": str(self.home),
            "BELAY_APPROVAL_RECHECK_SECONDS": "30",
            # The shop asks the flags once an hour of its own time.
            "BELAY_FLAG_SETTLE_SECONDS": "7200",
        }

    @cached_property
    def belay(self) -> Services:
        """Belay's parts in this world."""
        from belay.services import Services
        from belay.settings import Settings

        return Services(Settings.from_env(self.environment()))

    @cached_property
    def airflow(self) -> LocalAirflow:
        """The Airflow of this world; the port is kept from one start to the next where it is free."""
        path = self.home / "airflow" / "port"
        known = int(path.read_text()) if path.exists() else _PORT
        own = {name: value for name, value in self.environment().items() if name.startswith("BELAY_")}
        found = LocalAirflow(self.home / "airflow", known, USERS, own)
        if not found.running() and not _is_free(known):
            found = replace(found, port=free_port())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(found.port))
        return found

    @property
    def shop(self) -> Background:
        """The storefront's process."""
        return Background(self.home / "storefront.pid", self.home / "storefront.log")

    def login(self, user: str) -> dict[str, str]:
        """Return the environment in which the command line acts as an Airflow user of this world."""
        password = self.airflow.passwords()[user]
        more = {
            "BELAY_AIRFLOW_URL": self.airflow.url,
            "BELAY_AIRFLOW_USER": user,
            "BELAY_AIRFLOW_PASSWORD": password,
        }
        return self.environment() | more

    def begin_anew(self) -> str:
        """Make the home empty for a demo; return what became of what was there.

        What an earlier demo left is deleted. A home that is not a demo's is moved aside: nothing of it is
        lost.
        """
        told = ""
        self.stop()
        if (self.home / _MARK).exists():
            shutil.rmtree(self.home)
            told = "the earlier demo's home is replaced"
        elif self.home.exists() and any(self.home.iterdir()):
            aside = self.home.with_name(f"{self.home.name}.kept-{datetime.now(UTC):%Y%m%dT%H%M%S}")
            self.home.rename(aside)
            told = f"what was in {self.home.name} is kept in {aside}"
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / _MARK).write_text(json.dumps({"begun": datetime.now(UTC).isoformat()}))
        return told

    def open_shop(self, seconds_per_hour: float) -> None:
        """Start the storefront, or start it anew at another pace; return when its data can be read."""
        self.shop.stop(first=signal.SIGTERM)
        pace = ["--seconds-per-hour", f"{seconds_per_hour:g}"]
        process = self.shop.start(
            [sys.executable, "-m", "belay.cli", "storefront", "run", *pace], self.environment()
        )
        deadline = time.monotonic() + _WALL_SECONDS
        while not (self.home / "clock.json").exists():
            if process.poll() is not None or time.monotonic() > deadline:
                self.shop.stop(first=signal.SIGTERM)
                raise StorefrontNotRunningError(
                    f"the storefront did not start; it says:\n{self.shop.last_lines()}"
                )
            time.sleep(0.1)

    def start(self, seconds_per_hour: float, progress: Callable[[str], None]) -> None:
        """Start what does not run: the storefront, then Airflow; return when both answer."""
        from belay.local.policies import lay_out
        from belay.settings import PACKAGED_POLICIES

        self.home.mkdir(parents=True, exist_ok=True)
        lay_out(PACKAGED_POLICIES, self.home / "capabilities")
        if not self.shop.processes():
            progress("the storefront writes its first days")
            self.open_shop(seconds_per_hour)
        if not self.airflow.running():
            self.airflow.start(progress)

    def stop(self) -> list[str]:
        """Stop both, make sure that no process is left, and return what was running."""
        stopped = []
        airflow = LocalAirflow(self.home / "airflow", _PORT, {})
        if airflow.running():
            airflow.stop()
            stopped.append("Airflow")
        if self.shop.stop(first=signal.SIGTERM):
            stopped.append("storefront")
        return stopped


def own_airflow(home: Path) -> LocalAirflow | None:
    """Return the Airflow that was last started in ``home``, running or not; None where none ever was."""
    try:
        port = int((home / "airflow" / "port").read_text())
    except (OSError, ValueError):
        return None
    return LocalAirflow(home / "airflow", port, {})


def _is_free(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
