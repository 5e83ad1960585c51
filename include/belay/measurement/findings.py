"""The three values of evidence."""

from __future__ import annotations

from collections.abc import Iterable

from belay.domain.vocabulary import Finding

__all__ = ["Finding", "combine"]


def combine(findings: Iterable[Finding]) -> Finding:
    """Return what ``findings`` say together: one harm is harm; harmless needs all (and at least one)."""
    values = list(findings)
    if Finding.HARMFUL in values:
        return Finding.HARMFUL
    return Finding.HARMLESS if values and all(v is Finding.HARMLESS for v in values) else Finding.UNKNOWN
