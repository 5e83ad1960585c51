"""The ledger takes note of the roster: what people are known by, and who answers for each agent now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from belay.domain import commands as c
from belay.domain.actors import service
from belay.domain.roster import Roster
from belay.domain.rules.roster import news_of

if TYPE_CHECKING:
    from belay.services import Services


def note_roster(belay: Services, roster: Roster) -> None:
    """Record what the ledger does not know yet of the roster; a file that names nobody says nothing."""
    if not roster.people:
        return
    command = c.NoteRoster({person.id: person.names for person in roster.people}, dict(roster.agents))
    if news_of(belay.ledger.state(), command) is None:
        return
    belay.ledger.execute(command, by=service("roster"), at=belay.now())
