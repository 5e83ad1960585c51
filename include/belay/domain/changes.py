"""What a new policy changes, in sentences: for who decides it, and for who asks later why it was decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from belay.domain.capability import CapabilityPolicy
from belay.domain.scope import percent

_SHARES = frozenset({"free_scope", "holdout", "share", "steps"})
"""Fields that count units in basis points."""
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
_NAMES = ("id", "metric")
"""What tells the parts of a list apart, where they have it."""


def policy_changes(before: CapabilityPolicy, after: CapabilityPolicy) -> tuple[str, ...]:
    """Return what differs, one part a sentence, as ``window, minimum: was 3 days, is 1 day``."""
    old, new = dict(_leaves(before, ())), dict(_leaves(after, ()))
    return tuple(
        f"{_called(path)}: {_differs(path, old, new)}"
        for path in dict.fromkeys((*old, *new))
        if path != ("digest",) and old.get(path) != new.get(path)
    )


_Path = tuple[str, ...]


def _leaves(thing: Any, path: _Path) -> Iterator[tuple[_Path, Any]]:
    """Yield every single value with the names that lead to it; parts of lists go by their own names."""
    if is_dataclass(thing):
        for field in fields(thing):
            yield from _leaves(getattr(thing, field.name), (*path, field.name))
    elif isinstance(thing, Mapping):
        for key, value in thing.items():
            yield from _leaves(value, (*path, str(key)))
    elif isinstance(thing, tuple) and all(names := [_name_of(part) for part in thing]):
        apart = len(set(names)) == len(names)
        for place, (name, part) in enumerate(zip(names, thing, strict=True), 1):
            yield from _leaves(part, (*path, name if apart else f"{name} {place}"))
    else:
        yield path, thing


def _name_of(part: Any) -> str:
    """Return what a part of a list is called; empty where parts have no names."""
    for field in _NAMES if is_dataclass(part) else ():
        named = getattr(part, field, None)
        if named:
            return _name_of(named) if is_dataclass(named) else str(named)
    return ""


def _called(path: _Path) -> str:
    *within, last = path
    return ", ".join([*within, last.removesuffix("_seconds")]).replace("_", " ")


def _differs(path: _Path, old: Mapping[_Path, Any], new: Mapping[_Path, Any]) -> str:
    if path not in old:
        return f"is new, {_shown(path, new[path])}"
    was = f"was {_shown(path, old[path])}"
    return f"{was}, is {_shown(path, new[path])}" if path in new else f"{was}, is gone"


def _shown(path: _Path, value: Any) -> str:
    """Return a value as people read it."""
    if value is None:
        return "nothing"
    if isinstance(value, tuple):
        return ", ".join(_shown(path, part) for part in value)
    if is_dataclass(value):
        return " ".join(_shown((field.name,), getattr(value, field.name)) for field in fields(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        if _SHARES & {path[-1]}:
            return percent(int(value))
        if path[-1].endswith("_seconds") or "leases" in path or "blindness" in path:
            return _lasting(value)
        return f"{value:g}"
    return f"“{value}”" if " " in str(value) else str(value)


def _lasting(seconds: float) -> str:
    """Return a duration in the largest unit that says it exactly."""
    size, unit = next((one for one in _UNITS if seconds >= one[0] and seconds % one[0] == 0), _UNITS[-1])
    count = seconds / size
    return f"{count:g} {unit}{'' if count == 1 else 's'}"
