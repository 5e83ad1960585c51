"""Exact tests for rare events: errors, refunds, complaints.

Given the number of events, the treatment's share of them is binomial with the split as its probability,
however rare events are. No variance is estimated, so nothing can be underestimated at a 1 % canary.

Sources: Lindon & Malek, NeurIPS 2022 (arXiv 2011.03567) for the Bayes factor; Clopper & Pearson 1934
for the interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincc, betaln

from belay.measurement.tails import binomial_weights, root

Floats = NDArray[np.float64]

PRIOR_EVENTS = 50.0
"""Weight of the prior around the split: 50 events; detects a doubled rate twice as often as 500."""
_SMALLEST = 1e-300


def log_e_counts(
    treated: Floats | float,
    control: Floats | float,
    share: Floats | float,
    *,
    more: bool,
    prior: float = PRIOR_EVENTS,
) -> Floats:
    """Return the log e-value of "the treatment has more (or fewer) than its share of the events".

    Parameters
    ----------
    treated, control
        Units with an event so far, in each arm.
    share
        Share of units in the treatment, among these two arms.
    more
        Look for more events (errors) or for fewer (conversions).
    prior
        Weight of the prior, in events.
    """
    x_t, x_c, theta = (np.asarray(value, dtype=np.float64) for value in (treated, control, share))
    a, b = prior * theta, prior * (1.0 - theta)
    tail = betaincc if more else betainc
    after, before = tail(a + x_t, b + x_c, theta), np.log(tail(a, b, theta))
    against = betaln(a + x_t, b + x_c) - betaln(a, b) - x_t * np.log(theta) - x_c * np.log1p(-theta)
    tiny = after < _SMALLEST
    found: Floats = against + np.log(np.where(tiny, 1.0, after)) - before
    if not np.any(tiny):
        return found
    # The data lie far on the other side: the integral over the tail is its edge over its slope there.
    slope = (b + x_c - 1.0) / (1.0 - theta) - (a + x_t - 1.0) / theta
    slope = np.maximum(slope if more else -slope, 1.0)
    edge = (a - 1.0) * np.log(theta) + (b - 1.0) * np.log1p(-theta) - betaln(a, b) - before - np.log(slope)
    return np.where(tiny, edge, found)


def rate_ratio_tail(treated: float, control: float, odds: float, rate: float, *, more: bool) -> float:
    """Return P(at least, or at most, the observed treatment events) when the rate ratio is ``rate``.

    Parameters
    ----------
    treated, control
        Events of each arm.
    odds
        Units in treatment over units in control.
    rate
        Treatment's event rate over control's.
    more
        Tail of at least as many (True) or at most as many (False).
    """
    seen, total = int(treated), int(treated + control)
    weights = binomial_weights(total, odds * rate / (1.0 + odds * rate)) if total else np.ones(1)
    return float(min(weights[seen:].sum() if more else weights[: seen + 1].sum(), 1.0))


def rate_ratio_bounds(treated: float, control: float, odds: float, alpha: float) -> tuple[float, float]:
    """Return the exact interval of the rate ratio, each side at ``alpha``."""
    low, high = 0.0, math.inf
    if treated > 0:
        low = _solve(lambda rate: rate_ratio_tail(treated, control, odds, rate, more=True) - alpha)
    if control > 0:
        high = _solve(lambda rate: alpha - rate_ratio_tail(treated, control, odds, rate, more=False))
    return low, high


def _solve(increasing: Callable[[float], float]) -> float:
    """Return the positive rate at which ``increasing`` is zero, looked for on a logarithmic scale."""
    return math.exp(root(lambda log_rate: increasing(math.exp(log_rate)), -25.0, 25.0))
