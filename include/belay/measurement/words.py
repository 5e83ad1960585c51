"""Figures as people read them: every number with its unit."""

from __future__ import annotations

import math
import re

from belay.domain.figures import signed_percent
from belay.domain.metrics import Metric

_PER_MANY = re.compile(r"\bper (1,?0[0,]*)\b")


_LARGE = 1_000_000
"""Figures beyond this are printed in short: more digits would say nothing more."""


def scale_of(unit: str) -> float:
    """Return what a value is multiplied by to be shown in ``unit``: 100 for %, 1,000 for per 1,000."""
    if unit.strip().startswith("%"):
        return 100.0
    many = _PER_MANY.search(unit)
    return float(many[1].replace(",", "")) if many else 1.0


def amount(value: float | None, metric: Metric) -> str:
    """Return ``value`` of ``metric`` with its unit: ``3.21 %``, ``4.87 EUR``."""
    if value is None or not math.isfinite(value):
        return "no value"
    shown = value * scale_of(metric.unit)
    digits = 2 if abs(shown) < 1000 else 0
    figure = f"{shown:,.{digits}f}" if abs(shown) < _LARGE else f"{shown:.3g}"
    return f"{figure} {metric.unit}".strip()


def interval(low: float | None, high: float | None) -> str:
    """Return an interval of relative effects: ``−1.0 % to +4.2 %``."""
    return f"{signed_percent(low)} to {signed_percent(high)}"


def names(values: list[str]) -> str:
    """Return ``values`` as a list in a sentence: ``a, b and c``."""
    return (
        values[0] if len(values) == 1 else f"{', '.join(values[:-1])} and {values[-1]}" if values else "none"
    )
