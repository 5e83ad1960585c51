"""Scope: the share of units exposed, in basis points, and the ramp it climbs."""

from __future__ import annotations

from dataclasses import dataclass

FULL_SCOPE = 10_000
"""All units, in basis points."""


@dataclass(frozen=True, slots=True)
class Ramp:
    """The scope steps of a rollout, strictly increasing, in basis points.

    Raises
    ------
    ValueError
        When the steps are empty, out of 1..10000 or not strictly increasing.
    """

    steps: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.steps:
            raise ValueError("a ramp needs at least one step")
        if not all(1 <= step <= FULL_SCOPE for step in self.steps):
            raise ValueError(f"ramp steps are basis points from 1 to {FULL_SCOPE}: {list(self.steps)}")
        if any(low >= high for low, high in zip(self.steps, self.steps[1:], strict=False)):
            raise ValueError(f"a ramp must increase at every step: {list(self.steps)}")

    def step_after(self, scope: int) -> int | None:
        """Return the smallest step above ``scope``, or None at the top of the ramp."""
        return next((step for step in self.steps if step > scope), None)


def percent(scope: int) -> str:
    """Return ``scope`` (basis points) as people read it: ``1 %``, ``0.5 %``, ``25 %``."""
    return f"{scope / 100:g} %"


@dataclass(frozen=True, slots=True)
class HoldbackRule:
    """Who goes without a change that is complete, so that it can still be measured.

    Attributes
    ----------
    share : int
        Units held back, in basis points; 0 is nobody.
    horizon_seconds : float
        Data time after completion for which it lasts.
    rotate_seconds : float
        Data time after which others are held back.
    """

    share: int = 0
    horizon_seconds: float = 0.0
    rotate_seconds: float = 0.0


NO_HOLDBACK = HoldbackRule()
"""Nobody is held back."""
