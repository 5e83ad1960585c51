"""The values that a unit has: of each metric a numerator, a ratio's denominator, a covariate."""

from __future__ import annotations

from dataclasses import dataclass

from belay.cells.plan import MeasurementPlan
from belay.domain.metrics import Metric, MetricKind


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a unit: a metric's numerator (``y``), denominator (``d``) or covariate (``x``)."""

    metric: int
    part: str

    @property
    def name(self) -> str:
        """Its column in a statement."""
        return f"{self.part}{self.metric}"


def values_of_metric(number: int, metric: Metric) -> list[Value]:
    """Return the values of the metric that has ``number`` in a statement, in the order y, d, x."""
    wanted = {"y": True, "d": metric.kind is MetricKind.RATIO, "x": bool(metric.covariate)}
    return [Value(number, part) for part, asked in wanted.items() if asked]


def values_of(plan: MeasurementPlan) -> list[list[Value]]:
    """Return the values of every metric of ``plan``, in the order y, d, x."""
    return [values_of_metric(i, planned.metric) for i, planned in enumerate(plan.metrics)]


def sources_of(plan: MeasurementPlan) -> list[str]:
    """Return the tables of outcomes that the plan reads."""
    return list(dict.fromkeys(planned.metric.source for planned in plan.metrics))
