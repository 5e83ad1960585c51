"""What is published: nothing of one machine, no secrets, no dead links."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote

import pytest

TOP_LEVEL = [
    *[".ci/run", ".env.example", "CHANGELOG.md", "CONTRIBUTING.md", "Dockerfile", "LICENSE", "Makefile"],
    *[".github/workflows/ci.yml", ".pre-commit-config.yaml", "README.md", "SECURITY.md"],
    *["docker-compose.yml", "pyproject.toml", "requirements.in", "requirements.txt"],
    *["benchmarks", "dags", "docs", "expectations", "include", "plugins", "tests"],
]

# Written so that none of them finds itself.
FORBIDDEN = {
    "a path of one machine": r"(?<![\w.~$}-])/(?:work|root|home/[a-z]\w*|Users/[A-Za-z]\w*)/[\w.]",
    "the host of a package registry": r"py[p]i\.org|python[h]osted\.org|registry\.np[m]js|\.debian\.o[r]g",
    "a private key": r"-{5}BEGIN [A-Z ]*PRIVATE KEY-{5}",
    "an access token": r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_\w{30,}|xox[abprs]-\d{9}[\w-]{10}|xapp-\d-\w{9})",
}
_LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def anchors(markdown: str) -> set[str]:
    """Return what a Markdown file's headings can be linked by."""
    headings = re.findall(r"^#{1,6} +(.+?)\s*#*$", _FENCE.sub("", markdown), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.replace("`", "")).strip().lower() for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def dead_links(file: Path) -> list[str]:
    """Return the links of a Markdown file to files or headings that are not there."""
    dead = []
    for target in _LINK.findall(_FENCE.sub("", file.read_text())):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        found = (file.parent / path).resolve() if path else file
        known = (
            anchors(found.read_text()) if anchor and found.suffix == ".md" and found.is_file() else {anchor}
        )
        if not found.exists() or anchor not in known:
            dead.append(target)
    return dead


def texts(paths: list[Path]) -> list[tuple[Path, str]]:
    found = []
    for path in paths:
        content = path.read_bytes()
        if b"\0" not in content[:8192]:
            found.append((path, content.decode("utf-8", errors="replace")))
    return found


@pytest.mark.parametrize("what", sorted(FORBIDDEN))
def test_nothing_published_holds(what: str, tracked: list[Path], root: Path) -> None:
    pattern = re.compile(FORBIDDEN[what])
    hits = [
        f"{path.relative_to(root)}:{text[: match.start()].count(chr(10)) + 1}: {match[0]}"
        for path, text in texts(tracked)
        for match in pattern.finditer(text)
    ]
    assert not hits


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("a path of one machine", "see /root" + "/x.py"),
        ("the host of a package registry", "from pypi" + ".org"),
        ("a private key", "-----" + "BEGIN RSA PRIVATE KEY" + "-----"),
        ("an access token", "xoxb" + "-123456789012-abcdefghijkl"),
    ],
)
def test_the_search_would_find(what: str, text: str) -> None:
    assert re.search(FORBIDDEN[what], text)


def test_every_link_to_a_local_file_resolves(tracked: list[Path], root: Path) -> None:
    dead = {
        str(path.relative_to(root)): links
        for path in tracked
        if path.suffix == ".md" and (links := dead_links(path))
    }
    assert not dead


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One heading\n[a](#one-heading) [b](#none) [c](gone.md)\n```\n[d](code.md)\n```\n")
    assert dead_links(page) == ["#none", "gone.md"]


@pytest.mark.parametrize("name", TOP_LEVEL)
def test_top_level_is_complete(root: Path, name: str) -> None:
    assert (root / name).exists()


def test_licence_is_apache_2(root: Path) -> None:
    assert "Apache License" in (root / "LICENSE").read_text()[:200]
    assert 'license = "Apache-2.0"' in (root / "pyproject.toml").read_text()


@pytest.mark.parametrize("name", [".env", "secrets/jwt_secret", ".belay/ledger.db", ".venv/bin/python"])
def test_git_ignores_what_must_not_be_published(root: Path, name: str) -> None:
    assert subprocess.run(["git", "check-ignore", "-q", name], cwd=root, check=False).returncode == 0


def test_airflow_reads_every_dag_file(root: Path) -> None:
    # Airflow passes by a file that does not hold both words, without a message.
    files = list((root / "dags").glob("*.py"))
    assert files
    for file in files:
        text = file.read_text().lower()
        assert "dag" in text, file.name
        assert "airflow" in text, file.name


def test_what_the_benchmarks_import_is_there() -> None:
    """They import where they need it, so nothing else would notice a name that moved."""
    root = Path(__file__).parents[2]
    for script in sorted((root / "benchmarks").glob("*.py")):
        for node in ast.walk(ast.parse(script.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("belay"):
                module = importlib.import_module(str(node.module))
                for name in node.names:
                    package = hasattr(module, "__path__")
                    inside = hasattr(module, name.name) or (
                        package and find_spec(f"{node.module}.{name.name}")
                    )
                    assert inside, f"{script.name}: {node.module} has no {name.name}"
