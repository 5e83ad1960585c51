"""Simulated streams of sufficient statistics: many experiments at once, one stratum a look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Stream:
    """Units, means, scatter and events by (experiment, look, arm[, value]); treatment first."""

    n: Floats
    mean: Floats
    scatter: Floats
    events: Floats
    proportion: bool = False
    ratio: bool = False
    covariate: bool = False


def sizes(
    reps: int, treated: NDArray[np.int64] | int, control: NDArray[np.int64] | int, looks: int
) -> Floats:
    by_look = np.stack(np.broadcast_arrays(treated, control, np.zeros(looks)), axis=-1)[:, :2]
    return np.broadcast_to(by_look, (reps, looks, 2)).astype(np.float64)


def conversions(rng: np.random.Generator, n: Floats, rate: Floats | float, lift: float = 0.0) -> Stream:
    """Conversions at ``rate`` (per look), times 1 + ``lift`` in the treatment."""
    rates = np.asarray(rate) * np.ones(n.shape[1])
    both = np.stack([rates * (1 + lift), rates], axis=-1)
    events = rng.binomial(n.astype(np.int64), both).astype(np.float64)
    mean = events / n
    return Stream(n, mean[..., None], (n * mean * (1 - mean))[..., None, None], events, proportion=True)


def revenue(
    rng: np.random.Generator,
    n: Floats,
    payers: Floats | float = 0.05,
    sigma: float = 1.0,
    lift: float = 0.0,
    cap: float | None = 0.999,
) -> Stream:
    """Revenue per unit: a few payers, lognormal amounts, winsorised at a frozen quantile of all units."""
    share = np.asarray(payers) * np.ones(n.shape[1])
    count = rng.binomial(n.astype(np.int64), share[None, :, None]).ravel()
    amounts = rng.lognormal(0.0, sigma, int(count.sum()))
    ends = np.concatenate([[0], np.cumsum(count)])
    if lift:
        arm = np.repeat(np.arange(count.size) % 2, count)
        amounts *= np.where(arm == 0, 1 + lift, 1.0)
    if cap is not None:
        limit = np.quantile(amounts[:200_000], 1 - (1 - cap) / float(np.mean(share)))
        amounts = np.minimum(amounts, limit)

    def total(values: Floats) -> Floats:
        running = np.concatenate([[0.0], np.cumsum(values)])
        return (running[ends[1:]] - running[ends[:-1]]).reshape(n.shape)

    sums, squares = total(amounts), total(amounts**2)
    mean = sums / n
    return Stream(n, mean[..., None], (squares - n * mean**2)[..., None, None], count.reshape(n.shape) * 1.0)


def of_units(values: Floats, **kind: bool) -> Stream:
    """Moments of values drawn unit by unit, shape (reps, looks, arms, units, J)."""
    n = np.full(values.shape[:3], values.shape[3], dtype=np.float64)
    mean = values.mean(axis=3)
    scatter = (
        np.einsum("rlauj,rlauk->rlajk", values, values)
        - n[..., None, None] * mean[..., :, None] * mean[..., None, :]
    )
    return Stream(n, mean, scatter, n, **kind)
