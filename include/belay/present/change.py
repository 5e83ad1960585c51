"""What customers would see: a flag's payload before and after, field by field, as plain text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from belay.domain.proposal import Proposal

_MISSING: Any = object()
_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of a payload, before and after. ``field`` is its path (``label``, ``banner.text``)."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class VariantChange:
    """What one variant changes. ``variant`` is empty where there is only one; ``same`` fields stay."""

    variant: str
    differences: tuple[Difference, ...]
    same: int


def change_of(proposal: Proposal) -> tuple[VariantChange, ...]:
    """Return what customers would see instead of what they see now, one item a variant.

    The texts are whole, and of the agent's making: whoever shows them escapes them, and cuts them.
    """
    several = len(proposal.variants) > 1
    return tuple(
        _variant(variant.key if several else "", proposal.rollback, variant.payload)
        for variant in proposal.variants
    )


def change_lines(changes: tuple[VariantChange, ...], longest: int = 200) -> list[str]:
    """Return the change as lines of plain text, each side cut to ``longest`` characters."""
    lines = []
    for change in changes:
        whose = f"{change.variant}: " if change.variant else ""
        for one in change.differences:
            field = f"{one.field}: " if one.field else ""
            lines.append(f"{whose}{field}{cut(one.before, longest)} → {cut(one.after, longest)}")
        if not change.differences:
            lines.append(f"{whose}nothing changes")
    return lines


def _variant(key: str, before: Any, after: Any) -> VariantChange:
    before, after = _empty_for_none(before, after), _empty_for_none(after, before)
    was, will = dict(_fields(before)), dict(_fields(after))
    if ({""} in (set(was), set(will))) and was.keys() != will.keys():  # a text becomes an object, or back
        was, will = {"": before}, {"": after}
    names = list(dict.fromkeys([*will, *was]))
    differ = [name for name in names if not _same(was.get(name, _MISSING), will.get(name, _MISSING))]
    return VariantChange(
        key,
        tuple(Difference(n, _shown(was.get(n, _MISSING)), _shown(will.get(n, _MISSING))) for n in differ),
        len(names) - len(differ),
    )


def _empty_for_none(payload: Any, other: Any) -> Any:
    """Let nothing be an object without fields where the other side is an object."""
    return _NOTHING if payload is None and isinstance(other, Mapping) else payload


def _fields(payload: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield a payload's fields with their paths; what is no object (or an empty one) is one field."""
    if payload is _NOTHING:
        return
    if isinstance(payload, Mapping) and payload:
        for name, value in payload.items():
            yield from _fields(value, f"{path}.{name}" if path else str(name))
    else:
        yield path, payload


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other  # 1 is not True, and not 1.0


def _shown(value: Any) -> str:
    """Return a value as people read it: a text in quotes on one line, anything else as JSON."""
    if value is _MISSING or value is None:
        return "(nothing)"
    if isinstance(value, str):
        return f"“{' ⏎ '.join(line.strip() for line in value.splitlines())}”"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def cut(text: str, longest: int) -> str:
    """Return ``text``, with an ellipsis for what is over ``longest`` characters."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
