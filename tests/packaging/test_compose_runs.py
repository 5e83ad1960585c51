"""docker-compose.yml without an engine: its own commands, settings and health checks, run on this host.

No image is built. Each service's command runs as a process with the environment that the file gives it,
read from a folder with only the secrets that the file grants it, against a Postgres server set up by the
file's own SQL. Paths and addresses of the network inside Compose are mapped to a temporary folder and to
free ports of loopback.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from sqlalchemy.engine import make_url

pytestmark = [pytest.mark.airflow, pytest.mark.postgres, pytest.mark.long]

_PATIENCE = 240.0
_STAY = [("api-server", 0), ("scheduler", 0), ("dag-processor", 0), ("triggerer", 0), ("triggerer", 1)]


def free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in held]
    for server in held:
        server.close()
    return ports


@dataclass
class Host:
    """This host in the place of Compose."""

    root: Path
    folder: Path
    compose: dict[str, Any]
    database: sa.URL
    web: int
    health: int
    logs: list[int]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def mapped(self, value: object, secrets: Path) -> str:
        """Return a value of the file with the addresses and paths that it means here."""
        text = str(value)
        for inside, here in {
            "/run/secrets": str(secrets),
            "/var/lib/belay": str(self.folder),
            "/opt/belay/capabilities": str(self.root / "include/capabilities"),
            "/opt/belay": str(self.root),
            "@postgres:5432": f"@{self.database.host}:{self.database.port}",
            "http://api-server:8080": f"http://127.0.0.1:{self.web}",
            "127.0.0.1:8080": f"127.0.0.1:{self.web}",
            "127.0.0.1:8974": f"127.0.0.1:{self.health}",
        }.items():
            text = text.replace(inside, here)
        return text

    def command(self, name: str, words: list[str], number: int = 0) -> tuple[list[str], dict[str, str]]:
        """Return a command of a service and its environment: the image's, then the service's."""
        service = self.compose["services"][name]
        granted = self.folder / "granted" / name
        granted.mkdir(parents=True, exist_ok=True)
        for secret in service["secrets"]:
            shutil.copy(self.folder / "secrets" / secret, granted)
        image = re.search(
            r"^ENV PATH=.*?(?=^WORKDIR)", (self.root / "Dockerfile").read_text(), re.MULTILINE | re.DOTALL
        )
        assert image
        fixed = dict(re.findall(r"^ +(\w+)=([^\s\\]+)", image[0], re.MULTILINE))
        environment = {k: self.mapped(v, granted) for k, v in (fixed | service["environment"]).items()}
        temporary = self.folder / f"tmp-{name}-{number}"
        temporary.mkdir(exist_ok=True)
        own = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": str(temporary),
            "TMPDIR": str(temporary),
            "AIRFLOW_HOME": str(temporary / "airflow"),
            # What the containers' own network addresses make unnecessary there.
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.web),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(self.health),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(self.logs[0]),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(self.logs[1 + number]),
        }
        return [self.mapped(word, granted) for word in words], environment | own

    def run(self, name: str, words: list[str], number: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command in a service's place and wait for its end."""
        command, environment = self.command(name, words, number)
        return subprocess.run(
            command, env=environment, cwd=self.folder / "home", check=False, capture_output=True, text=True
        )

    def start(self, name: str, number: int) -> None:
        """Start a service."""
        command, environment = self.command(name, self.compose["services"][name]["command"], number)
        with (self.folder / f"{name}-{number}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                env=environment,
                cwd=self.folder / "home",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append(process)

    def stop(self) -> None:
        """Stop every service, each with its children."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in self.processes:
                if process.poll() is None or number == signal.SIGKILL:
                    try:
                        os.killpg(process.pid, number)
                    except ProcessLookupError:
                        continue
            for process in self.processes:
                try:
                    process.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    continue

    def answers(self) -> bool:
        """Return whether the web server answers."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.web)) == 0

    def password(self) -> str:
        """Return the password that was made for the user admin."""
        made: dict[str, str] = json.loads((self.folder / "secrets/airflow_users").read_text())
        return made["admin"]

    def login(self, password: str) -> requests.Response:
        """Ask for a token as the user admin, once the web server answers."""
        until(self.answers, "the web server")
        user = {"username": "admin", "password": password}
        return requests.post(f"http://127.0.0.1:{self.web}/auth/token", json=user, timeout=30)

    def call(self, path: str, token: str) -> Any:
        """Ask the web server."""
        headers = {"Authorization": f"Bearer {token}"}
        return requests.get(f"http://127.0.0.1:{self.web}{path}", headers=headers, timeout=30).json()


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not in {_PATIENCE:.0f} s: {what}")
        time.sleep(0.5)


@pytest.fixture(scope="module")
def host(
    root: Path, compose: dict[str, Any], postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Host]:
    """Start what `docker compose up` starts, in its order."""
    folder = tmp_path_factory.mktemp("compose")
    for name in ("home", "logs", "auth", "secrets"):
        (folder / name).mkdir()
    made = folder / "checkout"
    made.mkdir()
    for needed in (
        root / "Makefile",
        root / "pyproject.toml",
        root / ".env.example",
        *root.glob("requirements*.txt"),
    ):
        shutil.copy(needed, made)
    subprocess.run(["make", "secrets"], cwd=made, check=True, capture_output=True)
    for name, source in compose["secrets"].items():
        shutil.copy(made / source["file"], folder / "secrets" / name)
    database = make_url(postgres_url)
    pgpass = folder / "secrets/pgpass"
    pgpass.write_text(pgpass.read_text().replace("postgres:5432:", f"{database.host}:{database.port}:"))

    web, health, *logs = free_ports(5)
    running = Host(root, folder, compose, database, web, health, logs)
    script = folder / "databases.sql"
    script.write_text(running.mapped(compose["configs"]["databases"]["content"], folder / "secrets"))
    psql = ["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--file={script}"]
    subprocess.run([*psql, f"--dbname={database.set(drivername='postgresql')}"], check=True)
    try:
        for attempt in ("first", "second"):  # a restart of the whole runs init again
            done = running.run("init", compose["services"]["init"]["command"])
            assert done.returncode == 0, f"{attempt} init: {done.stdout}{done.stderr}"
        for name, number in _STAY:
            running.start(name, number)
        yield running
    finally:
        running.stop()


@pytest.mark.parametrize(("name", "number"), _STAY)
def test_a_service_becomes_healthy_by_its_own_check(host: Host, name: str, number: int) -> None:
    kind, *check = host.compose["services"][name]["healthcheck"]["test"]
    assert kind == "CMD"
    until(lambda: host.run(name, check, number).returncode == 0, f"{name} healthy")


def test_postgres_check_is_one_that_postgres_passes(host: Host) -> None:
    _, check = host.compose["services"]["postgres"]["healthcheck"]["test"]
    here = {"PGHOST": str(host.database.host), "PGPORT": str(host.database.port), "PGUSER": "belay"}
    command = check.replace("--username=postgres", "")
    assert subprocess.run(command, shell=True, env=os.environ | here, check=False).returncode == 0


def test_the_login_is_the_one_of_the_secret(host: Host) -> None:
    password = host.password()
    assert host.login(password).status_code == 201
    assert host.login(password[::-1]).status_code == 401


def test_every_capability_has_its_dag(host: Host) -> None:
    (user, password), *_ = json.loads((host.folder / "secrets/airflow_users").read_text()).items()
    url = f"http://127.0.0.1:{host.web}/auth/token"
    token = requests.post(url, json={"username": user, "password": password}, timeout=30).json()[
        "access_token"
    ]
    files = (host.root / "include/capabilities").glob("[!_]*.yaml")
    wanted = {f"rollout__{file.stem}" for file in files}
    assert wanted

    def dags() -> set[str]:
        return {dag["dag_id"] for dag in host.call("/api/v2/dags?limit=500", token)["dags"]}

    until(lambda: wanted <= dags(), f"{sorted(wanted)} in Airflow")
    assert host.call("/api/v2/importErrors", token)["import_errors"] == []


def test_the_ledger_is_a_database_that_airflow_cannot_open(host: Host) -> None:
    said = host.run("scheduler", ["belay", "ledger", "verify"])
    assert said.returncode == 0, said.stdout + said.stderr
    password = (host.folder / "secrets/airflow_db_password").read_text()
    intruder = host.database.set(username="airflow", password=password, database="ledger")
    with pytest.raises(sa.exc.OperationalError, match="permission denied"):
        sa.create_engine(intruder).connect()


def test_no_password_reaches_a_log(host: Host) -> None:
    passwords = [(host.folder / "secrets" / name).read_text() for name in host.compose["secrets"]]
    for log in host.folder.glob("*.log"):
        text = log.read_text()
        assert not [1 for password in passwords if password in text], log.name
