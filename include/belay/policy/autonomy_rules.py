"""What must hold about the leases and the criteria that a capability file writes itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from belay.domain.autonomy import AutonomyRule, Criteria
from belay.policy.checked import Checked
from belay.policy.errors import PolicyError

_MORE_IS_STRICTER = frozenset({"days", "completed", "judged", "agreement", "data_quality"})
"""Criteria that ask for at least something; the others ask for at most something."""


def lease_errors(c: Checked) -> Iterator[PolicyError]:
    """A lease of the lowest stage lapses into nothing, and one shorter than its renewal is always due."""
    autonomy = c.file.autonomy
    if autonomy is None:
        return
    for stage, seconds in (autonomy.leases or {}).items():
        path = ("autonomy", "leases", stage)
        if stage.below is None:
            yield c.document.error(path, ..., f"{stage} cannot lapse: nothing is below it", "remove it")
        elif autonomy.renew_before is not None and autonomy.renew_before >= seconds:
            problem = "it is due for renewal from its first day"
            right = "make it longer than autonomy.renew_before"
            yield c.document.error(path, ..., problem, right)


def criteria_errors(c: Checked) -> Iterator[PolicyError]:
    """A capability may ask for more than the ladder, never for less."""
    ladder = AutonomyRule().criteria if c.shared.criteria is None else c.shared.criteria
    for stage, own in (c.file.promotion or {}).items():
        if stage.above is None:
            path = ("promotion", stage)
            yield c.document.error(path, ..., f"nothing is above {stage}", "remove it")
            continue
        least = asdict(ladder.get(stage, Criteria()))
        for name, value in own.model_dump().items():
            if value is None or least[name] is None:
                continue
            more = name in _MORE_IS_STRICTER
            if value < least[name] if more else value > least[name]:
                problem = f"{name} is looser than _ladder.yaml, which asks for {least[name]:g}"
                right = f"write {least[name]:g} or {'more' if more else 'less'}"
                yield c.document.error(("promotion", stage, name), value, problem, right)
