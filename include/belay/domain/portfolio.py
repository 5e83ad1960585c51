"""The portfolio of a capability: how much error its stream of decisions may still make.

A hundred ideas tested at 5 % ship five that do nothing. LORD++ (Ramdas, Yang, Wainwright, Jordan, NeurIPS
2017, arXiv 1710.00499; after Javanmard & Montanari 2018) gives each decision a level of its own, so that
among everything that widens as shown better the expected share of false winners stays below ``fdr``,
however long the stream. It starts with a wealth of half of ``fdr``, spends a little on each decision, and
earns when one is shown better. What is under way counts as not shown, and a winner counts from the moment
it is known (Zrnic, Ramdas, Jordan, JMLR 2021), so decisions may overlap in time.

A decision is about one scope of one optimization: it is measured on units that were first seen at that
scope, which is the independence that the procedure asks for. Looking again at the same scope is the same
decision and keeps its level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from belay.domain.figures import short_percent

HORIZON = 10_000
"""Decisions for which the spending sequence is computed; a capability with more has spent it all."""
DECAY = 1.6
"""How fast the spending sequence falls: j^−1.6 gives the first decisions a usable level."""
SMALLEST = 1e-6
"""A level below this cannot be used: nothing could be shown at it."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision of the stream, in the order in which they began.

    Attributes
    ----------
    optimization : str
        What is decided about.
    phase : int
        Periods of constant scope it had gone through: which of its scopes is decided about.
    level : float
        One-sided level of its primary test, fixed when its first step was admitted.
    shown_at : int | None
        Decisions that had begun when it was shown better; None while it is not.
    """

    optimization: str
    phase: int
    level: float
    shown_at: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the stream stands, as seen from its decision ``number``.

    Attributes
    ----------
    number : int
        The decision's position in the stream, from 1.
    level : float
        One-sided level of its primary test.
    spent : float
        Sum of the levels of all decisions, this one included.
    earned : float
        What they may spend: half of ``fdr`` before the first winner, ``fdr`` for each winner after it.
    left : float
        ``earned − spent``.
    winners : int
        Decisions shown better so far.
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


@lru_cache(maxsize=1)
def _spending() -> tuple[float, ...]:
    weights = [j**-DECAY for j in range(1, HORIZON + 1)]
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def _share(since: int) -> float:
    """Return the share of a sum that is spent ``since`` decisions after it was earned."""
    return _spending()[since - 1] if since <= HORIZON else 0.0


def _earned(winners: int, fdr: float) -> float:
    return fdr * winners if winners else fdr / 2.0


def next_level(decisions: Sequence[Decision], *, fdr: float, alpha: float = 1.0) -> float:
    """Return the level of the decision that comes after ``decisions``; 0 when everything is spent.

    Parameters
    ----------
    decisions
        All decisions so far, in the order in which they began.
    fdr
        Bound on the share of false winners.
    alpha
        No decision gets more than this, however much is left.

    Raises
    ------
    ValueError
        When ``fdr`` is no share.
    """
    if not 0 < fdr < 1:
        raise ValueError(f"the false discovery rate must be between 0 and 1, got {fdr}")
    number, wealth = len(decisions) + 1, fdr / 2.0
    known = sorted(decision.shown_at for decision in decisions if decision.shown_at is not None)
    level = wealth * _share(number)
    for index, at in enumerate(known):
        level += (fdr - (wealth if index == 0 else 0.0)) * _share(number - at)
    # Binds only after a policy lowered fdr: what was promised under the new one has been spent already.
    room = _earned(len(known), fdr) - sum(decision.level for decision in decisions)
    return max(min(level, alpha, room), 0.0)


def find(decisions: Sequence[Decision], optimization: str, phase: int) -> int | None:
    """Return the position of the decision about that scope of ``optimization``, or None."""
    return next(
        (i for i, d in enumerate(decisions) if d.optimization == optimization and d.phase == phase), None
    )


def standing(decisions: Sequence[Decision], position: int, *, fdr: float) -> Standing:
    """Return where the stream stands, as seen from the decision at ``position`` (from 0)."""
    level = decisions[position].level
    winners = sum(decision.shown_at is not None for decision in decisions)
    spent, earned = sum(decision.level for decision in decisions), _earned(winners, fdr)
    left = max(earned - spent, 0.0)
    shown = "none shown better" if not winners else f"{winners} shown better"
    sentence = (
        f"Decision {position + 1} of this capability is tested at {short_percent(level)}: "
        f"{short_percent(spent)} of {short_percent(earned)} spent on {len(decisions)} "
        f"decision{'s' * (len(decisions) > 1)} ({shown}), {short_percent(left)} left; each winner earns "
        f"more. In the long run at most {short_percent(fdr)} of what is shown better may be no better."
    )
    return Standing(position + 1, level, spent, earned, left, winners, fdr, sentence)
