"""What a log of choices made by chance adds up to: all that a shadow needs of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SUMS = ("w", "wd", "wy", "n", "y")
"""What a unit's choices of one kind add up to: Σ1/p, Σd/p, Σ(y−kd)/p, how many, Σ(y−kd)."""
W, WD, WY, N, Y = range(len(SUMS))


@dataclass(frozen=True, slots=True)
class ChoiceLog:
    """Sufficient statistics of a log of choices made by chance (p: probability; y, d: the metric's parts).

    A choice's y is what its unit did from then to its next choice; d is 1, or the denominator of a ratio.

    Attributes
    ----------
    choices : tuple[str, ...]
        The K choices that were asked about; all others stand together at position K.
    decisions, unusable, units : int
        Choices in the log, those without a unit, a value or a probability in (0, 1], and units of the others.
    values, broken : int
        Rows of outcomes, and those whose value is missing or no finite number.
    level : float
        k = Σy/Σd: the metric's value by the policy that chose.
    size : float
        Σd.
    sums : ndarray
        ``SUMS`` by choice, over all units; shape (K+1, 5).
    products : ndarray
        Σ over units of the products of any two ``SUMS`` of any two choices; shape (K+1, K+1, 5, 5).
    events : ndarray
        By choice Σ1/p and Σ1/p² over choices whose y is not zero, and the same over the rest; shape (K+1, 4).
    largest : ndarray
        Largest 1/p by choice, shape (K+1,).
    """

    choices: tuple[str, ...]
    decisions: int
    unusable: int
    units: int
    values: int
    broken: int
    level: float
    size: float
    sums: Floats
    products: Floats
    events: Floats
    largest: Floats
