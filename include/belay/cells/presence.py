"""What is missing of a metric, by arm: may its value be compared, and its covariate be used?

A value that is absent is not zero. As long as few are missing, and as many in each arm, the figures stand
(and above 1 % nothing is shown harmless). Where an arm lacks more than its share they say nothing: absence
then looks like an effect. The same goes for outcomes that lie before their unit's first exposure: no change
can have caused those, so a difference between the arms is a fault of the log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, bdtrc

from belay.cells.plan import PlannedMetric
from belay.cells.values import Value
from belay.domain.figures import short_percent
from belay.domain.metrics import Grain

Floats = NDArray[np.float64]

LEVEL = 0.0001
"""Error rate at one look of calling two arms different."""
MOST_UNUSABLE = 0.01
"""Share of an arm's values above which, missing or broken, nothing is shown harmless or sized."""
MOST_MISSING = 0.5
"""Share of an arm's values (or covariates) without which the rest cannot stand for all."""
MOST_EARLY = 0.9
"""Share of an arm's outcomes before the first exposure above which the times are not believed: of all its
outcomes, or of those on the day of that exposure. Who comes back has done much before; but not nearly all of
the very day on which it is first exposed, unless its times are cut to days."""
LEAST = 25
"""Units of an arm that must lack something before a share of them says anything."""


@dataclass(frozen=True, slots=True)
class Lack:
    """How many units lack something, of how many that could have it: by arm, control first.

    ``rows`` and ``void`` are outcome events of each arm, all of them and those that lack it.
    """

    units: Floats
    lacking: Floats
    rows: Floats
    void: Floats

    def share(self, arm: int) -> float:
        """Return the share of an arm's events that lack it."""
        return float(self.void[arm] / self.rows[arm]) if self.rows[arm] else 0.0

    def differs(self, arm: int) -> bool:
        """Return whether treatment ``arm`` lacks it more, or less, often than control.

        An exact binomial test of how those that lack it (or those that do not, if they are fewer) divide,
        two-sided. Conservative: they are drawn without return.
        """
        return _divides(self.lacking[[0, arm]], self.units[[0, arm]]) < LEVEL

    def exceeds(self, arm: int, limit: float) -> bool:
        """Return whether more than ``limit`` of an arm's events, of enough of its units, lack it."""
        return self.share(arm) > limit and float(self.lacking[arm]) >= LEAST


def _divides(lacking: Floats, units: Floats) -> float:
    """Return the p-value that ``lacking`` divides over two arms as ``units`` does."""
    if units.min() <= 0:
        return 1.0
    rarer = lacking if lacking.sum() <= units.sum() / 2 else units - lacking
    total, seen, share = float(rarer.sum()), float(rarer[1]), float(units[1] / units.sum())
    if total <= 0:
        return 1.0
    below = float(bdtr(seen, int(total), share))
    above = float(bdtrc(seen - 1, int(total), share)) if seen > 0 else 1.0
    return min(1.0, 2.0 * min(below, above))


def why_spoilt(lacks: Sequence[Lack], early: Sequence[Lack], arm: int, names: Sequence[str]) -> str | None:
    """Return why a metric cannot be compared between treatment ``arm`` and control, or None.

    Parameters
    ----------
    lacks
        Of its values: numerator, then denominator.
    early
        Of its outcomes before the first exposure, in all and on that day; none where days are counted.
    names
        The arms.
    """
    for lack in lacks:
        worst = max((0, arm), key=lack.share)
        share = short_percent(lack.share(worst))
        said = f"{share} of its values are missing or no finite numbers in {names[worst]}"
        if lack.exceeds(worst, MOST_MISSING):
            return said
        if lack.differs(arm):
            other = arm if worst == 0 else 0
            return f"{said}, against {short_percent(lack.share(other))} in {names[other]}"
    advice = "where its times are whole days, give the metric grain: day"
    for lack, which in zip(early, ("the outcomes", "the outcomes of that day"), strict=False):
        worst = max((0, arm), key=lack.share)
        share = short_percent(lack.share(worst))
        said = f"{share} of {which} in {names[worst]} are before their unit's first exposure"
        if lack.exceeds(worst, MOST_EARLY):
            return f"{said}: {advice}"
        if lack.differs(arm):
            other = arm if worst == 0 else 0
            return f"{said}, against {short_percent(lack.share(other))} in {names[other]}: {advice}"
    return None


def why_unadjusted(lack: Lack, names: Sequence[str]) -> str | None:
    """Return why a covariate is not used: absent for too many units of an arm, or not for as many in each."""
    shares = lack.lacking / np.maximum(lack.units, 1.0)
    worst = int(shares.argmax())
    said = f"is absent for {short_percent(shares[worst])} of the units in {names[worst]}"
    if shares[worst] > MOST_MISSING and lack.lacking[worst] >= LEAST:
        return said
    for arm in range(1, len(names)):
        if lack.differs(arm):
            other = 0 if worst else arm
            return f"{said}, against {short_percent(shares[other])} in {names[other]}"
    return None


@dataclass(frozen=True, slots=True)
class Counted:
    """The counts of a look's rows, added up by arm."""

    rows: Sequence[Mapping[Any, Any]]
    arm: NDArray[np.intp]
    arms: int

    def add(self, name: str) -> Floats:
        """Return the sum of a column of the rows, by arm."""
        column = np.array([float(row[name] or 0) for row in self.rows])
        found = np.bincount(self.arm, weights=column, minlength=self.arms)
        return found.astype(np.float64)

    def lack(self, value: str) -> Lack | None:
        """Return who lacks a value; None where nobody does."""
        if f"ua_{value}" not in self.rows[0]:
            return None
        units, lacking, read, void = (self.add(f"{kind}_{value}") for kind in ("ua", "um", "sa", "sm"))
        return Lack(units, lacking, read, void)

    def early(self, source: str) -> tuple[Lack, Lack]:
        """Return whose outcomes lie before the first exposure: of all of them, and of those on its day."""
        return self._early(source, ""), self._early(source, "d")

    def _early(self, source: str, mark: str) -> Lack:
        before, after = self.add(f"s{mark}b_{source}"), self.add(f"s{mark}r_{source}")
        return Lack(self.add("n"), self.add(f"u{mark}b_{source}"), before + after, before)


def presence_of(
    counted: Counted, planned: PlannedMetric, values: Sequence[Value], arms: Sequence[str]
) -> dict[str, Any]:
    """Return by arm which share of a metric's values is unusable, and why it cannot be compared."""
    lacks = [lack for value in values if value.part != "x" and (lack := counted.lack(value.name)) is not None]
    early = counted.early(planned.metric.source) if planned.metric.grain is Grain.TIME else ()
    shares = [max((lack.share(arm) for lack in lacks), default=0.0) for arm in range(len(arms))]
    spoilt = [why_spoilt(lacks, early, arm, arms) for arm in range(1, len(arms))]
    return {"unusable": tuple(max(shares[0], share) for share in shares), "spoilt": (None, *spoilt)}


def unadjusted_of(
    counted: Counted, planned: PlannedMetric, values: Sequence[Value], arms: Sequence[str]
) -> str | None:
    """Return why a metric is not adjusted by its covariate, as a note; None where it is, or has none."""
    if planned.metric.covariate is None:
        return None
    units = counted.add("n")
    lacking = units - counted.add(f"h_{values[-1].name}")
    why = why_unadjusted(Lack(units, lacking, units, lacking), arms)
    return f"{planned.metric.title} is not adjusted: {planned.metric.covariate} {why}" if why else None
