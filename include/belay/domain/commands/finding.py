"""What one rule of admission says."""

from __future__ import annotations

from dataclasses import dataclass

from belay.domain.gates import Verdict


@dataclass(frozen=True, slots=True)
class Finding:
    """One measured fact that admission needs: a rule's name, its verdict, and why."""

    rule: str
    verdict: Verdict
    sentence: str
