"""Autonomy stages, and the decision classes that cap them."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """How much of a decision AI makes alone, from nothing to almost everything."""

    OBSERVE = "observe"
    SUGGEST = "suggest"
    SUPERVISED = "supervised"
    BOUNDED = "bounded"
    AUTONOMOUS = "autonomous"

    @property
    def rank(self) -> int:
        """Position on the ladder; 0 is the least autonomy."""
        return _LADDER.index(self)

    @property
    def above(self) -> Stage | None:
        """The next stage up, or None at the top."""
        return _LADDER[self.rank + 1] if self.rank + 1 < len(_LADDER) else None

    @property
    def below(self) -> Stage | None:
        """The next stage down, or None at the bottom."""
        return _LADDER[self.rank - 1] if self.rank else None


_LADDER = tuple(Stage)


class DecisionClass(StrEnum):
    """What kind of decision a capability makes; it caps the stage whatever the record says."""

    HUMAN_ONLY = "human_only"
    BOUNDED = "bounded"
    REVERSIBLE = "reversible"

    @property
    def ceiling(self) -> Stage:
        """The highest stage that a capability of this class can ever reach."""
        return _CEILINGS[self]


_CEILINGS = {
    DecisionClass.HUMAN_ONLY: Stage.SUGGEST,
    DecisionClass.BOUNDED: Stage.BOUNDED,
    DecisionClass.REVERSIBLE: Stage.AUTONOMOUS,
}


def lower(*stages: Stage) -> Stage:
    """Return the lowest of ``stages``."""
    return min(stages, key=lambda stage: stage.rank)
