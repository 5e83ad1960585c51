"""Domain objects to plain JSON and back, by their type annotations (pydantic on standard dataclasses)."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import TypeAdapter

from belay.domain.digest import canonical_json
from belay.domain.events import EVENTS, Event
from belay.domain.state import (
    BlindState,
    CapabilityState,
    DelegationState,
    FreezeState,
    OptimizationState,
    RequestState,
    State,
)

ENTITIES: dict[str, type] = {
    "capabilities": CapabilityState,
    "optimizations": OptimizationState,
    "requests": RequestState,
    "freezes": FreezeState,
    "delegations": DelegationState,
    "blind": BlindState,
    "lifted": FreezeState,
}
"""The tables of ``State``, and what they hold."""


_ADAPTERS: dict[type, TypeAdapter[Any]] = {}


def _adapter(kind: type) -> TypeAdapter[Any]:
    """Return the adapter of a type, built once: building one costs more than using it."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def encode(thing: Any) -> str:
    """Return a domain object as canonical JSON text."""
    plain = _adapter(type(thing)).dump_python(thing, mode="json")
    return canonical_json(plain)


def plain(thing: Any) -> Any:
    """Return a domain object as plain data, ready for JSON."""
    return _adapter(type(thing)).dump_python(thing, mode="json")


def restored(kind: type, document: Any) -> Any:
    """Return the domain object of ``kind`` that plain data hold.

    Raises
    ------
    ValueError
        When they do not fit.
    """
    return _adapter(kind).validate_python(document)


def decode_event(kind: str, body: str) -> Event:
    """Return the event of ``kind`` that ``body`` holds.

    Raises
    ------
    ValueError
        When the kind is unknown (written by a newer Belay) or the body does not fit it.
    """
    event = EVENTS.get(kind)
    if event is None:
        raise ValueError(f"entry of unknown kind {kind!r}: it was written by a newer Belay")
    decoded: Event = _adapter(event).validator.validate_json(body)
    return decoded


def decode_entity(table: str, body: str) -> Any:
    """Return the entity of ``State.<table>`` that ``body`` holds."""
    return _adapter(ENTITIES[table]).validate_json(body)


def encode_state(state: State) -> str:
    """Return the whole state as canonical JSON text: equal states give equal bytes (I7)."""
    tables = {
        table: {
            key: _adapter(kind).dump_python(entity, mode="json")
            for key, entity in getattr(state, table).items()
        }
        for table, kind in ENTITIES.items()
    }
    return canonical_json({"seq": state.seq, **tables})


def from_json(body: str) -> Any:
    """Return the plain document that canonical JSON text holds."""
    return json.loads(body)


def sha256_text(body: str) -> str:
    """Return the SHA-256 of stored text as it is."""
    return hashlib.sha256(body.encode(errors="surrogateescape")).hexdigest()
