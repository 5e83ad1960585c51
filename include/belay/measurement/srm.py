"""Sample ratio mismatch: is the split that was observed the split that was asked for?

A mismatch means that units were lost or gained by arm; no effect measured on them can be believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from belay.measurement.tails import chi_square_tail

Floats = NDArray[np.float64]

LARGE, SMALL = 10_000.0, 1_000.0
"""Weight of the prior, in units: from 50,000 planned units on, and below."""
LARGE_SAMPLE = 50_000


@dataclass(frozen=True, slots=True)
class SplitTest:
    """Pearson's chi-square test of a split.

    Attributes
    ----------
    statistic, p : float
        Statistic and p-value.
    observed, expected : tuple[float, ...]
        Units per arm: seen, and expected of the same total.
    """

    statistic: float
    p: float
    observed: tuple[float, ...]
    expected: tuple[float, ...]


def chi_square(counts: Sequence[float], shares: Sequence[float]) -> SplitTest:
    """Test ``counts`` against the expected ``shares`` (any positive weights).

    Raises
    ------
    ValueError
        When counts and shares do not fit, or a share is not positive.
    """
    seen, weight = np.asarray(counts, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    if seen.shape != weight.shape or seen.size < 2 or np.any(weight <= 0):
        raise ValueError(
            f"a split needs two arms or more with positive shares: {list(counts)}, {list(shares)}"
        )
    if seen.sum() == 0:
        return SplitTest(0.0, 1.0, tuple(seen.tolist()), tuple(seen.tolist()))
    expected = seen.sum() * weight / weight.sum()
    statistic = float(((seen - expected) ** 2 / expected).sum())
    return SplitTest(
        statistic, chi_square_tail(statistic, seen.size - 1), tuple(seen.tolist()), tuple(expected.tolist())
    )


def log_e_split(counts: ArrayLike, shares: ArrayLike, prior: float) -> Floats:
    """Return the log e-value against the split, valid at every look (Lindon & Malek, NeurIPS 2022).

    Parameters
    ----------
    counts
        Units per arm, shape (…, arms).
    shares
        Expected shares, summing to 1.
    prior
        Weight of the Dirichlet prior, in units: ``LARGE`` or ``SMALL``.
    """
    n = np.asarray(counts, dtype=np.float64)
    p = np.asarray(shares, dtype=np.float64)
    gained = (gammaln(prior * p + n) - gammaln(prior * p)).sum(axis=-1)
    found: Floats = gammaln(prior) - gammaln(prior + n.sum(axis=-1)) + gained - (n * np.log(p)).sum(axis=-1)
    return found
