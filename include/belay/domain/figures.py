"""Shares and relative changes as people read them: ``12 %``, ``+3.1 %``, ``−0.4 %``."""

from __future__ import annotations

import re

_PERCENT = re.compile(r"([+-]?[0-9]{1,6}(?:\.[0-9]{1,6})?)\s?%\Z")


def share_of(text: object) -> float | None:
    """Return the share that a text such as ``5 %`` or ``0.5%`` means, or None when it is no such text."""
    found = _PERCENT.match(text.strip().replace("−", "-")) if isinstance(text, str) else None
    return float(found[1]) / 100 if found else None


def in_percent(value: float, places: int = 0) -> str:
    """Return a share with so many decimal places: 0.125 is ``12 %``, or ``12.5 %`` with one."""
    return f"{100 * value:.{places}f} %".replace("-", "−")


def signed_percent(value: float) -> str:
    """Return a relative change with its sign: 0.031 is ``+3.1 %``, −0.004 is ``−0.4 %``."""
    return f"{100 * value:+.1f} %".replace("-", "−")


def with_interval(value: float, low: float, high: float) -> str:
    """Return a relative change with its interval: ``+3.1 % (−0.4 % to +6.6 %)``."""
    return f"{signed_percent(value)} ({signed_percent(low)} to {signed_percent(high)})"


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
