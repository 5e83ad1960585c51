"""Sample ratio mismatch: is the split that was observed the split that was asked for?

A mismatch means that units were lost or gained by arm; no effect measured on them can be believed. The data
gate, the window and replays of recorded experiments ask here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from belay.cells.plan import SRM_ALPHA
from belay.measurement.tails import binomial_weights, chi_square_tail

Floats = NDArray[np.float64]

LARGE, SMALL = 10_000.0, 1_000.0
"""Weight of the prior, in units: from 50,000 planned units on, and below."""
LARGE_SAMPLE = 50_000
_FEWEST = 5.0
"""Expected units per arm below which chi-square's approximation is poor (Cochran's rule)."""
_AS_LIKELY = 1.0 + 1e-7
"""Counts up to this much likelier than the one seen count as no likelier: rounding."""


@dataclass(frozen=True, slots=True)
class SplitTest:
    """What a split shows.

    Attributes
    ----------
    p : float | None
        P-value; None when there are too few units to test.
    observed : Mapping[str, int]
        Units seen, by arm.
    expected : Mapping[str, float]
        Units that the same total should have given each arm.
    unplanned : tuple[str, ...]
        Arms that were seen although nobody should get them.
    """

    p: float | None
    observed: Mapping[str, int]
    expected: Mapping[str, float]
    unplanned: tuple[str, ...] = ()

    @property
    def mismatch(self) -> bool:
        """Whether the split is not the one that was asked for (p < .001)."""
        return bool(self.unplanned) or (self.p is not None and self.p < SRM_ALPHA)


def srm_test(counts: Mapping[str, int], shares: Mapping[str, float]) -> SplitTest:
    """Test the split of ``counts`` against the expected ``shares``.

    Pearson's chi-square; with two arms and fewer than five units expected in one of them, the exact
    binomial test; with more arms and so few units, no test.

    Parameters
    ----------
    counts
        Units seen, by arm; an arm without units may be left out.
    shares
        Expected share of each arm (any weights that are not negative; they are normalised).

    Raises
    ------
    ValueError
        When no share is positive, one is negative, or a count is negative.
    """
    total_share = sum(shares.values())
    if total_share <= 0 or any(share < 0 for share in shares.values()):
        raise ValueError(f"shares must not be negative, and one must be positive: {dict(shares)}")
    if any(count < 0 for count in counts.values()):
        raise ValueError(f"counts must not be negative: {dict(counts)}")
    planned = {name: share / total_share for name, share in shares.items() if share > 0}
    observed = {name: int(counts.get(name, 0)) for name in planned}
    unplanned = tuple(sorted(name for name, count in counts.items() if count and name not in planned))
    total = sum(observed.values())
    expected = {name: total * share for name, share in planned.items()}
    p: float | None = None
    if total and len(planned) > 1:
        if min(expected.values()) >= _FEWEST:
            p = chi_square([observed[name] for name in planned], [planned[name] for name in planned])
        elif len(planned) == 2:
            rarer = min(planned, key=lambda name: planned[name])
            p = _binomial(observed[rarer], total, planned[rarer])
    return SplitTest(p, observed, expected, unplanned)


def chi_square(counts: Sequence[float], shares: Sequence[float]) -> float:
    """Return the p-value of Pearson's test of ``counts`` against ``shares`` (any positive weights).

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
        return 1.0
    expected = seen.sum() * weight / weight.sum()
    return chi_square_tail(float(((seen - expected) ** 2 / expected).sum()), seen.size - 1)


def _binomial(seen: int, total: int, share: float) -> float:
    """Return the probability of a count that is no likelier than ``seen`` of ``total``: two-sided, exact."""
    weights = binomial_weights(total, share)
    return min(float(weights[weights <= weights[seen] * _AS_LIKELY].sum()), 1.0)


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
