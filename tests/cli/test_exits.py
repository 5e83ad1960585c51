"""Every error that ends a command has the exit code that docs/cli.md gives it; others are a defect."""

from __future__ import annotations

from pydoc import locate

import pytest

from belay.cli.exits import _MEANING, BROKEN, UNAVAILABLE, exit_code


@pytest.mark.parametrize("name", sorted(_MEANING))
def test_every_error_that_has_a_code_is_there(name: str) -> None:
    """Codes are looked up by name; an error that moved would silently become a defect."""
    kind = locate(name)
    assert isinstance(kind, type)
    assert f"{kind.__module__}.{kind.__qualname__}" == name


def test_an_unexpected_error_is_a_defect() -> None:
    assert exit_code(ZeroDivisionError()) == BROKEN
    assert exit_code(PermissionError()) == UNAVAILABLE
