"""Pages that are cited exist, tests and files that pages name exist, and there is one version number."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from belay import __version__

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
PAGE = re.compile(r"\b(?:docs/)?[\w-]+\.md\b")
SECTION = re.compile(r"(docs/[\w-]+\.md), (?:section )?([A-Z]\w+)")


def invariants() -> dict[str, str]:
    """Return the rows of the page by the invariant's number."""
    rows = re.findall(r"^\| (I\d+) \| (.*)\|$", (DOCS / "invariants.md").read_text(), re.MULTILINE)
    return dict(rows)


def missing_tests(text: str) -> list[str]:
    """Return the tests that a text names and that do not exist."""
    missing = []
    for path, name in TEST.findall(text):
        source = ROOT / path
        tree = ast.parse(source.read_text()) if source.exists() else ast.Module([], [])
        defined = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)}
        if not source.exists() or (name and name not in defined):
            missing.append(f"{path}::{name}")
    return missing


def test_every_invariant_has_its_tests() -> None:
    assert list(invariants()) == [f"I{number}" for number in range(1, 13)]
    for number, row in invariants().items():
        assert TEST.search(row), f"{number} names no test"
        assert not missing_tests(row), number


def test_a_missing_test_is_found() -> None:
    assert missing_tests("`tests/no/such.py`, `tests/test_docs.py::gone`, `tests/test_docs.py`") == [
        "tests/no/such.py::",
        "tests/test_docs.py::gone",
    ]


@pytest.mark.parametrize("what", ["A proposal", "An approval click", "A harm verdict"])
def test_each_walk_names_files_that_exist(what: str) -> None:
    text = (DOCS / "architecture.md").read_text()
    walk = text.partition(f"**{what}**")[2].partition("\n\n**")[0].partition("\n## ")[0]
    named = re.findall(r"`((?:\w+/)+\w+\.py)`", walk)
    assert len(named) >= 10
    assert [name for name in named if not (ROOT / "include" / "belay" / name).is_file()] == []


def test_every_room_is_in_the_architecture() -> None:
    text = (DOCS / "architecture.md").read_text()
    belay = ROOT / "include" / "belay"
    rooms = {path.name for path in belay.iterdir() if (path / "__init__.py").is_file()}
    told = set(re.findall(r"^    (\w+)/ ", text, re.MULTILINE))
    assert told == rooms


def cited(text: str) -> set[str]:
    """Return the pages that a text names: ``docs/x.md``, and ``x.md`` in capitals such as ``README.md``."""
    return {page for page in PAGE.findall(text) if page.startswith("docs/") or page.split(".")[0].isupper()}


def code() -> list[Path]:
    names = subprocess.run(
        ["git", "ls-files", "*.py", "*.toml", "*.yaml", "*.yml", "*.in", "Makefile", "Dockerfile", ".ci/run"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    return [path for name in names if (path := ROOT / name).is_file() and path != Path(__file__)]


def test_code_cites_only_pages_that_exist() -> None:
    dead = {
        f"{path.relative_to(ROOT)}: {page}"
        for path in code()
        for page in cited(path.read_text())
        if not (ROOT / page).is_file()
    }
    assert not dead


def test_code_cites_only_sections_that_exist() -> None:
    for path in code():
        for page, section in SECTION.findall(re.sub(r"\s*\n\s*#?\s*", " ", path.read_text())):
            headings = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(), re.MULTILINE)
            where = f"{path.relative_to(ROOT)}: {page} has no section {section}"
            assert any(heading.startswith(section) for heading in headings), where


def test_a_page_that_is_not_there_is_found() -> None:
    assert cited("see docs/gone.md and DESIGN.md, not page.md") == {"docs/gone.md", "DESIGN.md"}


def test_there_is_one_version_number() -> None:
    text = {name: (ROOT / name).read_text() for name in ("Dockerfile", ".env.example", "pyproject.toml")}
    assert 'version = {attr = "belay.__version__"}' in text["pyproject.toml"]
    assert f'image.version="{__version__}"' in text["Dockerfile"]
    assert f"BELAY_IMAGE=belay:{__version__}\n" in text[".env.example"]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    images = {service.get("image", "") for service in compose["services"].values()}
    assert f"${{BELAY_IMAGE:-belay:{__version__}}}" in images
    released = re.search(r"^## \[?(\d[\w.]*)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert released is None or released[1] == __version__


def test_the_workflow_runs_what_a_machine_of_ones_own_runs() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    steps = workflow["jobs"]["ci"]["steps"]
    assert steps[-1]["run"] == ".ci/run"
    assert all(re.search(r"@v\d+\.\d+\.\d+$", step["uses"]) for step in steps if "uses" in step)


def test_the_hooks_run_what_the_locks_installed() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repo["repo"] for repo in hooks] == ["local"]
    assert all(hook["entry"].startswith(".venv/bin/python ") for hook in hooks[0]["hooks"])
