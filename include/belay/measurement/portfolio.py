"""The portfolio of a capability: how much error its stream of proposals may still make.

A hundred ideas tested at 5 % ship five that do nothing. LORD++ (Ramdas, Yang, Wainwright, Jordan, NeurIPS
2017, arXiv 1710.00499; after Javanmard & Montanari 2018) gives each proposal its own level so that, among
everything shipped, the expected share of false winners stays below ``fdr``, however long the stream. It
starts with a wealth, spends a little on each proposal, and earns when one is shown better. Proposals of one
surface are measured one after the other (mutual exclusion), which is what its independence asks for; a
proposal under way counts as not shown, as in the asynchronous version (Zrnic, Ramdas, Jordan, JMLR 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from belay.measurement.findings import to_plain

HORIZON = 10_000
"""Proposals for which the spending sequence is computed; a capability with more has spent it all."""
DECAY = 1.6
"""How fast the spending sequence falls: j^−1.6 gives the first proposals a usable level."""


@dataclass(frozen=True, slots=True)
class PortfolioLevel:
    """What the next proposal may spend.

    Attributes
    ----------
    number : int
        The next proposal's position in the stream, from 1.
    level : float
        Level of its primary test.
    spent : float
        Sum of the levels of the proposals before it.
    earned : float
        What winners earned, the starting wealth included.
    left : float
        ``earned − spent``.
    winners : int
        Proposals shown better so far.
    fdr : float
        Bound on the expected share of false winners among all winners.
    sentence : str
        The same for people.
    """

    number: int
    level: float
    spent: float
    earned: float
    left: float
    winners: int
    fdr: float
    sentence: str

    def to_document(self) -> dict[str, Any]:
        """Return it as plain data."""
        document: dict[str, Any] = to_plain(self)
        return document


@lru_cache(maxsize=1)
def _spending() -> NDArray[np.float64]:
    weights = np.arange(1, HORIZON + 1, dtype=np.float64) ** -DECAY
    found: NDArray[np.float64] = weights / weights.sum()
    return found


def levels(shown_better: Sequence[bool], *, fdr: float) -> NDArray[np.float64]:
    """Return the level of every proposal in the stream, and of the next one.

    Parameters
    ----------
    shown_better
        Per proposal, oldest first, whether its primary metric was shown better at its level. One that
        is under way, was stopped or was rolled back counts as False.
    fdr
        Bound on the share of false winners.
    """
    if not 0 < fdr < 1:
        raise ValueError(f"the false discovery rate must be between 0 and 1, got {fdr}")
    gamma, wealth = np.append(_spending(), 0.0), fdr / 2.0
    winners: list[int] = []
    found = []
    for position in range(1, len(shown_better) + 2):

        def spend(since: int, now: int = position) -> float:
            return float(gamma[min(now - since, HORIZON + 1) - 1])

        level = spend(0) * wealth
        if winners:
            level += (fdr - wealth) * spend(winners[0]) + fdr * sum(spend(winner) for winner in winners[1:])
        found.append(level)
        if position <= len(shown_better) and shown_better[position - 1]:
            winners.append(position)
    return np.array(found)


def next_level(shown_better: Sequence[bool], *, fdr: float) -> PortfolioLevel:
    """Return what the next proposal of a capability may spend, after the results so far.

    See ``levels`` for the parameters.
    """
    found = levels(shown_better, fdr=fdr)
    winners = sum(shown_better)
    wealth = fdr / 2.0
    earned = wealth + ((fdr - wealth) + fdr * (winners - 1) if winners else 0.0)
    spent = float(found[:-1].sum())
    number, level = len(shown_better) + 1, float(found[-1])
    sentence = (
        f"Proposal {number} of this capability is tested at {100 * level:.2g} %: {100 * spent:.2g} % of "
        f"{100 * earned:.2g} % spent, {winners} shown better; at most {100 * fdr:g} % "
        "false winners in the long run."
    )
    return PortfolioLevel(number, level, spent, earned, earned - spent, winners, fdr, sentence)
