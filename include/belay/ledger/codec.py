"""Domain objects to plain JSON and back, by their type annotations (msgspec on standard dataclasses)."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec

from belay.domain.capability_state import CapabilityState
from belay.domain.digest import canonical_json
from belay.domain.events import EVENTS, Event
from belay.domain.identity import KnownAgent, KnownPerson
from belay.domain.request_state import DelegationState, RequestState
from belay.domain.state import BlindState, FreezeState, OptimizationState, State

ENTITIES: dict[str, type] = {
    "capabilities": CapabilityState,
    "optimizations": OptimizationState,
    "requests": RequestState,
    "freezes": FreezeState,
    "delegations": DelegationState,
    "blind": BlindState,
    "lifted": FreezeState,
    "people": KnownPerson,
    "agents": KnownAgent,
}
"""The tables of ``State``, and what they hold."""

_EVENTS = {kind: msgspec.json.Decoder(event) for kind, event in EVENTS.items()}
_ENTITIES: dict[str, msgspec.json.Decoder[Any]] = {
    table: msgspec.json.Decoder(entity) for table, entity in ENTITIES.items()
}
_SORTED = msgspec.json.Encoder(order="sorted")


def plain(thing: Any) -> Any:
    """Return a domain object as plain data, ready for JSON."""
    return msgspec.to_builtins(thing, str_keys=True)


def encode(thing: Any) -> str:
    """Return a domain object as canonical JSON text."""
    return canonical_json(plain(thing))


def restored(kind: type, document: Any) -> Any:
    """Return the domain object of ``kind`` that plain data hold.

    Raises
    ------
    ValueError
        When they do not fit.
    """
    return msgspec.convert(document, kind)


def decode_event(kind: str, body: str) -> Event:
    """Return the event of ``kind`` that ``body`` holds.

    Raises
    ------
    ValueError
        When the kind is unknown (written by a newer Belay) or the body does not fit it.
    """
    decoder = _EVENTS.get(kind)
    if decoder is None:
        raise ValueError(f"entry of unknown kind {kind!r}: it was written by a newer Belay")
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        raise ValueError(f"the body is no {EVENTS[kind].__name__}: {error}") from error


def encode_entity(entity: Any) -> str:
    """Return an entity as JSON text, its keys sorted: of equal entities the same text.

    Its text is compared, and never named by its hash, so it need not be canonical; this is far faster.
    """
    return _SORTED.encode(entity).decode()


def decode_entity(table: str, body: str) -> Any:
    """Return the entity of ``State.<table>`` that ``body`` holds.

    Raises
    ------
    ValueError
        When ``body`` does not fit it.
    """
    return _ENTITIES[table].decode(body)


def encode_state(state: State) -> str:
    """Return the whole state as canonical JSON text: equal states give equal bytes (I7)."""
    tables = {
        table: {key: plain(entity) for key, entity in getattr(state, table).items()} for table in ENTITIES
    }
    return canonical_json({"seq": state.seq, **tables})


def from_json(body: str) -> Any:
    """Return the plain document that canonical JSON text holds."""
    return json.loads(body)


def sha256_text(body: str) -> str:
    """Return the SHA-256 of stored text as it is."""
    return hashlib.sha256(body.encode(errors="surrogateescape")).hexdigest()
