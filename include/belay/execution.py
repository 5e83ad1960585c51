"""Commands carried out as one of Belay's own services; a refusal is raised."""

from __future__ import annotations

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
