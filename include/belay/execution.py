"""Commands carried out as one of Belay's own services; a refusal is raised."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from belay.domain.actors import service
from belay.domain.commands import Command
from belay.domain.rules.answer import Refusal

if TYPE_CHECKING:
    from belay.ledger.store import Outcome
    from belay.services import Services


class RefusedError(Exception):
    """The rules said no; ``refusal`` names the rule."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.message} (rule: {refusal.rule})")
        self.refusal = refusal


def execute(belay: Services, command: Command, *, by: str, key: str = "") -> Outcome:
    """Execute ``command`` as one of Belay's own services.

    Raises
    ------
    RefusedError
        When the rules say no.
    """
    outcome = belay.ledger.execute(command, by=service(by), at=belay.now(), key=key)
    if outcome.refusal is not None:
        raise RefusedError(outcome.refusal)
    return outcome


def in_words(duration: timedelta) -> str:
    """Return a duration as people say it: ``3 days``, ``2.5 hours``, ``40 seconds``."""
    seconds = duration.total_seconds()
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = round(seconds / size, 1)
            return f"{count:g} {name}" + ("" if count == 1 else "s")
    return f"{seconds:.0f} seconds"
