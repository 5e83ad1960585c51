"""Durations as people write them in policy files: ``7d``, ``12h``, ``30m``, ``10s``."""

from __future__ import annotations

import re
from typing import Any

_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)([dhms])\Z")
_LONGEST = 366 * 86_400.0


def seconds_of(value: Any) -> float:
    """Return the seconds that ``value`` means: a positive number and one unit.

    Raises
    ------
    ValueError
        When it is not a duration, is zero, or is longer than a year.
    """
    match = _DURATION.match(value) if isinstance(value, str) else None
    seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if not 0 < seconds <= _LONGEST:
        raise ValueError("not a duration: write a positive number and d, h, m or s, such as 12h")
    return seconds


def written_duration(seconds: float) -> str:
    """Return ``seconds`` in the largest unit that says it exactly, as in a policy file."""
    for unit, size in _UNITS.items():
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"
