"""Is this the same person? The roster may call somebody otherwise tomorrow; a vote stays one voice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownPerson:
    """An id of the roster, and digests of every name that it ever had (`Person.names`)."""

    id: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KnownAgent:
    """An agent, and the id of the person who answers for it now."""

    id: str
    owner: str


def same_people(people: Mapping[str, KnownPerson], ids: Iterable[str]) -> frozenset[str]:
    """Return ``ids`` and every other id of the same people: those who share a name, at first hand or not."""
    found = set(ids) - {""}
    names: set[str] = set()
    while True:
        more = {name for one in found & people.keys() for name in people[one].names}
        if more <= names:
            return frozenset(found)
        names |= more
        found |= {known.id for known in people.values() if names & set(known.names)}
