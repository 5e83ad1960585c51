"""What the packaging tests look at: the repository's own files, as git and Compose see them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

_ROOT = Path(__file__).resolve().parents[2]
_VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?::-([^}]*))?\}")


def settings_in(text: str) -> dict[str, str]:
    """Return what a file of ``NAME=value`` lines sets."""
    lines = (line.strip() for line in text.splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def interpolated(value: Any, settings: dict[str, str]) -> Any:
    """Return a Compose value as Compose reads it: ``${NAME:-default}`` replaced, ``$$`` unescaped."""
    if isinstance(value, dict):
        return {key: interpolated(inner, settings) for key, inner in value.items()}
    if isinstance(value, list):
        return [interpolated(inner, settings) for inner in value]
    if not isinstance(value, str):
        return value
    return _VARIABLE.sub(lambda m: settings.get(m[1]) or m[2] or "", value).replace("$$", "$")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return _ROOT


@pytest.fixture(scope="session")
def tracked(root: Path) -> list[Path]:
    """Every file in git that is in the work tree."""
    found = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=False, capture_output=True, text=True)
    if found.returncode != 0:
        reason = "not a git checkout: which files are published cannot be told"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    paths = [root / name for name in found.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


@pytest.fixture(scope="session")
def compose_text(root: Path) -> str:
    """docker-compose.yml as it is written."""
    return (root / "docker-compose.yml").read_text()


@pytest.fixture(scope="session")
def compose(root: Path, compose_text: str) -> dict[str, Any]:
    """docker-compose.yml as Compose reads it with nothing but .env.example set."""
    settings = settings_in((root / ".env.example").read_text())
    document: dict[str, Any] = interpolated(yaml.safe_load(compose_text), settings)
    return document
