"""What a flag looks like in flagd's JSON, and back.

Format: flagd's flag definitions (https://flagd.dev/reference/flag-definitions/), assignment by its
``fractional`` operation: a hash of salt and targeting key falls into buckets in the order listed. The
treatments come first under a salt of the flag's own, so a unit that is in treatment at one scope is in it
at every wider one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from belay.domain.proposal import CONTROL, HOLDOUT, Variant
from belay.domain.scope import FULL_SCOPE
from belay.flags.target import ServedFlag

_FULL_BUCKETS = FULL_SCOPE
_DEEPEST = 200
"""Levels of nesting that a flags file may have: evaluators and Belay read what is deeper by luck."""


def parsed(content: bytes) -> dict[str, Any]:
    """Return the flags document that ``content`` holds; ``ValueError`` where it holds none."""
    deep = f"it is nested more than {_DEEPEST} levels deep"
    try:
        document = json.loads(content.decode())
    except RecursionError:
        raise ValueError(deep) from None
    if not isinstance(document, dict) or not isinstance(document.get("flags"), dict):
        raise ValueError("it has no object of flags")  # noqa: TRY004 - of the file's content
    if _is_deeper(document, _DEEPEST):
        raise ValueError(deep)
    return document


def _is_deeper(document: Any, levels: int) -> bool:
    """Whether containers are nested more than ``levels`` deep; needs no depth of its own."""
    layer = [document]
    for _ in range(levels):
        layer = [
            inner
            for outer in layer
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not layer:
            return False
    return True


def to_definition(flag: ServedFlag) -> dict[str, Any]:
    """Return the flagd definition that serves ``flag``."""
    return _definition(flag, _targeting(flag))


def _earlier_definition(flag: ServedFlag) -> dict[str, Any]:
    """Return the definition that Belay wrote before units without a key were kept out: it is ours as well."""
    targeting = _held_out(_for_audience(_fractional(f"{flag.key}:", _rounded_split(flag)), flag), flag)
    return _definition(flag, targeting if flag.scope else {})


def _definition(flag: ServedFlag, targeting: dict[str, Any]) -> dict[str, Any]:
    variants = {CONTROL: _payload(flag.rollback)} | {v.key: _payload(v.payload) for v in flag.variants}
    if flag.holdout:
        variants[HOLDOUT] = _payload(flag.rollback)
    return {
        # Without a variant to show (nobody can tell what they were) the product's own default is served.
        "state": "ENABLED" if flag.variants else "DISABLED",
        "variants": variants,
        "defaultVariant": CONTROL,
        "targeting": targeting,
        "metadata": {
            "belay_epoch": flag.epoch,
            "belay_scope": flag.scope,
            "belay_holdout": flag.holdout,
            "belay_holdout_salt": flag.holdout_salt,
            "belay_surface": flag.surface,
            "belay_audience": json.dumps(dict(flag.audience), sort_keys=True),
            **({"belay_holdback": flag.holdback, "belay_rotation": flag.rotation} if flag.holdback else {}),
            **({"belay_ledger": flag.ledger} if flag.ledger else {}),
        },
    }


def _targeting(flag: ServedFlag) -> dict[str, Any]:
    """A key at all first, then the holdout, the audience, the split. At scope zero there is nothing to hash.

    Without a targeting key every evaluation would hash the same text, and all of them fall on one side.
    """
    if flag.scope == 0:
        return {}
    rule = _held_out(_for_audience(_fractional(f"{flag.key}:", _split(flag)), flag), flag)
    return {"if": [{"var": "targetingKey"}, rule, CONTROL]}


def _for_audience(rule: dict[str, Any], flag: ServedFlag) -> dict[str, Any]:
    for attribute, value in sorted(flag.audience.items(), reverse=True):
        rule = {"if": [{"==": [{"var": attribute}, value]}, rule, CONTROL]}
    return rule


def _held_out(rule: dict[str, Any], flag: ServedFlag) -> dict[str, Any]:
    if not flag.holdout:
        return rule
    held = _fractional(
        f"holdout:{flag.holdout_salt}:", [["held", flag.holdout], ["open", _FULL_BUCKETS - flag.holdout]]
    )
    return {"if": [{"==": [held, "held"]}, HOLDOUT, rule]}


def _split(flag: ServedFlag) -> list[list[Any]]:
    """Return the buckets. Each treatment keeps a fixed range of the hash and is filled from its start, with
    control between: that is what keeps widening monotone when there is more than one treatment.

    Weights are whole numbers, and exact: each range counts in ten-thousandths of itself, so that any scope
    is a share of it, unless basis points of all units are fine enough.
    """
    buckets: list[list[Any]] = []
    for variant, room in _ranges(flag):
        whole, filled = room * FULL_SCOPE, room * flag.scope
        if flag.holdback and filled == whole:
            buckets += _held_back(variant, whole, room * flag.holdback, flag.rotation)
        else:
            buckets += [[variant, filled], [CONTROL, whole - filled]]
    if all(weight % FULL_SCOPE == 0 for _, weight in buckets):
        buckets = [[name, weight // FULL_SCOPE] for name, weight in buckets]
    return [bucket for bucket in buckets if bucket[1]]


def _rounded_split(flag: ServedFlag) -> list[list[Any]]:
    """Return the buckets as they were when shares were rounded down to basis points of all units."""
    buckets: list[list[Any]] = []
    for variant, room in _ranges(flag):
        filled = room * flag.scope // FULL_SCOPE
        if flag.holdback and filled == room:
            held = max(room * flag.holdback // FULL_SCOPE, 1)
            buckets += _held_back(variant, room, held, flag.rotation)
        else:
            buckets += [[variant, filled], [CONTROL, room - filled]]
    return [bucket for bucket in buckets if bucket[1]]


def _ranges(flag: ServedFlag) -> Iterator[tuple[str, int]]:
    """Yield each treatment and its range of the hash, in basis points; the last takes what is left over."""
    width, last = divmod(_FULL_BUCKETS, len(flag.variants))
    for index, variant in enumerate(flag.variants):
        yield variant.key, width + (last if index == len(flag.variants) - 1 else 0)


def _held_back(variant: str, room: int, held: int, rotation: int) -> list[list[Any]]:
    """Return a treatment's whole range without those whose turn it is to be held back.

    The first turn takes the end of the range: units that no earlier scope had reached. Each next turn moves
    down by its own width, so a unit changes sides at most once a turn.
    """
    after = rotation % (room // held) * held
    return [[variant, room - after - held], [CONTROL, held], [variant, after]]


def _fractional(salt: str, buckets: list[list[Any]]) -> dict[str, Any]:
    return {"fractional": [{"cat": [salt, {"var": "targetingKey"}]}, *buckets]}


def _payload(payload: Any) -> Any:
    """flagd variants of one flag share one type: objects. Anything else is wrapped as ``{"value": …}``."""
    plain = json.loads(json.dumps(payload))
    return plain if isinstance(plain, dict) else {"value": plain}


class ChangedByHandError(ValueError):
    """A definition that Belay wrote is not any more what it wrote; ``remains`` is what can be read of it."""

    def __init__(self, key: str, remains: ServedFlag | None) -> None:
        super().__init__(key)
        self.remains = remains and replace(remains, intact=False)


def read_back(key: str, definition: Any) -> ServedFlag | None:
    """Read a definition back; one that Belay did not write is none of its business: None."""
    metadata = definition.get("metadata") if isinstance(definition, dict) else None
    if not isinstance(metadata, dict) or "belay_epoch" not in metadata:
        return None
    flag = None
    try:
        flag = _from_definition(key, definition, metadata)
        intact = definition in (to_definition(flag), _earlier_definition(flag))
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise ChangedByHandError(key, flag or _least(key, definition, metadata)) from error
    if not intact:
        raise ChangedByHandError(key, flag)
    return flag


def _least(key: str, definition: dict[str, Any], metadata: dict[str, Any]) -> ServedFlag:
    """Return what has to be assumed of a flag that cannot be read any more: shown to everybody."""
    variants = definition.get("variants")
    rollback = variants.get(CONTROL) if isinstance(variants, dict) else None
    epoch = metadata["belay_epoch"]
    return ServedFlag(
        key=key,
        scope=FULL_SCOPE,
        variants=(),
        rollback=rollback,
        epoch=epoch if isinstance(epoch, int) else 0,
        holdout_salt=str(metadata.get("belay_holdout_salt", "")),
        surface=str(metadata.get("belay_surface", "")),
        ledger=str(metadata.get("belay_ledger", "")),
    )


def _from_definition(key: str, definition: dict[str, Any], metadata: dict[str, Any]) -> ServedFlag:
    variants = definition["variants"]
    return ServedFlag(
        key=key,
        scope=int(metadata["belay_scope"]),
        variants=tuple(
            Variant(name, payload)
            for name, payload in sorted(variants.items())
            if name not in {CONTROL, HOLDOUT}
        ),
        rollback=variants[CONTROL],
        epoch=int(metadata["belay_epoch"]),
        holdout=int(metadata["belay_holdout"]),
        holdout_salt=str(metadata["belay_holdout_salt"]),
        audience=json.loads(metadata["belay_audience"]),
        surface=str(metadata.get("belay_surface", "")),
        ledger=str(metadata.get("belay_ledger", "")),
        holdback=int(metadata.get("belay_holdback", 0)),
        rotation=int(metadata.get("belay_rotation", 0)),
    )


def normalised(flag: ServedFlag) -> ServedFlag:
    """Return ``flag`` as it will read back: variants in the order of their keys, payloads as objects."""
    variants = sorted((Variant(v.key, _payload(v.payload)) for v in flag.variants), key=lambda v: v.key)
    rotation = flag.rotation if flag.holdback else 0
    return replace(flag, variants=tuple(variants), rollback=_payload(flag.rollback), rotation=rotation)
