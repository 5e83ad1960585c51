"""Evidence that stays valid however often one looks: mixture e-values and confidence sequences.

Robbins 1970; Howard, Ramdas, McAuliffe, Sekhon 2021 (arXiv 1810.08240); Waudby-Smith, Arbour, Sinha,
Kennedy, Ramdas 2024 (arXiv 2103.06476, eq. 9 and appendix B). An e-value of 20 is evidence at the 5 %
level at whatever look it appears, because it exceeds 1/α at *any* look with probability at most α.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

Floats = NDArray[np.float64]

_NEWTON_STEPS = 60


def tuning(alpha: float, information: float, *, sided: int = 1) -> float:
    """Return ρ²: the mixture is tightest at ``information``; valid everywhere.

    Parameters
    ----------
    alpha
        Error rate of the test.
    information
        Units (on the scale of an even split) where power matters most: half of what is planned.
    sided
        1 or 2.
    """
    level = 2.0 * alpha if sided == 1 else alpha
    return (-2.0 * math.log(level) + math.log(1.0 - 2.0 * math.log(level))) / information


def log_e(z: Floats | float, information: Floats | float, rho2: float) -> Floats:
    """Return the logarithm of the one-sided e-value against "the effect is not positive".

    Parameters
    ----------
    z
        Standardised effect, positive in the direction that is looked for.
    information
        Information behind ``z``; 0 gives an e-value of 1.
    rho2
        From ``tuning``.
    """
    r = np.asarray(information, dtype=np.float64) * rho2
    a = 1.0 + r
    c = np.asarray(z, dtype=np.float64) * np.sqrt(r / a)
    found: Floats = math.log(2.0) - 0.5 * np.log(a) + 0.5 * c**2 + log_ndtr(c)
    return found


def log_e_two_sided(z: Floats | float, information: Floats | float, rho2: float) -> Floats:
    """Return the log of the two-sided e-value against "no effect" (mSPRT, Johari et al. 2022)."""
    r = np.asarray(information, dtype=np.float64) * rho2
    found: Floats = -0.5 * np.log1p(r) + 0.5 * np.square(z) * r / (1.0 + r)
    return found


def critical_one_sided(information: Floats | float, rho2: float, alpha: float) -> Floats:
    """Return the z at which the one-sided e-value reaches 1/``alpha`` (infinite without information)."""
    r = np.asarray(information, dtype=np.float64) * rho2
    a = 1.0 + r
    target = np.asarray(0.5 * np.log(a) - math.log(2.0 * alpha))
    c = np.sqrt(2.0 * np.maximum(target, 0.0)) + 1.0
    for _ in range(_NEWTON_STEPS):
        tail = log_ndtr(c)
        density = np.exp(-0.5 * c**2 - 0.5 * math.log(2.0 * math.pi) - tail)
        step = (0.5 * c**2 + tail - target) / (c + density)
        c = c - step
        if np.all(np.abs(step) <= 1e-14 * np.maximum(np.abs(c), 1.0)):
            break
    with np.errstate(divide="ignore"):
        found: Floats = np.where(r > 0, c * np.sqrt(a / np.where(r > 0, r, 1.0)), np.inf)
    return found


def critical_two_sided(information: Floats | float, rho2: float, alpha: float) -> Floats:
    """Return the half-width of the two-sided 1 − ``alpha`` confidence sequence, in standard errors."""
    r = np.asarray(information, dtype=np.float64) * rho2
    safe = np.where(r > 0, r, 1.0)
    found: Floats = np.where(r > 0, np.sqrt((1.0 + safe) / safe * np.log((1.0 + safe) / alpha**2)), np.inf)
    return found


def e_benjamini_hochberg(log_e_values: Floats, alpha: float) -> NDArray[np.bool_]:
    """Return which hypotheses the e-BH procedure rejects (Wang & Ramdas 2022, arXiv 2009.02824).

    Controls the false discovery rate at ``alpha`` whatever the dependence among the e-values: the
    largest k with the k-th largest e-value at least G/(k·α).
    """
    flat = np.asarray(log_e_values, dtype=np.float64)
    if flat.size == 0:
        return np.zeros(0, dtype=np.bool_)
    order = np.argsort(-flat, kind="stable")
    ranks = np.arange(1, flat.size + 1)
    passed = np.flatnonzero(flat[order] >= np.log(flat.size / (ranks * alpha)))
    rejected = np.zeros(flat.size, dtype=np.bool_)
    if passed.size:
        rejected[order[: passed[-1] + 1]] = True
    return rejected
