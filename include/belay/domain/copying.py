"""Copies of frozen dataclasses with some fields changed: folding a ledger does little else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any, TypeVar

_T = TypeVar("_T")


def replace(thing: _T, **changes: Any) -> _T:
    """Return a copy of a frozen, slotted dataclass with ``changes``: `dataclasses.replace`, twice as fast.

    It copies slot by slot and does not call the constructor, so it is for classes without ``__post_init__``.

    Raises
    ------
    KeyError
        When the class has no such field.
    """
    kind: type[Any] = type(thing)
    slots, setters = _slots(kind)
    copy: _T = object.__new__(kind)
    for read, write in slots:
        write(copy, read(thing))
    for name, value in changes.items():
        setters[name](copy, value)
    return copy


@cache
def _slots(
    kind: type,
) -> tuple[tuple[tuple[Callable[..., Any], Callable[..., None]], ...], dict[str, Callable[..., None]]]:
    """Return how to read and write each field of ``kind``, and the writers by name."""
    named = {field.name: getattr(kind, field.name) for field in fields(kind)}
    return (
        tuple((slot.__get__, slot.__set__) for slot in named.values()),
        {name: slot.__set__ for name, slot in named.items()},
    )
