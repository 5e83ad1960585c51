"""The pages of CONTRIBUTING.md are right: what they say to write is written here, and their tests pass."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from tests.gates.conftest import world  # noqa: F401 - the page of a gate uses this fixture

from belay.policy.load import read_shared

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()


def blocks(heading: str, language: str = "python") -> list[str]:
    """Return the code blocks of one page."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```$", section, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for block in found]


@pytest.fixture
def written() -> Iterator[dict[str, ModuleType]]:
    """Modules that a page says to write: there while the test runs."""
    modules: dict[str, ModuleType] = {}
    yield modules
    for name in modules:
        sys.modules.pop(name, None)


def write(written: dict[str, ModuleType], name: str, text: str) -> ModuleType:
    module = ModuleType(name)
    module.__file__ = __file__
    sys.modules[name] = written[name] = module
    exec(compile(text, f"CONTRIBUTING.md, {name}", "exec"), module.__dict__)
    return module


def test_a_gate(written: dict[str, ModuleType], request: pytest.FixtureRequest) -> None:
    gate, test = blocks("Add a gate")
    write(written, "belay.gates.toy", gate)
    write(written, "test_toy", test).test_a_hypothesis_of_one_word_is_held(request.getfixturevalue("world"))


def test_a_channel(written: dict[str, ModuleType], tmp_path: Path) -> None:
    channel, test = blocks("Add a channel")
    write(written, "belay.toy", channel)
    write(written, "test_toy", test).test_an_answer_counts(tmp_path)


def test_a_metric(written: dict[str, ModuleType], tmp_path: Path) -> None:
    (declared,) = blocks("Add a metric", "yaml")
    shutil.copytree(ROOT / "include" / "capabilities", tmp_path / "capabilities")
    catalogue = tmp_path / "capabilities" / "_metrics.yaml"
    declared = declared.removeprefix("metrics:\n")
    catalogue.write_text(catalogue.read_text().replace("[converted,", "[converted, refunds,") + declared)
    assert "refunds" in yaml.safe_load(catalogue.read_text())["metrics"]
    (test,) = blocks("Add a metric")
    module = write(written, "test_toy", test)
    module.CAPABILITIES = tmp_path / "capabilities"  # type: ignore[attr-defined]
    module.test_refunds_can_be_used()
    assert read_shared(tmp_path / "capabilities").errors == []


def test_a_flag_system(written: dict[str, ModuleType]) -> None:
    (test,) = blocks("Add a flag system")
    from belay.flags.dry_run import DryRun

    write(written, "belay.flags.toy", "").Toy = DryRun  # type: ignore[attr-defined]
    inherited = write(written, "test_toy", test).TestToy
    assert sum(name.startswith("test_") for name in dir(inherited)) >= 6


@pytest.mark.parametrize("heading", ["Add a flag system", "Add a metric", "Add a gate", "Add a channel"])
def test_each_is_told_within_a_page(heading: str) -> None:
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    assert 10 < len(section.splitlines()) <= 75
