"""Who acts. The ledger never records an act without saying what kind of being did it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ActorKind(StrEnum):
    """What an actor is; only a human can take responsibility."""

    HUMAN = "human"
    AGENT = "agent"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Actor:
    """One actor: a person of the roster, an AI agent, or one of Belay's own services."""

    kind: ActorKind
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


def human(person: str) -> Actor:
    """Return the person ``person`` as an actor."""
    return Actor(ActorKind.HUMAN, person)


def agent(name: str) -> Actor:
    """Return the AI agent ``name`` as an actor."""
    return Actor(ActorKind.AGENT, name)


def service(name: str) -> Actor:
    """Return one of Belay's own services (a gate, the guard, the flag writer) as an actor."""
    return Actor(ActorKind.SERVICE, name)
