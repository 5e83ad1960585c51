"""Figures as people read them: shares, relative changes, durations, times, counts; made here alone."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta

_LARGE = 1_000_000
"""Per cent beyond this are printed in short: more digits would say nothing more."""
_MANY = 9.995
"""Shares from here on are printed without decimal places."""
_NEARLY = {"day": 86_220 / 86_400, "hour": 3_597 / 3_600, "minute": 59.5 / 60}
"""From this share of a unit on, the next smaller one would round up to it."""
_PERCENT = re.compile(r"([+-]?[0-9]{1,6}(?:\.[0-9]{1,6})?)\s?%\Z")


def share_of(text: object) -> float | None:
    """Return the share that a text such as ``5 %`` or ``0.5%`` means, or None when it is no such text."""
    found = _PERCENT.match(text.strip().replace("−", "-")) if isinstance(text, str) else None
    return float(found[1]) / 100 if found else None


def in_percent(value: float, places: int = 0) -> str:
    """Return a share with so many decimal places: 0.125 is ``12 %``, or ``12.5 %`` with one."""
    return f"{100 * value:.{places}f} %".replace("-", "−")


def short_percent(value: float) -> str:
    """Return a share with three significant digits: 0.125 is ``12.5 %``, 0.05 is ``5 %``."""
    return f"{100 * value:.3g} %" if abs(value) < _MANY else f"{100 * value:,.0f} %"


def signed_percent(value: float | None) -> str:
    """Return a relative change with its sign: ``+3.1 %``, ``−0.4 %``; ``unbounded`` where it has no bound.

    What is not zero is not printed as zero, and what is huge is printed in short.
    """
    if value is None or not math.isfinite(value):
        return "unbounded"
    if abs(value) >= _LARGE / 100:
        return f"{'over +' if value > 0 else 'below −'}{_LARGE:,.0f} %"
    if 1e-6 <= abs(value) < 0.0005:
        return f"{100 * value:+.1g} %".replace("-", "−")
    value += 0.0  # minus zero is zero
    return f"{100 * value:+.1f} %".replace("-", "−")


def with_interval(value: float, low: float, high: float) -> str:
    """Return a relative change with its interval: ``+3.1 % (−0.4 % to +6.6 %)``."""
    return f"{signed_percent(value)} ({signed_percent(low)} to {signed_percent(high)})"


def duration(lasting: timedelta) -> str:
    """Return a duration: ``3 days``, ``2.5 hours``, ``40 seconds``."""
    seconds = lasting.total_seconds()
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size * _NEARLY[unit]:
            count = round(max(seconds / size, 1), 1)
            return f"{count:g} {unit}" + ("" if count == 1 else "s")
    return counted(round(seconds), "second")


def moment(at: datetime) -> str:
    """Return a time to the minute: ``2026-12-01 09:05``. Say UTC beside it where that is not clear."""
    return f"{at:%Y-%m-%d %H:%M}"


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: ``1 person``, ``2 people``, ``1,000 units``, ``0 capabilities``."""
    return f"{count:,} {noun if count == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """Return the plural of a noun of Belay's messages; of several words the last one changes."""
    head, _, last = noun.rpartition(" ")
    if last in _PLURALS:
        many = _PLURALS[last]
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        many = f"{last[:-1]}ies"
    elif last.endswith(("s", "x", "ch", "sh")):
        many = f"{last}es"
    else:
        many = f"{last}s"
    return f"{head} {many}".lstrip()


_PLURALS = {"person": "people"}
