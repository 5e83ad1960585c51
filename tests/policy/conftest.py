"""A folder of valid policy files that a test may break."""

import shutil
from pathlib import Path

import pytest

from belay.policy.load import Policies, load_policies

SHIPPED = Path(__file__).resolve().parents[2] / "include" / "capabilities"

EXAMPLE = """\
title: Checkout wording
owner: carla
surface: checkout
decision_class: reversible
initial_stage: supervised
primary: {metric: conversion, rule: non_inferior, minimum_effect: 0.1, margin: 0.2}
guardrails:
  revenue_per_visitor: 0.25
  support_tickets: 1.0
segments: [device, visitor]
"""


class Folder:
    """Shared files as shipped, and one capability ``example``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write("example", EXAMPLE)

    def write(self, name: str, text: str | bytes) -> None:
        raw = text if isinstance(text, bytes) else text.encode()
        (self.path / f"{name}.yaml").write_bytes(raw)

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.path / f"{name}.yaml"
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} must occur once in {path.name}"
        path.write_text(text.replace(old, new))

    def line_of(self, name: str, text: str) -> int:
        lines = (self.path / f"{name}.yaml").read_text().splitlines()
        return next(number for number, line in enumerate(lines, 1) if text in line)

    def load(self) -> Policies:
        return load_policies(self.path, expectations=SHIPPED.parents[1] / "expectations")

    def errors(self) -> list[str]:
        return [str(error) for error in self.load().errors]

    def error(self) -> str:
        errors = self.errors()
        assert len(errors) == 1, errors
        return errors[0]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    for path in SHIPPED.glob("_*.yaml"):
        shutil.copy(path, tmp_path)
    return Folder(tmp_path)
