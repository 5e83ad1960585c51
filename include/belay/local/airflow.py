"""An Airflow of one's own on loopback, with Belay's DAGs, plugin and people.

For the demo and the tests. Production runs Airflow's components by themselves (see docs/deployment.md).
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from belay.local.background import Background
from belay.orchestration.client import AirflowClient, AirflowRefusedError, AirflowUnavailableError

_CHECKOUT = Path(__file__).resolve().parents[3]
_START_SECONDS = 300.0
_STOP_SECONDS = 20.0


class AirflowNotRunningError(Exception):
    """Airflow did not start; the message says why and where its log is."""


@dataclass(frozen=True)
class LocalAirflow:
    """One Airflow in a folder of its own: all components, SQLite, LocalExecutor.

    Attributes
    ----------
    home : Path
        Its folder: metadata database, logs, passwords, pid file.
    port : int
        Port on 127.0.0.1.
    users : Mapping[str, str]
        User name to Airflow role (``admin``, ``op``, ``user``, ``viewer``).
    environment : Mapping[str, str]
        What the tasks and the plugin find in their environment besides.
    command : Sequence[str]
        What runs the components; by default our supervisor, which starts again what dies.
    """

    home: Path
    port: int
    users: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)
    command: Sequence[str] = (sys.executable, "-m", "belay.local.supervisor")

    @property
    def url(self) -> str:
        """Address of its web server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """Everything its components print."""
        return self.home / "airflow.log"

    @property
    def pid_file(self) -> Path:
        """Names its session while it runs."""
        return self.home / "airflow.pid"

    def passwords(self) -> dict[str, str]:
        """Return the users' passwords; they are made up at the first start and readable by the owner only."""
        path = self.home / "passwords.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        missing = set(self.users) - set(known)
        if missing:
            known |= {user: secrets.token_urlsafe(9) for user in sorted(missing)}
            self.home.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(json.dumps(known))
        return {user: known[user] for user in self.users}

    def environ(self) -> dict[str, str]:
        """Return the whole environment of its processes."""
        binaries = str(Path(sys.executable).parent)
        return {
            **{k: v for k, v in os.environ.items() if not k.startswith("AIRFLOW__")},
            "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}",
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(_CHECKOUT / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(_CHECKOUT / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            # A writer waits for its turn on SQLite, by default five seconds. Not for longer than this: two
            # requests can wait for each other in Airflow's web server (docs/airflow.md).
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home / 'airflow.db'}?timeout=20",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{u}:{r}" for u, r in self.users.items()),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.home / "passwords.json"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "2",
            "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "15",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "GX_ANALYTICS_ENABLED": "false",
            "BELAY_AIRFLOW_URL": self.url,
            **self.environment,
        }

    def start(self, progress: Callable[[str], None] = lambda _: None) -> None:
        """Start it and wait until every component is healthy and the DAGs are there.

        Raises
        ------
        AirflowNotRunningError
            When one runs here already, or it is not healthy in time.
        """
        if self.running():
            raise AirflowNotRunningError(f"an Airflow is running in {self.home} already: stop it first")
        self.home.mkdir(parents=True, exist_ok=True)
        self.passwords()
        process = self._background.start(self.command, self.environ())
        deadline = time.monotonic() + _START_SECONDS
        while not self.healthy():
            if process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AirflowNotRunningError(
                    f"Airflow did not start; the end of {self.log}:\n{self._background.last_lines()}"
                )
            progress("waiting for Airflow")
            time.sleep(0.5)

    def healthy(self) -> bool:
        """Return whether the database, scheduler, triggerer and DAG processor say that they are well."""
        try:
            health = AirflowClient(self.url, seconds=5, tries=1).health()
        except (AirflowUnavailableError, AirflowRefusedError):
            return False
        return all(
            health.get(part) == "healthy"
            for part in ("metadatabase", "scheduler", "triggerer", "dag_processor")
        )

    def running(self) -> bool:
        """Return whether any of its processes is alive."""
        return bool(self._background.processes())

    def stop(self) -> None:
        """Stop every process of it, and make sure that none is left.

        Raises
        ------
        StillRunningError
            When a process survives even SIGKILL.
        """
        self._background.stop(patience=_STOP_SECONDS)

    @property
    def _background(self) -> Background:
        return Background(self.pid_file, self.log)


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
