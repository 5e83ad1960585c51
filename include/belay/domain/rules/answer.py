"""What a rule answers: events, or a refusal that says which rule and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from belay.domain.actors import Actor
from belay.domain.events import Event
from belay.domain.gates import Estimate
from belay.domain.vocabulary import Rule


@dataclass(frozen=True, slots=True)
class Refusal:
    """A command that the rules do not allow.

    ``kept`` says whether the attempt itself belongs in the record: it does when somebody tried to
    pass a limit (a widening without a grant, a vote without the right). ``until`` says when the same
    may be asked for again, where time alone mends it (wall-clock).
    """

    rule: Rule
    message: str
    kept: bool = False
    until: datetime | None = None


def not_an_interval(found: Estimate) -> Refusal:
    """Return the refusal of an estimate that is none: it would poison every figure that rests on it."""
    return Refusal(Rule.INTERVAL, f"{found.low} to {found.high} is no interval around {found.effect}")


def unknown_optimization(name: str) -> Refusal:
    """Return the refusal of what is asked about an optimization that nobody proposed."""
    return Refusal(Rule.UNKNOWN_OPTIMIZATION, f"the ledger knows no optimization {name!r}")


def unknown_capability(name: str) -> Refusal:
    """Return the refusal of what is asked about a capability without a policy."""
    return Refusal(Rule.UNKNOWN_CAPABILITY, f"the ledger knows no capability {name!r}")


Answer = tuple[Event, ...] | Refusal
"""Nothing to add (an empty tuple) means that it is so already."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, and when (wall-clock, UTC, aware)."""

    by: Actor
    at: datetime
