"""Days as draws: how much daily effects scatter beyond chance, and what that does to what is expected.

Two effects are told apart. The effect *so far* is the one on those exposed so far: random assignment of
units is all it needs, and the monitor speaks of it. The effect that is *expected* is the one on days to
come: the days seen are draws, and where their effects scatter, so may the next ones. A widening, "better",
"within its margin", the agent's record and calibration rest on the expected effect.

Sources: Cochran 1954 (Q); DerSimonian and Laird 1986 (variance between, by moments); Hartung and Knapp
2001 (Student's distribution for the mean of few draws). Error rates: docs/measurement.md, section
"Two effects", printed by ``benchmarks/dispersion.py``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from belay.cells.plan import Earlier
from belay.measurement.strata import Contrast, Linear, Pieces
from belay.measurement.tails import chi_square_tail, normal_quantile, student_quantile

Floats = NDArray[np.float64]

NOTICED, NOTICED_OF_FEW = 0.05, 0.15
"""Level of Cochran's test from which the planned decision takes the days to scatter as seen: the first, and
the second over the days. The fewer the days, the less a test sees, and the sooner they are taken to."""
CONTRADICTED = 0.01
"""Level from which the days at hand are believed against what the surface's earlier ones were like."""
ASSUMED, ASSUMED_DRAWS = 2.0, 2.0
"""The dispersion that is assumed at any look, and as how many days it counts: few days show too little."""
WORST = 8.0
"""The largest dispersion that is assumed where it cannot be seen; what is seen may be larger."""
FEW_DAYS = 2.5
"""Days of equal weight below which a dispersion cannot be measured."""
MOST_EARLIER = 12.0
"""Draws that earlier optimizations count as at most: this one may be different from all of them."""


@dataclass(frozen=True, slots=True)
class Dispersion:
    """How much the effects of days (or clusters) scatter, beside what chance would do.

    Attributes
    ----------
    days : int
        Exposure days that have units of both arms.
    effective : float
        Days of equal weight that they are worth (Kish 1965).
    q, p : float
        Cochran's Q, each day weighted as in the effect, and its p-value; NaN with one day.
    ratio : float
        Variance of the effect over its variance by chance, as seen (1: chance alone); NaN with one day.
    reach : float
        How much Q grows with the variance between days of the relative effect; 0 where that is undefined.
    unit : float
        How much ``ratio`` grows with it.
    earlier : Earlier | None
        What earlier optimizations of the surface showed.
    """

    days: int
    effective: float
    q: float
    p: float
    ratio: float
    reach: float = 0.0
    unit: float = 0.0
    earlier: Earlier | None = None

    @property
    def seen(self) -> bool:
        """Whether there are days enough to see a dispersion."""
        return self.effective >= FEW_DAYS and math.isfinite(self.ratio)

    @property
    def noticed(self) -> bool:
        """Whether the days scatter more than chance would have them."""
        return self.seen and self.p < NOTICED + NOTICED_OF_FEW / self.days

    def factor(self, alpha: float, *, anytime: bool) -> float:
        """Return how many times wider than the interval so far the expected one is, at one-sided ``alpha``.

        At the planned end, once: Student's distribution and the dispersion as seen where the days are
        noticed to scatter, else 1. At any look, where few days may look alike by chance: the dispersion
        seen together with an assumed one, and never below chance. What earlier optimizations of the surface
        showed takes the place of both, unless the days at hand contradict it.
        """
        own = self._own(alpha, anytime=anytime)
        if self.earlier is None:
            return own
        draws, freedom = self.earlier.draws, self.effective - 1.0 if self.seen else 0.0
        assumed = draws * (1.0 + self.earlier.between * self.unit)
        pooled = (assumed + (freedom * self.ratio if freedom else 0.0)) / (draws + freedom)
        found = _student(pooled, draws + freedom, alpha)
        return max(found, own) if self.seen and self.p < CONTRADICTED else found

    def _own(self, alpha: float, *, anytime: bool) -> float:
        if not anytime:
            return _student(self.ratio, self.effective - 1.0, alpha) if self.noticed else 1.0
        if not self.seen:
            return math.sqrt(WORST)
        freedom = self.effective - 1.0
        pooled = (ASSUMED * ASSUMED_DRAWS + self.ratio * freedom) / (ASSUMED_DRAWS + freedom)
        return min(_student(pooled, ASSUMED_DRAWS + freedom, alpha), math.sqrt(max(WORST, self.ratio)))

    @property
    def sentence(self) -> str:
        """What it says, for people; a part of a sentence."""
        days = f"{self.days} exposure {'day' if self.days == 1 else 'days'}"
        if not self.seen:
            said = f"{days}: too few to see whether days differ"
        elif self.noticed:
            said = f"effects of days differ: {self.ratio:.1f} times the variance of chance over {days}"
        else:
            said = f"effects of days agree within chance over {days}"
        if self.earlier is None:
            return said
        count = self.earlier.optimizations
        others = "an earlier optimization" if count == 1 else f"{count} earlier optimizations"
        return f"{said}; planned with what {others} of this surface showed"


def _student(ratio: float, freedom: float, alpha: float) -> float:
    return math.sqrt(max(ratio, 1.0)) * student_quantile(alpha, freedom) / normal_quantile(alpha)


def dispersion_of(parts: Pieces, line: Linear, found: Contrast, earlier: Earlier | None = None) -> Dispersion:
    """Return the dispersion of one comparison.

    Parameters
    ----------
    parts
        The pieces of each day (or cluster).
    line, found
        The comparison over all of them.
    earlier
        What earlier optimizations showed.
    """
    used = parts.weight > 0
    weight = parts.weight[used]
    days = int(used.sum())
    effective = float(weight.sum() ** 2 / (weight**2).sum()) if days else 0.0
    alone = Dispersion(days, effective, math.nan, math.nan, math.nan, earlier=earlier)
    control = float(found.control)
    if days < 1 or not control > 0:
        return alone
    total, factor = float(weight.sum()), float(found.treatment) / control
    chance = total * (float(found.variance_t) + factor**2 * float(found.variance_c))
    if not (math.isfinite(chance) and chance > 0):
        return alone
    unit = float((weight**2).sum()) / total * control**2 / chance
    if days < 2:
        return Dispersion(days, effective, math.nan, math.nan, math.nan, 0.0, unit, earlier)
    mean = parts.means[used] / weight[:, None, None]
    value = np.einsum("daj,aj->da", mean, line.arms)
    off = value[:, 0] - factor * value[:, 1]
    q = float((weight * (off - (weight * off).sum() / total) ** 2).sum() / chance)
    ratio = 1.0 + (q - (days - 1)) / (effective - 1.0) if effective > 1.0 else math.nan
    reach = (total - float((weight**2).sum()) / total) * control**2 / chance
    return Dispersion(days, effective, q, chi_square_tail(q, days - 1), ratio, reach, unit, earlier)


LEAST_EARLIER = 4.0
"""Draws of earlier optimizations below which they say too little to plan with."""
MOST_REVIEWS = 20
"""Reviews that are counted for a metric, newest first: what days were like long ago says less."""


def earlier_of(documents: Iterable[Mapping[str, Any]]) -> dict[str, Earlier]:
    """Return by metric what the reviews of earlier optimizations show; the variance between by moments.

    A review that shows no days (taken down on its first one, or from before dispersion was kept) takes no
    other's place: else a row of changes that harm on their first day would hide how much days differ here,
    and each of them would stay caution for ever.

    Parameters
    ----------
    documents
        Review documents, one an optimization, newest first.
    """
    seen: dict[str, list[tuple[float, float, float]]] = {}
    for document in documents:
        for effect in document.get("metrics", ()):
            kept = effect.get("dispersion") or {}
            q, reach = kept.get("q"), kept.get("reach") or 0.0
            rows = seen.setdefault(effect["metric"], [])
            if q is not None and reach > 0 and len(rows) < MOST_REVIEWS:
                rows.append((q, kept["days"] - 1.0, reach))
    found = {metric: _pooled(rows) for metric, rows in seen.items() if rows}
    return {metric: earlier for metric, earlier in found.items() if earlier.draws >= LEAST_EARLIER}


def read_earlier(document: Mapping[str, Any] | None) -> dict[str, Earlier]:
    """Return what was registered as plain data; nothing where nothing was."""
    return {metric: Earlier(**kept) for metric, kept in (document or {}).items()}


def _pooled(rows: Sequence[tuple[float, float, float]]) -> Earlier:
    q, freedom, reach = (sum(row[i] for row in rows) for i in range(3))
    return Earlier(max(q - freedom, 0.0) / reach, min(freedom, MOST_EARLIER), len(rows))
