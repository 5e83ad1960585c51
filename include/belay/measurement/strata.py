"""Stratified comparison of a treatment with control, from moments.

Comparing within a stratum (an exposure day) and averaging over strata is what keeps a ramp from
lying: when the split and the base rate move together, pooled averages differ without any effect.

Every array may carry leading axes (segments, or simulated streams); the axis of strata is the last one
of the counts. Arms are in the order (treatment, control).

Sources: Deng, Knoblich, Lu, KDD 2018 (delta method); Deng, Xu, Kohavi, Walker, WSDM 2013 (CUPED);
Cochran 1977, *Sampling techniques*, ch. 6 (combined ratio); Fieller 1954 (interval of a ratio of means).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pieces:
    """What one stratum adds to the comparison. Everything else is computed from sums of pieces.

    With weights w = n_t·n_c/n: ``weight`` Σw, ``means`` Σw·mean, ``null`` Σw²(1/n_t+1/n_c)·S with S the
    covariance of both arms together, ``apart`` the same with the within-arm covariance, split into the
    part of each arm, ``within`` the within-arm scatter, ``size`` units per arm.
    """

    weight: Floats
    means: Floats
    null: Floats
    apart: Floats
    within: Floats
    size: Floats

    def total(self) -> Pieces:
        """Return the pieces of all strata together."""
        return self._over(lambda values, axis: values.sum(axis=axis))

    def running(self) -> Pieces:
        """Return the pieces of the strata up to each one, in order."""
        return self._over(lambda values, axis: values.cumsum(axis=axis))

    def grouped(self, groups: Sequence[NDArray[np.intp]]) -> Pieces:
        """Return the pieces of each group of strata together: of each day, for instance."""

        def fold(values: Floats, axis: int) -> Floats:
            return np.stack([values.take(group, axis=axis).sum(axis=axis) for group in groups], axis=axis)

        return self._over(fold)

    def _over(self, fold: Callable[[Floats, int], Floats]) -> Pieces:
        return Pieces(
            fold(self.weight, -1),
            fold(self.means, -3),
            fold(self.null, -3),
            fold(self.apart, -4),
            fold(self.within, -3),
            fold(self.size, -2),
        )


def pieces(n: Floats, mean: Floats, scatter: Floats) -> Pieces:
    """Return the pieces of every stratum.

    Parameters
    ----------
    n
        Units, shape (…, stratum, 2), treatment first.
    mean
        Means of the values, shape (…, stratum, 2, J).
    scatter
        Sums of products of deviations from the cell's mean, shape (…, stratum, 2, J, J).
    """
    both = n.sum(axis=-1)
    n_t, n_c = n[..., 0], n[..., 1]
    usable = (n_t > 0) & (n_c > 0) & (both > 2)
    weight = np.where(usable, n_t * n_c / np.maximum(both, 1.0), 0.0)
    # w²(1/n_t + 1/n_c) is w itself; the degrees of freedom turn scatter into covariance.
    within = scatter.sum(axis=-3)
    gap = mean[..., 0, :] - mean[..., 1, :]
    between = weight[..., None, None] * gap[..., :, None] * gap[..., None, :]
    null = weight[..., None, None] * (within + between) / np.maximum(both - 1.0, 1.0)[..., None, None]
    apart = weight[..., None, None, None] * scatter / np.maximum(both - 2.0, 1.0)[..., None, None, None]
    kept = usable[..., None, None]
    return Pieces(
        weight,
        weight[..., None, None] * mean,
        null,
        apart,
        np.where(kept, within, 0.0),
        np.where(usable[..., None], n, 0.0),
    )


@dataclass(frozen=True, slots=True)
class Contrast:
    """A treatment against control.

    Attributes
    ----------
    treatment, control : ndarray
        Values standardised to the same mix of strata: means, or ratios of means.
    variance_t, variance_c : ndarray
        Parts of the variance of ``treatment − k·control``, which is ``variance_t + k²·variance_c``
        (within-arm variances pooled over the arms: at an even split the same as Welch's, and safe at 5/95).
    null_variance : ndarray
        Variance of ``treatment − control`` when there is no effect.
    information : ndarray
        4·Σ n_t·n_c/n: the units, on the scale of an even split.
    """

    treatment: Floats
    control: Floats
    variance_t: Floats
    variance_c: Floats
    null_variance: Floats
    information: Floats

    @property
    def difference(self) -> Floats:
        """Treatment minus control, in the metric's unit."""
        return self.treatment - self.control

    @property
    def z_null(self) -> Floats:
        """Standardised difference under no effect; NaN where nothing varies or something is undefined."""
        return quotient(self.difference, np.sqrt(self.null_variance))

    def z_margin(self, factor: float) -> Floats:
        """Return the standardised ``treatment − factor·control``."""
        spread = np.sqrt(self.variance_t + factor**2 * self.variance_c)
        return quotient(self.treatment - factor * self.control, spread)

    def relative(self, critical: Floats | float) -> tuple[Floats, Floats]:
        """Return the interval of the relative effect, treatment/control − 1 (Fieller 1954).

        It holds exactly the effects r whose contrast ``treatment − (1+r)·control`` is within ``critical``
        standard errors; infinite where control itself is not shown to differ from zero.
        """
        c2 = np.square(critical)
        a = self.control**2 - c2 * self.variance_c
        b = self.treatment * self.control
        c = self.treatment**2 - c2 * self.variance_t
        root = np.sqrt(np.maximum(b**2 - a * c, 0.0))
        bounded = (a > 0) & (self.control > 0) & np.isfinite(root)
        low, high = quotient(b - root, a), quotient(b + root, a)
        return np.where(bounded, low - 1.0, -np.inf), np.where(bounded, high - 1.0, np.inf)


TINY = 1e-9
"""A denominator below this part of the other arm's is a rounding error of the sums, and counts as none."""


def quotient(numerator: Floats, denominator: Floats) -> Floats:
    """Return numerator / denominator, and NaN where there is no positive denominator: undefined, not zero."""
    ok = denominator > 0
    return np.where(ok, numerator / np.where(ok, denominator, 1.0), np.nan)


def defined(denominators: Floats) -> NDArray[np.bool_]:
    """Return in which arm (last axis) a ratio is defined: its denominator is no zero, no rounding error."""
    largest = np.max(np.where(np.isfinite(denominators), denominators, 0.0), axis=-1, keepdims=True)
    found: NDArray[np.bool_] = (denominators > 0) & (denominators > TINY * largest)
    return found


@dataclass(frozen=True, slots=True)
class Linear:
    """A comparison as sums of unit values: what each unit counts with, in each arm and with no effect.

    ``arms`` (…, arm, value) and ``pooled`` (…, value) are the coefficients of the values; ``level`` the
    value of each arm. NaN where a level is undefined: no units, or a ratio without a denominator.
    """

    level: Floats
    arms: Floats
    pooled: Floats


def contrast(sums: Pieces, *, ratio: bool = False, covariate: bool = False) -> Contrast:
    """Return the comparison that ``sums`` (total or running pieces) stand for.

    Parameters
    ----------
    sums
        Pieces with values in the order y, d (with ``ratio``), x (with ``covariate``).
    ratio
        Compare Σy/Σd; each unit counts with its deviation (y − R·d)/D̄ (delta method).
    covariate
        Take off what the pre-exposure value x explains (CUPED), with one θ for both arms.
    """
    line = linear(sums, ratio=ratio, covariate=covariate)
    spread = np.einsum("...aj,...ajk,...ak->...a", line.arms, sums.apart, line.arms)
    squared = np.where(sums.weight > 0, sums.weight, np.inf) ** 2
    return Contrast(
        line.level[..., 0],
        line.level[..., 1],
        np.maximum(spread[..., 0], 0.0) / squared,
        np.maximum(spread[..., 1], 0.0) / squared,
        np.maximum(np.einsum("...j,...jk,...k->...", line.pooled, sums.null, line.pooled), 0.0) / squared,
        4.0 * sums.weight,
    )


def linear(sums: Pieces, *, ratio: bool = False, covariate: bool = False) -> Linear:
    """Return what each value counts with in the comparison that ``sums`` stand for (see ``contrast``)."""
    mean = sums.means / np.where(sums.weight > 0, sums.weight, np.nan)[..., None, None]
    share = sums.size / np.maximum(sums.size.sum(axis=-1, keepdims=True), 1.0)
    together = (share[..., None] * mean).sum(axis=-2)
    arms, pooled = np.zeros_like(mean), np.zeros_like(together)
    if ratio:
        ok = defined(mean[..., 1])
        denominator = np.where(ok, mean[..., 1], np.nan)
        whole = np.where(ok.all(axis=-1), together[..., 1], np.nan)
        level = quotient(mean[..., 0], denominator)
        arms[..., 0], arms[..., 1] = 1.0 / denominator, -level / denominator
        pooled[..., 0], pooled[..., 1] = 1.0 / whole, -quotient(together[..., 0], whole) / whole
    else:
        level = mean[..., 0]
        arms[..., 0], pooled[..., 0] = 1.0, 1.0
    if covariate:
        x = mean.shape[-1] - 1
        shared = np.einsum("...j,...j->...", pooled, sums.within[..., :, x])
        varies = sums.within[..., x, x] > 0
        # A covariate that does not vary explains nothing: that is known, not undefined.
        theta = np.where(varies, quotient(shared, sums.within[..., x, x]), 0.0)
        arms[..., x], pooled[..., x] = -theta[..., None], -theta
        level = level - theta[..., None] * (mean[..., x] - together[..., x][..., None])
    return Linear(level, arms, pooled)
