"""docs/threats.md names, for every kind of fault, a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "threats.md"
TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def rows() -> list[str]:
    """Return the table rows of the page, without heads and rules."""
    lines = PAGE.read_text().splitlines()
    return [line for line in lines if line.startswith("|") and not re.match(r"\|( kind |[ -]+\|)", line)]


@pytest.mark.parametrize("row", rows())
def test_the_row_names_tests_that_exist(row: str) -> None:
    cells = [cell.strip() for cell in row.strip("|").split(" | ")]
    assert len(cells) == 3, f"a row has three cells: {row}"
    named = TEST.findall(cells[2])
    assert named, f"no test is named: {row}"
    for path, function in named:
        source = ROOT / path
        assert source.exists(), f"{path} is not there"
        if function:
            defined = {
                n.name
                for n in ast.walk(ast.parse(source.read_text()))
                if isinstance(n, ast.FunctionDef | ast.ClassDef)
            }
            assert function in defined, f"{path} has no {function}"
