"""A running Airflow with a storefront on free ports of loopback, and how the end-to-end tests ask it."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from tests.support.slack import Slack

from belay.domain.actors import human
from belay.flags.flagd import FlagdFile
from belay.local.airflow import LocalAirflow, free_port
from belay.local.background import Background
from belay.local.policies import hasten
from belay.orchestration.client import AirflowClient
from belay.oversight.active_policy import adopt_policy
from belay.services import Services
from belay.settings import Settings

USERS = {
    "admin": "admin",
    "nora": "user",
    "omar": "user",
    "priya": "user",
    "timo": "user",
    "viola": "viewer",
    "copywriter": "user",
    "ranker": "user",
    "retainer": "user",
}
"""Who logs in, with a role of Airflow. These agents trigger runs; at the API an agent may only see DAGs."""


@dataclass
class World:
    """Everything that runs, and how to ask it."""

    home: Path
    airflow: LocalAirflow
    belay: Services
    slack: Slack | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def client(self, user: str = "admin") -> AirflowClient:
        return AirflowClient(self.airflow.url, user, self.airflow.passwords()[user])

    def token(self, user: str) -> str:
        credentials = {"username": user, "password": self.airflow.passwords()[user]}
        answer = self._send("POST", "/auth/token", credentials, {})
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def call(self, user: str | None, method: str, path: str, body: Any = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token(user)}"} if user else {}
        return self._send(method, path, body, headers)

    def _send(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> requests.Response:
        """Ask; ask again where Airflow's web server stumbled over its SQLite (docs/airflow.md).

        An error that stays is returned after the last try, and fails who asked.
        """
        url = f"{self.airflow.url}{path}"
        for pause in (1.0, 2.0, 4.0):
            answer = requests.request(method, url, json=body, headers=headers, timeout=60)
            if answer.status_code < requests.codes.internal_server_error:
                return answer
            time.sleep(pause)
        return requests.request(method, url, json=body, headers=headers, timeout=60)

    def trigger(self, dag: str, body: Any) -> None:
        """Trigger a run that has a name; a run that is there already is as good.

        Who brings a proposal is its agent, and else admin, who is nobody of the roster.
        """
        user = (body.get("conf") or {}).get("agent", "admin")
        answer = self.call(user, "POST", f"/api/v2/dags/{dag}/dagRuns", body)
        assert answer.ok or answer.status_code == requests.codes.conflict, answer.text

    def optimization(self, name: str) -> Any:
        return self.belay.ledger.state().optimizations.get(name)

    def served(self, name: str) -> int:
        flag = FlagdFile(self.home / "flags" / "flags.flagd.json").read(name)
        return flag.scope if flag else 0

    def veto(self, name: str) -> None:
        """Take an optimization down over HTTP, as nora, whatever Airflow's scheduler does."""
        answer = self.call("nora", "POST", f"/belay/api/vetoes/{name}", {"reason": "customers complain"})
        assert answer.ok, answer.text

    def until(
        self, what: str, condition: Callable[[], Any], patience: float = 420.0, *, every: float = 0.3
    ) -> Any:
        """Wait until ``condition`` holds, asking every so many seconds, and return what it returned."""
        deadline = time.monotonic() + patience
        while not (found := condition()):
            if time.monotonic() > deadline:
                tail = "\n".join(self.airflow.log.read_text(errors="replace").splitlines()[-30:])
                state = {
                    o.id: (o.status, o.scope, o.step)
                    for o in self.belay.ledger.state().optimizations.values()
                }
                pytest.fail(
                    f"{what}: not within {patience:.0f} s; the ledger says {state}; Airflow says\n{tail}"
                )
            time.sleep(every)
        return found

    def pid_of(self, component: str) -> int:
        """Return the process that the supervisor started for ``component``."""
        started = [
            line
            for line in self.airflow.log.read_text(errors="replace").splitlines()
            if f"{component} is process" in line
        ]
        return int(started[-1].rsplit(" ", 1)[1])

    def kill(self, component: str) -> int:
        """Kill a component as the kernel would; return its process id."""
        pid = self.pid_of(component)
        os.kill(pid, signal.SIGKILL)
        return pid


def policies_in(home: Path) -> Path:
    """Copy the shipped capabilities, and those of the end-to-end tests, to a folder of ``home``."""
    tests = Path(__file__).parents[1]
    folder = shutil.copytree(tests.parent / "include" / "capabilities", home / "capabilities")
    hasten(folder)
    shutil.copytree(tests / "e2e" / "capabilities", folder, dirs_exist_ok=True)
    file = folder / "_defaults.yaml"
    defaults = yaml.safe_load(file.read_text())
    # A day of this shop is 12 seconds: the harm of one test would spend a week's budget, and freeze all.
    defaults["guard"]["harm_per_week"] = 1_000
    # Nor would what a test writes into the ledger alone stay, for which no data come.
    defaults["limits"]["blindness"] = "365d"
    file.write_text(yaml.safe_dump(defaults))
    return folder


@contextmanager
def running(
    home: Path,
    *,
    command: Sequence[str] = (),
    slack: Slack | None = None,
    with_shop: bool = True,
    users: Mapping[str, str] | None = None,
    **environment: str,
) -> Iterator[World]:
    """Start a storefront and an Airflow in ``home``; stop both by their own processes.

    With ``slack``, the people of ``BELAY_POLICIES`` answer there as well: over HTTP to the plugin's route, or
    to `belay slack serve`. Without ``with_shop`` a test runs a shop of its own there. ``users``, each with a
    role of Airflow, log in besides the usual ones.
    """
    environment = {
        "BELAY_HOME": str(home),
        "BELAY_APPROVAL_RECHECK_SECONDS": "30",
        "BELAY_FLAG_SETTLE_SECONDS": "7200",
        # Tests start runs themselves, when they want them.
        "BELAY_INTAKE_SECONDS": "86400",
        **environment,
    }
    airflow = LocalAirflow(home / "airflow", free_port(), USERS | dict(users or {}), environment)
    if slack is not None:
        environment |= _with_slack(airflow, slack, Path(environment["BELAY_POLICIES"]))
    if command:
        airflow = replace(airflow, command=command)
    shop = Background(home / "storefront.pid", home / "storefront.log")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BELAY_")}
    pace = ["--scenario", str(Path(__file__).parents[1] / "e2e" / "shop.yaml"), "--seconds-per-hour", "0.5"]
    world = {name: value for name, value in environment.items() if name != "BELAY_FLAGS"}  # it reads the file
    if with_shop:
        shop.start([sys.executable, "-m", "belay.cli", "storefront", "run", *pace], {**kept, **world})
    started = World(home, airflow, Services(Settings.from_env(environment)), slack, environment)
    _adopt(started.belay)
    try:
        airflow.start()
        started.until("the storefront wrote its first days", (home / "clock.json").exists)
        yield started
    finally:
        airflow.stop()
        shop.stop(first=signal.SIGTERM)
        assert not airflow.running()
        assert not shop.processes()


def _adopt(belay: Services) -> None:
    """Bring every policy into force as a person: where some share a surface, none comes by itself."""
    for policy in belay.policies().capabilities.values():
        adopt_policy(belay, policy, human("carla"), "as these tests need it")
    belay.ledger.close()


SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


def slack_id(person: str) -> str:
    """Return the Slack id of a person of the roster."""
    return f"U{person.upper():0<9}"


def _with_slack(airflow: LocalAirflow, slack: Slack, policies: Path) -> dict[str, str]:
    """Give everybody of the roster a Slack id, and return the settings of Slack."""
    file = policies / "_people.yaml"
    roster = yaml.safe_load(file.read_text())
    for name, person in roster["people"].items():
        person["slack"] = slack_id(name)
    file.write_text(yaml.safe_dump(roster))
    return {
        "BELAY_PAGES_URL": f"{airflow.url}/belay",
        "BELAY_AIRFLOW_URL": airflow.url,
        "BELAY_AIRFLOW_USER": "admin",
        "BELAY_AIRFLOW_PASSWORD": airflow.passwords()["admin"],
        "BELAY_SLACK_CHANNEL": "C1",
        "SLACK_API_URL": slack.url,
        "SLACK_BOT_TOKEN": "xoxb-test",
        "SLACK_APP_TOKEN": "xapp-test",
        "SLACK_SIGNING_SECRET": SECRET,
    }
