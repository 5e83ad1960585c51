"""The Makefile and .ci/run: what a newcomer types, and what CI does."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

TARGETS = {
    "demo",
    "up",
    "down",
    "test",
    "long",
    "check",
    "house",
    "venv",
    "lock",
    "mutate",
    "nightly",
    "secrets",
    "clean",
}
LOCKS = ("requirements.txt", "requirements-dev.txt", "requirements-demo.txt")


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make as somebody at a prompt would, without what a make that runs this test hands down."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    env["LC_ALL"] = "C"
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=folder, env=env, check=False, capture_output=True, text=True)


@pytest.fixture
def elsewhere(root: Path, tmp_path: Path) -> Path:
    """A checkout of the files make needs, in a folder whose name has spaces."""
    folder = tmp_path / "a folder, with spaces"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", ".env.example", *LOCKS):
        shutil.copy(root / name, folder)
    return folder


def test_make_alone_lists_every_target_in_a_line(elsewhere: Path) -> None:
    listed = make(elsewhere)
    assert listed.returncode == 0
    lines = dict(re.findall(r"^  make (\w+) +(\S.*)$", listed.stdout, re.MULTILINE))
    assert set(lines) == TARGETS | {"help"}
    assert len(listed.stdout.splitlines()) == len(lines)


def test_every_target_is_listed(root: Path) -> None:
    text = (root / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony
    assert set(phony[1].split()) == TARGETS | {"help"}


def test_ask_reaches_the_demo(elsewhere: Path) -> None:
    assert "belay demo --ask" in make(elsewhere, "-n", "demo", "ASK=1").stdout
    assert "--ask" not in make(elsewhere, "-n", "demo").stdout.replace("ASK", "")


def test_a_wrong_python_is_named(elsewhere: Path) -> None:
    refused = make(elsewhere, "venv", "PYTHON=/nowhere/python9")
    assert refused.returncode != 0
    assert "no Python 3.11, 3.12 or 3.13 at PYTHON=/nowhere/python9" in refused.stderr
    assert not (elsewhere / ".venv").exists()


def test_nothing_to_stop_is_no_error(elsewhere: Path) -> None:
    stopped = make(elsewhere, "down")
    assert stopped.returncode == 0
    assert "nothing to stop" in stopped.stdout


def test_a_changed_lock_is_noticed_and_an_unchanged_one_is_not(elsewhere: Path) -> None:
    stamp = re.compile(r'touch "(\.venv/\.installed-\d+)"')
    before = stamp.search(make(elsewhere, "-n", "venv").stdout)
    assert before
    (elsewhere / ".venv").mkdir()
    (elsewhere / before[1]).touch()
    assert not stamp.search(make(elsewhere, "-n", "venv").stdout)
    lock = elsewhere / "requirements-demo.txt"
    lock.write_text(lock.read_text() + "# changed\n")
    after = stamp.search(make(elsewhere, "-n", "venv").stdout)
    assert after
    assert after[1] != before[1]


def test_installation_asks_for_hashes_and_writes_nowhere_else(elsewhere: Path) -> None:
    recipe = make(elsewhere, "-n", "venv").stdout
    installs = [
        line for line in recipe.splitlines() if re.search(r"pip (sync|install)", line) and "lock" in line
    ]
    assert installs
    for line in recipe.splitlines():
        if re.search(r"pip (sync|install) ", line):
            assert "--require-hashes" in line or "--no-deps --no-build-isolation -e ." in line
            assert ".venv/bin/python" in line
    assert not re.search(r"sudo|--user|--break-system-packages", recipe)


def test_secrets_are_made_once_for_their_owner_alone(elsewhere: Path, compose: dict[str, Any]) -> None:
    first = make(elsewhere, "secrets")
    assert first.returncode == 0, first.stderr
    files = {elsewhere / source["file"] for source in compose["secrets"].values()}
    for file in files:
        assert file.stat().st_mode & 0o777 == 0o600, file.name
        assert len(file.read_text()) >= 40, file.name
        assert file.read_text() not in first.stdout
    assert {path.name for path in (elsewhere / "secrets").iterdir()} == {path.name for path in files}
    assert len({file.read_text() for file in files}) == len(files)

    uid = int(re.findall(r"^BELAY_UID=(\d+)$", (elsewhere / ".env").read_text(), re.MULTILINE)[0])
    assert uid > 0
    assert {file.stat().st_uid for file in files} == {uid}

    before = {file.name: file.read_text() for file in files}
    assert make(elsewhere, "secrets").returncode == 0
    assert {file.name: file.read_text() for file in files} == before


def test_secrets_fit_each_other(elsewhere: Path) -> None:
    make(elsewhere, "secrets")
    secrets = elsewhere / "secrets"
    for line in (secrets / "pgpass").read_text().splitlines():
        host, port, database, role, password = line.split(":")
        assert (host, port) == ("postgres", "5432")
        assert database == role
        assert password == (secrets / f"{role}_db_password").read_text()
    assert set(json.loads((secrets / "airflow_users.json").read_text())) == {"admin"}
    from cryptography.fernet import Fernet

    key = Fernet((secrets / "fernet_key").read_text())
    assert key.decrypt(key.encrypt(b"a connection")) == b"a connection"


def test_ci_is_a_script_that_parses_and_may_be_run(root: Path) -> None:
    script = root / ".ci/run"
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    text = script.read_text()
    assert "set -euo pipefail" in text
    said = re.findall(r"^make (\w+)", text, re.MULTILINE)
    assert said == ["venv", "check", "test", "long"]
