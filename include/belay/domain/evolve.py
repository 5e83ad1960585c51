"""Fold events into state: total, pure, without opinions. Whether an event may happen was decided before."""

from __future__ import annotations

from collections.abc import Iterable

from belay.domain.folds import capability, guarding, optimization, oversight, scope
from belay.domain.recorded import Recorded
from belay.domain.state import (
    State,
)
from belay.domain.tables import Fold, Tables

_FOLDS: dict[type, Fold] = {
    **capability.FOLDS,
    **optimization.FOLDS,
    **oversight.FOLDS,
    **guarding.FOLDS,
    **scope.FOLDS,
}
"""How each kind of event is folded."""


class Draft(Tables):
    """A state being folded, event by event."""

    def apply(self, recorded: Recorded) -> None:
        """Fold one recorded event."""
        _FOLDS[type(recorded.event)](recorded.event, self, recorded)
        self.seq = recorded.seq


def evolve(state: State, recorded: Recorded) -> State:
    """Return ``state`` after ``recorded``."""
    return fold([recorded], state)


def fold(history: Iterable[Recorded], start: State | None = None) -> State:
    """Return the state after ``history``, from ``start`` or from nothing."""
    draft = Draft(start or State())
    for recorded in history:
        draft.apply(recorded)
    return draft.state()
