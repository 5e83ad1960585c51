"""The three values of evidence."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Finding(StrEnum):
    """What the evidence shows. Unknown is a value of its own, and never widens anything."""

    HARMLESS = "harmless"
    """Shown to stay within the margin."""
    HARMFUL = "harmful"
    """Shown to do harm."""
    UNKNOWN = "unknown"
    """Not shown either way: too little data, broken data, or an effect near the margin."""


def combine(findings: Iterable[Finding]) -> Finding:
    """Return what ``findings`` say together: one harm is harm; harmless needs all (and at least one)."""
    values = list(findings)
    if Finding.HARMFUL in values:
        return Finding.HARMFUL
    return Finding.HARMLESS if values and all(v is Finding.HARMLESS for v in values) else Finding.UNKNOWN
