"""The Dockerfile: linted, unprivileged, and nothing in the image that runs but what runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

HADOLINT = Path(sys.executable).with_name("hadolint")


def lint(path: Path) -> subprocess.CompletedProcess[str]:
    """Run hadolint; its exit code is not 0 for anything it would remark on."""
    command = [str(HADOLINT), "--no-color", "--failure-threshold", "style", str(path)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.fixture(scope="module")
def stages(root: Path) -> list[list[tuple[str, str]]]:
    """Each stage's instructions, in order; the ARGs before the first FROM are left out."""
    text = (root / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    found: list[list[tuple[str, str]]] = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        instruction, _, rest = line.strip().partition(" ")
        if instruction == "FROM":
            found.append([])
        if found:
            found[-1].append((instruction, " ".join(rest.split())))
    return found


def test_hadolint_has_no_remark(root: Path) -> None:
    result = lint(root / "Dockerfile")
    assert result.returncode == 0, result.stdout + result.stderr


def test_hadolint_would_notice(tmp_path: Path) -> None:
    careless = tmp_path / "Dockerfile"
    careless.write_text("FROM python:latest\nRUN sudo apt-get install gcc\nUSER root\n")
    assert lint(careless).returncode != 0


def test_ends_as_an_unprivileged_user(stages: list[list[tuple[str, str]]]) -> None:
    users = [rest for instruction, rest in stages[-1] if instruction == "USER"]
    assert users
    assert re.fullmatch(r"[1-9]\d*:0", users[-1]), "a number, so that a platform can tell it is not root"


def test_installs_the_lock_by_its_hashes_from_wheels(stages: list[list[tuple[str, str]]]) -> None:
    installs = [rest for stage in stages for kind, rest in stage if kind == "RUN" and "pip install" in rest]
    assert len(installs) == 2
    assert {"--require-hashes", "--no-deps", "--only-binary"} <= set(installs[0].split())
    assert "--no-build-isolation" in installs[1], "a build environment of its own would not be locked"


def test_the_image_that_runs_has_no_compiler_and_no_pip(stages: list[list[tuple[str, str]]]) -> None:
    assert len(stages) == 2
    commands = " ".join(rest for kind, rest in stages[-1] if kind == "RUN")
    assert "pip uninstall" in commands
    assert not re.search(r"apt-get|apk |gcc|build-essential|pip install|curl|wget", commands)


def test_base_images_are_pinned(root: Path, stages: list[list[tuple[str, str]]]) -> None:
    default = re.search(r"^ARG PYTHON_IMAGE=(\S+)$", (root / "Dockerfile").read_text(), re.MULTILINE)
    assert default
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+", default[1])
    bases = [rest for stage in stages for kind, rest in stage if kind == "FROM"]
    assert all(base.startswith("${PYTHON_IMAGE}") for base in bases)


def test_no_secret_is_built_in(stages: list[list[tuple[str, str]]]) -> None:
    set_here = [rest for stage in stages for kind, rest in stage if kind in {"ENV", "ARG"}]
    assert not re.search(r"(?i)password|secret|token|fernet", " ".join(set_here))


def test_says_how_it_is(stages: list[list[tuple[str, str]]]) -> None:
    kinds = [kind for kind, _ in stages[-1]]
    assert {"HEALTHCHECK", "LABEL", "CMD", "EXPOSE"} <= set(kinds)


def test_what_is_copied_is_there_and_nothing_else_is_sent(
    root: Path, stages: list[list[tuple[str, str]]]
) -> None:
    copied: set[str] = set()
    for kind, rest in (line for stage in stages for line in stage):
        if kind == "COPY" and not rest.startswith("--from"):
            copied |= set(rest.split()[:-1])
    lines = (root / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*", "what is not named is not sent to the builder"
    sent = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    assert {source.split("/")[0] for source in copied} == sent
    assert {source for source in copied if not (root / source).exists()} == set()
