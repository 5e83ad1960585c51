"""Tails, quantiles and roots from scipy's special functions: scipy.stats takes a second and 45 MB to load."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, gammaln, ndtr, ndtri, stdtr, stdtrit

Floats = NDArray[np.float64]

_HALVINGS = 200


def normal_tail(z: float) -> float:
    """Return P(Z > ``z``) of the standard normal distribution."""
    return float(ndtr(-z))


def normal_quantile(alpha: float) -> float:
    """Return the z with P(Z > z) = ``alpha``."""
    return float(-ndtri(alpha))


def chi_square_tail(statistic: float, freedom: int) -> float:
    """Return P(X > ``statistic``) of the chi-square distribution."""
    return float(chdtrc(freedom, statistic))


def student_tail(t: float, freedom: float) -> float:
    """Return P(T > ``t``) of Student's distribution."""
    return float(stdtr(freedom, -t))


def student_quantile(alpha: float, freedom: float) -> float:
    """Return the t with P(T > t) = ``alpha``."""
    return float(-stdtrit(freedom, alpha))


def binomial_weights(trials: int, share: float) -> Floats:
    """Return the probabilities of 0 … ``trials`` successes."""
    k = np.arange(trials + 1, dtype=np.float64)
    choose = gammaln(trials + 1.0) - gammaln(k + 1.0) - gammaln(trials - k + 1.0)
    found: Floats = np.exp(choose + k * np.log(share) + (trials - k) * np.log1p(-share))
    return found


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where ``function`` changes sign between ``low`` and ``high``, by halving.

    Parameters
    ----------
    function
        Continuous, with one change of sign.
    low, high
        Bounds of the search.
    """
    below = function(low) < 0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if (function(middle) < 0) is below:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
