"""How simulated people answer: by stated rules, never knowing more than the page shows or a hunch tells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class People:
    """Shares with which people say yes.

    Attributes
    ----------
    good_idea, bad_idea : float
        To a proposal that nobody saw, when it would win and when it would not: a hunch is not blind.
    step : float
        To a step whose review says widen. (Whose review does not say so, they are not asked about.)
    promotion : float
        To a promotion whose every criterion is met: nearly all, so that what holds an agent back are the
        criteria.
    """

    good_idea: float = 0.85
    bad_idea: float = 0.65
    step: float = 0.98
    promotion: float = 0.95

    def likes(self, rng: np.random.Generator, *, good: bool) -> bool:
        """Whether somebody would have done what was proposed."""
        return bool(rng.random() < (self.good_idea if good else self.bad_idea))

    def approves_step(self, rng: np.random.Generator) -> bool:
        """Whether somebody approves a step that its review recommends."""
        return bool(rng.random() < self.step)

    def approves_promotion(self, rng: np.random.Generator) -> bool:
        """Whether both roles approve a promotion that meets every criterion."""
        return bool(rng.random() < self.promotion)
