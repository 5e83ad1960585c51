"""The locks: complete, hashed, in step with what they are compiled from."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

NAMES = ("requirements", "requirements-dev", "requirements-demo")


@dataclass
class Pin:
    """One package of a lock."""

    requirement: Requirement
    hashes: set[str] = field(default_factory=set)
    via: str = ""


def pins(path: Path) -> dict[str, list[Pin]]:
    """Return every pin of a lock by canonical name; a package may have one for each environment."""
    found: dict[str, list[Pin]] = {}
    current = None
    for line in path.read_text().splitlines():
        if re.match(r"[A-Za-z0-9]", line):
            current = Pin(Requirement(line.rstrip(" \\")))
            found.setdefault(canonicalize_name(current.requirement.name), []).append(current)
        elif current is not None:
            current.hashes |= set(re.findall(r"--hash=sha256:([0-9a-f]{64})\b", line))
            current.via += line.strip(" #") + "\n" if line.lstrip().startswith("#") else ""
    return found


def asked(path: Path) -> dict[str, Requirement]:
    """Return what a .in file asks for."""
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    wanted = [Requirement(line) for line in lines if line and not line.startswith("-")]
    return {canonicalize_name(requirement.name): requirement for requirement in wanted}


@pytest.mark.parametrize("name", NAMES)
def test_every_package_is_pinned_and_hashed(root: Path, name: str) -> None:
    locked = pins(root / f"{name}.txt")
    assert locked
    for package, versions in locked.items():
        for pin in versions:
            assert [spec.operator for spec in pin.requirement.specifier] == ["=="], package
            assert pin.requirement.url is None
            assert pin.hashes, f"{package} has no hash: anything could be served for it"


@pytest.mark.parametrize("name", NAMES)
def test_a_lock_is_in_step_with_what_is_asked_for(root: Path, name: str) -> None:
    wanted, locked = asked(root / f"{name}.in"), pins(root / f"{name}.txt")
    direct = {package for package, found in locked.items() if any(f"-r {name}.in" in p.via for p in found)}
    assert direct == set(wanted), "run `make lock`"
    for package, requirement in wanted.items():
        for pin in locked[package]:
            version = str(pin.requirement.specifier).removeprefix("==")
            assert requirement.specifier.contains(version, prereleases=True), f"run `make lock`: {package}"


def test_the_locks_agree_with_each_other(root: Path) -> None:
    runtime, dev = pins(root / "requirements.txt"), pins(root / "requirements-dev.txt")
    shared = set(runtime) & set(dev)
    assert shared
    for package in shared:
        versions = {str(p.requirement.specifier) for p in runtime[package]}
        assert {str(p.requirement.specifier) for p in dev[package]} <= versions, package


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("suffix", ["in", "txt"])
def test_no_lock_says_where_to_install_from(root: Path, name: str, suffix: str) -> None:
    text = (root / f"{name}.{suffix}").read_text()
    assert not re.search(r"--(extra-)?index-url|--find-links|--trusted-host|https?://| @ ", text)


def test_the_orchestration_is_the_one_the_docs_are_about(root: Path) -> None:
    locked = pins(root / "requirements.txt")
    for needed in (
        "apache-airflow",
        "great-expectations",
        "sqlalchemy",
        "slack-bolt",
        "duckdb",
        "setuptools",
    ):
        assert needed in locked
    (sqlalchemy,) = locked["sqlalchemy"]
    assert str(sqlalchemy.requirement.specifier).startswith("==2.0."), "2.1 breaks Great Expectations' extras"
