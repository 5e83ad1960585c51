"""What the Slack listeners work with: who somebody is, what was heard already, who has to be woken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from belay.domain.request_state import RequestState
from belay.domain.roster import Person
from belay.slack.groups import Groups
from belay.slack.repeats import Repeats

if TYPE_CHECKING:
    from belay.slack.watch import Watcher

Wake = Callable[[RequestState], object]


@dataclass(frozen=True)
class Desk:
    """What the listeners work with.

    Attributes
    ----------
    watcher : Watcher
        Brings messages up to date after an answer; knows the ledger.
    wake : Wake
        Tells whoever waits for a request (a run in Airflow) to look at the ledger. It may fail: what
        waits looks again by itself.
    """

    watcher: Watcher
    wake: Wake

    @cached_property
    def repeats(self) -> Repeats:
        """What was heard already."""
        return Repeats(self.watcher.channel.store)

    @cached_property
    def groups(self) -> Groups:
        """The user groups that stand for roles."""
        return Groups(self.watcher.channel)

    def person(self, slack_id: str) -> Person | None:
        """Return who ``slack_id`` is, with the roles held now; None for somebody outside the roster."""
        return self.groups.person(self.watcher.belay.roster(), slack_id)
