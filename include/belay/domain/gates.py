"""The gates between two scopes, and their verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite


class Gate(StrEnum):
    """One check between two scopes, in the order in which a run passes them."""

    ADMIT = "admit"
    QUALITY = "quality"
    WINDOW = "window"
    REVIEW = "review"
    APPROVAL = "approval"


class Verdict(StrEnum):
    """What a gate says. Only ``pass`` lets a run go on."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    HOLD = "hold"
    FAIL = "fail"


class PromotionGate(StrEnum):
    """One check between two stages, in the order in which a promotion passes them."""

    ADMIT = "admit"
    QUALITY = "quality"
    RECORD = "record"
    REVIEW = "review"
    APPROVAL = "approval"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A relative effect that was found, with its interval."""

    effect: float
    low: float
    high: float

    @property
    def sound(self) -> bool:
        """Whether it is an interval of finite numbers around its effect."""
        return all(map(isfinite, (self.low, self.high))) and self.low <= self.effect <= self.high


class ReviewVerdict(StrEnum):
    """What an impact review recommends; choosing to stop is a result."""

    WIDEN = "widen"
    HOLD = "hold"
    ROLL_BACK = "roll_back"
    STOP = "stop"

    @property
    def gate(self) -> Verdict:
        """The gate verdict that this review stands for."""
        return _GATE_VERDICTS[self]


_GATE_VERDICTS = {
    ReviewVerdict.WIDEN: Verdict.PASS,
    ReviewVerdict.HOLD: Verdict.HOLD,
    ReviewVerdict.STOP: Verdict.FAIL,
    ReviewVerdict.ROLL_BACK: Verdict.FAIL,
}
