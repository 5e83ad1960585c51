"""An event as the ledger keeps it."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from belay.domain import events as e
from belay.domain.actors import Actor


class Recorded(NamedTuple):
    """An event as the ledger keeps it: numbered, dated, and with its actor.

    ``command`` names what it was appended by: the entries of one command have the same, and no others.
    It is empty in entries from before it was kept.
    """

    seq: int
    at: datetime
    by: Actor
    event: e.Event
    command: str = ""

    @property
    def act(self) -> tuple[object, ...]:
        """What tells one act from another: the command, and in older entries actor and moment."""
        return (self.command,) if self.command else (self.at, self.by)
