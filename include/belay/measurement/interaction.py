"""Do two live changes do more, or less, together than each alone? Asked where units meet both.

The difference of differences of the later change's primary metric, over units that were seen by both: what
the change does to those who also have the other, less what it does to those who do not. Its e-value is that
of a mixture of normals (mSPRT, Johari et al. 2022), so it may be asked at every look.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from belay.measurement.sequences import log_e_two_sided, tuning

ALPHA = 0.01
"""Error rate of all pairs together: holding a change that is fine costs time, and no more."""
LEAST = 200
"""Units in each of the four groups before the test speaks."""


@dataclass(frozen=True, slots=True)
class Interaction:
    """What a pair shows.

    Attributes
    ----------
    units : tuple[int, int, int, int]
        Units with neither, the other alone, the later alone, both.
    alone, together : float
        What the later change does to those without the other, and with it, in the metric's unit.
    log_e : float
        Log e-value of an interaction.
    found : bool
        Whether it is shown.
    """

    units: tuple[int, int, int, int]
    alone: float
    together: float
    log_e: float
    found: bool


def judge_interaction(groups: Sequence[tuple[int, float, float]], pairs: int) -> Interaction:
    """Return what four groups (neither, other, later, both) of units, sums and sums of squares show."""
    units = tuple(n for n, _, _ in groups)
    assert len(units) == 4
    if min(units) < LEAST:
        return Interaction(units, 0.0, 0.0, 0.0, found=False)
    means = [s / n for n, s, _ in groups]
    variance = sum(max(q / n - m * m, 0.0) / (n - 1) for (n, _, q), m in zip(groups, means, strict=True))
    alone, together = means[2] - means[0], means[3] - means[1]
    if variance <= 0 or not math.isfinite(variance):
        return Interaction(units, alone, together, 0.0, found=False)
    z = (together - alone) / math.sqrt(variance)
    information = 4.0 / sum(1.0 / n for n in units)
    alpha = ALPHA / max(pairs, 1)
    log_e = float(log_e_two_sided(z, information, tuning(alpha, 10_000, sided=2)))
    return Interaction(units, alone, together, log_e, found=log_e >= -math.log(alpha))
