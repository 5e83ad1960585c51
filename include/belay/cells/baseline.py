"""What a surface is like without any optimization: the figures that power rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Baseline:
    """One metric over recent traffic.

    Attributes
    ----------
    units : int
        Units that were read.
    mean : float
        Value per unit (for a ratio: Σy/Σd).
    variance : float
        Variance of what one unit adds to it, after CUPED where the metric has a covariate.
    explained : float
        Share of the variance that the covariate took off; 0 without one, or where too many units lack it.
    problem : str
        Why there is no mean, in words; empty where there is one, or no unit came.
    """

    units: int
    mean: float
    variance: float
    explained: float = 0.0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a surface had in a period like the window's.

    Attributes
    ----------
    baselines : Mapping[str, Baseline]
        By metric.
    arrivals : ndarray
        Units that came for the first time, by day since the start of the period; held out units among them.
    """

    baselines: Mapping[str, Baseline]
    arrivals: NDArray[np.int64]
