"""Shares and relative changes as people read them: ``12 %``, ``+3.1 %``, ``−0.4 %``."""

from __future__ import annotations


def in_percent(value: float, places: int = 0) -> str:
    """Return a share with so many decimal places: 0.125 is ``12 %``, or ``12.5 %`` with one."""
    return f"{100 * value:.{places}f} %".replace("-", "−")


def signed_percent(value: float) -> str:
    """Return a relative change with its sign: 0.031 is ``+3.1 %``, −0.004 is ``−0.4 %``."""
    return f"{100 * value:+.1f} %".replace("-", "−")


def with_interval(value: float, low: float, high: float) -> str:
    """Return a relative change with its interval: ``+3.1 % (−0.4 % to +6.6 %)``."""
    return f"{signed_percent(value)} ({signed_percent(low)} to {signed_percent(high)})"
