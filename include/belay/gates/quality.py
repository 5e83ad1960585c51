"""Quality: is the data that the review will read fit to be believed? Bad data never widens anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from belay.analysis.reading import logged_shares
from belay.domain import commands as c
from belay.domain.capability import CapabilityPolicy
from belay.domain.gates import Gate, Verdict
from belay.domain.state import OptimizationState
from belay.execution import execute
from belay.gates.outcome import GateOutcome, recorded, step_under_way
from belay.oversight.active_policy import policy_in_force, policy_moved

if TYPE_CHECKING:
    from belay.quality.run import QualityReport
    from belay.services import Services

_HISTORY = timedelta(days=3)
"""How much of the surface's history is checked before anybody was exposed."""

_FRESH = timedelta(hours=6)
"""Data time after a change of scope before its own data say anything about its quality."""


def quality(belay: Services, optimization: str, step: int) -> GateOutcome:
    """Check the data there is when the step begins, and keep the report as evidence.

    The review checks again exactly what it reads: data can go bad during the window.

    Raises
    ------
    RefusedError
        When the step is not the one under way, or it was not admitted.
    """
    known, _ = step_under_way(belay, optimization, step)
    if (spoken := recorded(known, Gate.QUALITY)) is not None:
        return spoken
    report = check_data(belay, known, policy_in_force(belay, known.capability))
    evidence = belay.ledger.put_evidence(report.to_document())
    verdict, sentence = report.verdict, report.sentence
    if verdict is Verdict.PASS and (moved := policy_moved(belay, known)):
        verdict, sentence = Verdict.HOLD, moved
    command = c.JudgeGate(optimization, step, Gate.QUALITY, verdict, sentence, evidence)
    execute(belay, command, by="quality")
    return GateOutcome(Gate.QUALITY, verdict, sentence, optimization, step, evidence)


def check_data(belay: Services, known: OptimizationState, policy: CapabilityPolicy) -> QualityReport:
    """Run the capability's suites on the newest period of constant scope that holds data."""
    period = _period(known, belay.data_now().astimezone(UTC), belay.settings.flag_settle)
    return _run(belay, policy, known.surface, period)


def _run(belay: Services, policy: CapabilityPolicy, surface: str, period: _Period) -> QualityReport:
    from belay.quality.run import run_suites

    now = belay.data_now().replace(tzinfo=None)
    return run_suites(
        belay.settings.warehouse_url,
        policy.suites,
        folder=belay.settings.expectations,
        surface=surface,
        optimization=period.optimization,
        since=period.since.replace(tzinfo=None),
        until=period.until.replace(tzinfo=None),
        now=now,
        shares=period.shares,
        max_age=timedelta(seconds=policy.max_data_age_seconds),
        docs=belay.settings.home / "data-docs",
    )


def check_surface(belay: Services, policy: CapabilityPolicy) -> QualityReport:
    """Run the capability's suites on its surface as a whole, whatever was live there."""
    now = belay.data_now().astimezone(UTC)
    return _run(belay, policy, policy.surface, _Period("", now - _HISTORY, now, None))


@dataclass(frozen=True, slots=True)
class _Period:
    """A time of constant scope: only there is one split right, and a unit in two variants wrong."""

    optimization: str
    since: datetime
    until: datetime
    shares: dict[str, float] | None


def _period(known: OptimizationState, now: datetime, settle: timedelta) -> _Period:
    until = now
    for index in reversed(range(len(known.phases))):
        phase = known.phases[index]
        since = phase.start + settle
        if phase.scope and until - since >= _FRESH:
            return _Period(known.id, since, until, logged_shares(known, phase.scope))
        until = phase.start
    return _Period("", now - _HISTORY, now, None)
