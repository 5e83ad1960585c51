"""Guards tools/house.py, by feeding it small bad trees; and that each test file says what it guards."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def house(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools/house.py"), "--root", str(tree), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def build(tree: Path, files: dict[str, str]) -> Path:
    """A tree of the package `belay` with `files`, whose folders are packages too."""
    for name, text in {"include/belay/__init__.py": "", **files}.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.startswith("include/"):
            (path.parent / "__init__.py").touch()
        path.write_text(text)
    return tree


BAD = {
    "a circle at the top": (
        {"include/belay/a/x.py": "import belay.b.y\n", "include/belay/b/y.py": "import belay.a.x\n"},
        [
            "circle of modules: belay.a.x imports belay.b.y imports belay.a.x",
            "circle of rooms: a imports b imports a",
        ],
    ),
    "a circle in a function of one room": (
        {
            "include/belay/a/x.py": "from belay.a import y\n",
            "include/belay/a/y.py": "def load():\n    from belay.a import x\n    return x\n",
        },
        ["circle of modules: belay.a.x imports belay.a.y imports belay.a.x"],
    ),
    "a circle of rooms alone": (
        {
            "include/belay/a/x.py": "import belay.b.y\n",
            "include/belay/a/z.py": "",
            "include/belay/b/y.py": "",
            "include/belay/b/w.py": "import belay.a.z\n",
        },
        ["circle of rooms: a imports b imports a"],
    ),
    "a circle for types": (
        {
            "include/belay/a/x.py": "import belay.a.y\n",
            "include/belay/a/y.py": "import typing as t\nif t.TYPE_CHECKING:\n    import belay.a.x\n",
        },
        ["circle of modules: belay.a.x imports belay.a.y imports belay.a.x"],
    ),
    "a private name": (
        {"include/belay/a/x.py": "from belay.a.y import _part\n", "include/belay/a/y.py": "_part = 1\n"},
        ["include/belay/a/x.py:1 takes _part from belay.a.y"],
    ),
    "a nameless function": (
        {"include/belay/a.py": "def _() -> None: ...\n"},
        ["include/belay/a.py:1 a function is called _"],
    ),
    "a function of one letter": (
        {"dags/a.py": "def outer():\n    async def f(): ...\n"},
        ["dags/a.py:2 a function is called f"],
    ),
    "too many parameters": (
        {"include/belay/a.py": "class K:\n    def act(self, a, b, /, c, *, d, e, f, g): ...\n"},
        ["include/belay/a.py:2 K.act has 7 parameters; at most 6"],
    ),
    "a long file": ({"plugins/a.py": "x = 1\n" * 401}, ["plugins/a.py has 401 lines; at most 400"]),
}  # fmt: skip


@pytest.mark.parametrize("what", sorted(BAD))
def test_what_is_wrong_is_named_and_fails(what: str, tmp_path: Path) -> None:
    files, told = BAD[what]
    result = house(build(tmp_path, files), "--quiet")
    assert result.returncode == 1, result.stderr
    for words in told:
        assert words in result.stdout
    assert f"house: {len(told)} wrong" in result.stdout


def test_a_good_tree_passes_and_its_rooms_are_printed(tmp_path: Path) -> None:
    files = {
        "include/belay/a/x.py": "import belay.b.y\n\n\ndef act(self, a, b, c, *, d, e, f): ...\n",
        "include/belay/b/y.py": "\n" * 400,
    }
    result = house(build(tmp_path, files))
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"^a +2 +4  b 1$", result.stdout, re.MULTILINE)
    assert "include/belay/a/x.py:4 act (3)" not in result.stdout
    assert "house: 0 wrong, 0 excepted" in result.stdout
    assert house(build(tmp_path, files), "--quiet").stdout == ""


def test_more_than_three_arguments_by_place_are_printed(tmp_path: Path) -> None:
    result = house(build(tmp_path, {"include/belay/a.py": "def act(a, b, c, d): ...\n"}))
    assert result.returncode == 0
    assert "1 functions take more than 3 arguments by place:\n  include/belay/a.py:1 act (4)" in result.stdout


EXCEPTION = '[[exception]]\nrule = "name"\nwhere = "include/belay/a.py:_"\nwhy = "{why}"\n'


def test_an_exception_lets_through_what_it_names_for_a_reason(tmp_path: Path) -> None:
    bad = {"include/belay/a.py": "def _() -> None: ...\n"}
    argued = {"tools/house.toml": EXCEPTION.format(why="a reason")}
    result = house(build(tmp_path, bad | argued))
    assert result.returncode == 0
    assert "0 wrong, 1 excepted" in result.stdout
    unargued = house(build(tmp_path, {"tools/house.toml": EXCEPTION.format(why=" ")}))
    assert unargued.returncode != 0
    assert "has no reason" in unargued.stderr


def test_an_exception_that_nothing_needs_is_told(tmp_path: Path) -> None:
    result = house(build(tmp_path, {"tools/house.toml": EXCEPTION.format(why="was so once")}), "--quiet")
    assert (
        "nothing needs any more, take it out of tools/house.toml: name, include/belay/a.py:_" in result.stdout
    )


def test_this_house_stands() -> None:
    result = house(ROOT, "--quiet")
    assert result.returncode == 0, result.stdout


# --- the test files ---------------------------------------------------------------------------------

TESTS = sorted(ROOT.glob("tests/**/test_*.py"))


def test_each_test_file_says_in_its_first_line_what_it_guards() -> None:
    silent = [str(path.relative_to(ROOT)) for path in TESTS if not says_what_it_guards(path.read_text())]
    assert not silent, "begin these with a docstring: what would break unnoticed without the file?"


def says_what_it_guards(text: str) -> bool:
    first = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
    return text.startswith('"""') and len(first.split()) >= 4


@pytest.mark.parametrize(
    "text", ["", "import ast\n", '"""Tests of x."""\n', '# one\n"""Says what it guards."""\n']
)
def test_a_test_file_that_says_nothing_is_found(text: str) -> None:
    assert not says_what_it_guards(text)


def test_no_test_file_is_named_for_its_place_in_an_order() -> None:
    assert not [path.name for path in TESTS if re.match(r"test_([a-z]|zz|aa|\d+)_", path.name)]
