"""What happens when somebody presses a button, and what happens when nobody does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from belay.domain.oversight import Oversight
from belay.domain.request_state import RequestState
from belay.domain.scope import FULL_SCOPE, percent


@dataclass(frozen=True, slots=True)
class Consequences:
    """What comes of each answer and of silence, as phrases that follow a colon.

    ``approve`` is empty where nobody has to approve (a notice).
    """

    approve: str
    silence: str
    reject: str
    veto: str

    @property
    def silent(self) -> str:
        """How silence is called."""
        return "If nobody answers" if self.approve else "If nobody says no"

    def lines(self, until: datetime) -> list[tuple[str, str]]:
        """Return pairs of what happens first and what follows."""
        pairs = [("If approved", self.approve)] if self.approve else []
        return [*pairs, (f"{self.silent} by {until:%Y-%m-%d %H:%M} UTC", self.silence)]

    def of(self, verb: str) -> str:
        """Return what ``approve``, ``reject`` or ``veto`` leads to."""
        return {"approve": self.approve, "reject": self.reject, "veto": self.veto}[verb]


def consequences(request: RequestState) -> Consequences:
    """Return what comes of each answer to ``request``, and of silence."""
    if request.promotes:
        return _of_a_stage(request)
    now, then = percent(request.from_scope), percent(request.to_scope)
    stays = "nobody sees it" if request.from_scope == 0 else f"it stays at {now}"
    shows = f"{then} of people see it" + ("" if request.from_scope == 0 else f", instead of {now}")
    down = "it can never be shown" if request.from_scope == 0 else "it is taken down to 0 % at once, for good"
    if request.oversight is Oversight.NOTICE:
        return Consequences("", f"it goes ahead, and {shows}", stays, down)
    shows = _when_all(request.quorum, shows)
    return Consequences(shows, f"it means no; {stays}", stays, down)


def people_words(request: RequestState, document: Mapping[str, Any]) -> str:
    """Say how many people a day the wider scope means, as far as the review knows."""
    if request.promotes:
        return " ".join(document.get("changes", ())) or "of what AI may decide alone"
    units = document.get("units_per_day")
    if not units:
        return "an unknown number of people a day"
    before, after = (units * scope / FULL_SCOPE for scope in (request.from_scope, request.to_scope))
    if not request.from_scope:
        return f"about {after:,.0f} people a day, and nobody now"
    return f"about {before:,.0f} → {after:,.0f} people a day"


def _when_all(quorum: int, then: str) -> str:
    """Say that one yes alone does not do it."""
    if quorum < 2:
        return then
    return f"when {'both' if quorum == 2 else f'all {quorum}'} have approved, {then}"


def _of_a_stage(request: RequestState) -> Consequences:
    here, there = request.from_stage, request.to_stage
    if here is there:
        falls = f"it means no; it falls below {here} when its lease ends"
        return Consequences(
            f"it keeps stage {here} for another lease",
            falls,
            falls.partition("; ")[2],
            falls.partition("; ")[2],
        )
    stays = f"it stays at stage {here}"
    more = _when_all(request.quorum, f"AI decides more alone: stage {there}")
    return Consequences(more, f"it means no; {stays}", stays, stays)
