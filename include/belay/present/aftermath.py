"""What became of what people decided: live, gone further, or taken down; a message about it lives on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from belay.domain.request_state import RequestState, RequestStatus
from belay.domain.scope import percent
from belay.domain.state import State, Status


class Standing(StrEnum):
    """How it stands now."""

    WAITS = "waits"
    """It was granted, and is not live at what was granted yet."""
    LIVE = "live"
    """It is live, at what was granted or more."""
    NARROWED = "narrowed"
    """It is live at less than what was granted."""
    DOWN = "down"
    """It was taken down, or ended before it was shown."""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What became of a granted step.

    Attributes
    ----------
    standing : Standing
        How it stands.
    scope : int
        Where it is now, in basis points.
    since : datetime | None
        Since when it is live there (wall-clock), where that is known.
    why : str
        Why it was narrowed or taken down; of the ledger's words.
    vetoed : bool
        Whether a person's veto did that.
    complete : bool
        Whether it climbed its whole ramp.
    newest : bool
        Whether it is the newest step that was asked about: only that one follows the course of its looks.
    looks : int
        How many times it was looked at since, rounded down to a power of two: a message changes seldom.
    unseen : bool
        Whether the guard cannot see it now: then nobody knows that there is no harm.
    """

    standing: Standing
    scope: int
    since: datetime | None = None
    why: str = ""
    vetoed: bool = False
    complete: bool = False
    newest: bool = True
    looks: int = 0
    unseen: bool = False


def aftermath(state: State, request: RequestState) -> Aftermath | None:
    """Return what became of a step that was granted; None of what is open, refused, or about a stage."""
    known = state.optimizations.get(request.optimization)
    if request.promotes or known is None:
        return None
    if request.status is not RequestStatus.GRANTED:
        if request.status is RequestStatus.VOID and known.status is Status.VETOED:
            return Aftermath(Standing.DOWN, known.scope, why=known.reason, vetoed=True)
        return None
    step = known.step
    newest = (step is not None and step.request == request.id) or _last_granted(state, request)
    scope = known.pending.to_scope if known.pending and not known.pending.widening else known.scope
    ended = known.status.ended and known.status is not Status.COMPLETED
    if ended or (scope == 0 and known.results.exposed_at is not None):
        vetoed = known.status is Status.VETOED
        return Aftermath(Standing.DOWN, scope, why=known.reason, vetoed=vetoed, newest=newest)
    if scope >= request.to_scope and not newest:
        return Aftermath(Standing.LIVE, request.to_scope, newest=False)
    if scope >= request.to_scope:
        watched = step.looks if step is not None and step.number > request.step else 0
        return Aftermath(
            Standing.LIVE,
            scope,
            since=known.results.widened_at[-1] if known.results.widened_at else None,
            complete=known.status is Status.COMPLETED,
            looks=(1 << watched.bit_length()) >> 1,
            unseen=bool(state.blind_to(known.capability, known.surface)),
        )
    was_wider = any(phase.scope >= request.to_scope for phase in known.phases)
    if was_wider:
        return Aftermath(Standing.NARROWED, scope, why=known.reason, newest=newest)
    return Aftermath(Standing.WAITS, scope, newest=newest)


def people_watched(look: Mapping[str, Any] | None) -> int | None:
    """Return how many people saw a change, as the document of a look or a review knows it, else None."""
    if look is None:
        return None
    if sample := look.get("sample"):
        return int(sum(count for arm, count in sample.items() if arm != "control"))
    effects = (look.get("monitoring") or {}).get("effects", ())
    arms = {str(line.get("arm")): int(line.get("units_treatment") or 0) for line in effects}
    return sum(arms.values()) or None


def words(after: Aftermath, people: int | None = None) -> str:
    """Return the same in words, without its time: ``live at 5 %, no harm found in 2,130 people``."""
    match after.standing:
        case Standing.WAITS:
            return f"not live yet: it is at {percent(after.scope)}"
        case Standing.LIVE if not after.newest:
            return f"it went live at {percent(after.scope)}; a newer message follows it from there"
        case Standing.LIVE:
            seen = f"no harm found in {people:,} people" if people else "nobody has looked at the effect yet"
            seen = (
                "the guard cannot see it now, so nobody knows that it does no harm" if after.unseen else seen
            )
            return f"live at {percent(after.scope)}; {seen}"
        case Standing.NARROWED:
            return f"shown to fewer people: live at {percent(after.scope)}"
    if after.scope == 0:
        return "taken down to 0 %"
    return f"ended; still shown at {percent(after.scope)} until the flag system takes it down"


def _last_granted(state: State, request: RequestState) -> bool:
    granted = [
        other.step
        for other in state.requests.values()
        if other.optimization == request.optimization and other.status is RequestStatus.GRANTED
    ]
    return request.step == max(granted, default=request.step)
