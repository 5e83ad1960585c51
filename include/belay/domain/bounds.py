"""Exact one-sided bounds on a share, for records that are small.

The interval of Clopper and Pearson (1934), by quantiles of the beta distribution. The incomplete beta
function is the continued fraction of DLMF 8.17.22, evaluated by Lentz's method; its quantile by
bisection, which needs no derivative and cannot leave the unit interval. The standard library has neither.
"""

from __future__ import annotations

import math
from functools import lru_cache

_TINY = 1e-300
_PRECISION = 1e-14
_TERMS = 500
_HALVINGS = 60


@lru_cache(maxsize=4096)
def upper_bound(hits: float, of: float, confidence: float) -> float:
    """Return the upper confidence bound on a share of which ``hits`` of ``of`` were seen; 1 of nothing.

    Evidence that has lost weight with age makes fractional counts; the bound extends to them continuously.
    """
    return 1.0 if hits >= of else beta_quantile(confidence, hits + 1, of - hits)


@lru_cache(maxsize=4096)
def lower_bound(hits: float, of: float, confidence: float) -> float:
    """Return the lower confidence bound on a share of which ``hits`` of ``of`` were seen; 0 of nothing."""
    return 0.0 if hits <= 0 else beta_quantile(1 - confidence, hits, max(of - hits, 0.0) + 1)


def beta_quantile(probability: float, a: float, b: float) -> float:
    """Return the value that a beta variable with parameters ``a``, ``b`` stays below with ``probability``.

    Raises
    ------
    ValueError
        When a parameter is not positive or the probability is no probability.
    """
    if not (0 <= probability <= 1 and a > 0 and b > 0):
        raise ValueError(f"no beta quantile: probability {probability}, parameters {a} and {b}")
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if beta_share(middle, a, b) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def beta_share(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function: the probability that the variable is at most ``x``."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on this side of the mean only
        return 1.0 - beta_share(1 - x, b, a)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(front) / (a * _fraction(x, a, b))


def _fraction(x: float, a: float, b: float) -> float:
    """Return 1 + d₁/(1 + d₂/(1 + …)) of DLMF 8.17.22."""
    value, c, d = 1.0, 1.0, 0.0
    for term in range(1, _TERMS):
        m = term // 2
        if term % 2:
            step = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            step = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / _away_from_zero(1 + step * d)
        c = _away_from_zero(1 + step / c)
        value *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
