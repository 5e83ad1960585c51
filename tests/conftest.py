"""What every room's tests may ask for."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url
from tests.support import profiles
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

_PATIENCE = 30.0

profiles.register()


class Lanes(LoadScopeScheduling):
    """Two lanes for what starts an Airflow or a browser: who shares the fixture ``world``, and the rest."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "world" if file.startswith("tests/e2e/") and "standalone" not in file else "beside"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
    """Take the lanes where `--dist loadscope` asks for scopes."""
    return Lanes(config, log) if config.getvalue("dist") == "loadscope" else None


def _postgres_bin() -> Path | None:
    """Return the folder of the newest PostgreSQL server binaries, or None."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3]))
    on_path = shutil.which("postgres")
    return installed[-1].parent if installed else Path(on_path).parent if on_path else None


def has_postgres() -> bool:
    """Whether ``postgres_url`` can be asked for without skipping (in CI it fails instead)."""
    return _postgres_bin() is not None or bool(os.environ.get("CI"))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Start a real PostgreSQL server on a free port of loopback; yield the URL of its database."""
    binaries = _postgres_bin()
    if binaries is None:
        reason = "no PostgreSQL server binary: install postgresql"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="belay-postgres-"))
    as_user = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
    if as_user:
        shutil.chown(folder, as_user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    initdb = [
        str(binaries / "initdb"),
        "-D",
        str(folder / "data"),
        "-U",
        "belay",
        "-A",
        "trust",
        "-E",
        "UTF8",
    ]
    subprocess.run([*initdb, "--no-sync"], check=True, capture_output=True, user=as_user, cwd=folder)
    settings = ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "timezone=UTC"]
    server = subprocess.Popen(
        [
            str(binaries / "postgres"),
            "-D",
            str(folder / "data"),
            "-p",
            str(port),
            "-k",
            str(folder),
            *settings,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user=as_user,
        cwd=folder,
    )
    try:
        ready = [str(binaries / "pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-U", "belay"]
        deadline = time.monotonic() + _PATIENCE
        while subprocess.run(ready, check=False, capture_output=True).returncode != 0:
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail("PostgreSQL did not start")
            time.sleep(0.05)
        yield f"postgresql+psycopg://belay@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)  # its fast shutdown: it does not wait for clients to leave
        server.wait(timeout=_PATIENCE)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_database(postgres_url: str) -> str:
    """Make an empty database of its own on the PostgreSQL server, and return its URL."""
    name = f"ledger_{uuid4().hex}"
    with sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    return make_url(postgres_url).set(database=name).render_as_string(hide_password=False)
