"""Could a quorum be reached? The policy's checks ask it of the roster, and gates before they ask people."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from belay.domain.figures import counted
from belay.domain.roster import Roster


@dataclass(frozen=True, slots=True)
class Quorum:
    """Who of the roster could make a quorum that is not asked for yet.

    Attributes
    ----------
    needed : int
        Approvals that it takes.
    owner : str
        The capability's owner, who never completes it alone.
    people : frozenset[str]
        Ids of those who could answer.
    vacant : tuple[str, ...]
        Roles that none of them holds.
    """

    needed: int
    owner: str
    people: frozenset[str]
    vacant: tuple[str, ...]

    @property
    def short(self) -> bool:
        """Whether there are too few."""
        return len(self.people) < self.needed

    @property
    def owner_alone(self) -> bool:
        """Whether the owner is the only one."""
        return self.people == {self.owner}

    @property
    def obstacle(self) -> str:
        """Why it cannot be reached, in words; empty when it can."""
        if self.vacant:
            return f"nobody could answer as {', '.join(self.vacant)}"
        if self.short:
            return f"{counted(len(self.people), 'person')} could answer and the quorum is {self.needed}"
        return f"only the owner {self.owner} could answer, never alone" if self.owner_alone else ""


def quorum_of(
    roster: Roster, roles: Collection[str], needed: int, *, owner: str, without: Collection[str] = ()
) -> Quorum:
    """Return who could make a quorum of ``roles``; ``without`` are those whose answers would not count."""
    free = {role: {person.id for person in roster.holders(role)}.difference(without) for role in roles}
    people = frozenset[str]().union(*free.values())
    return Quorum(needed, owner, people, tuple(role for role, holders in free.items() if not holders))
