"""What can be asked about an optimization: to propose it, to take up a step, to judge it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from belay.domain.capability import CapabilityPolicy
from belay.domain.commands.finding import Finding
from belay.domain.gates import Estimate, Gate, ReviewVerdict, Verdict
from belay.domain.proposal import Proposal


@dataclass(frozen=True, slots=True)
class Propose:
    """Put an optimization forward."""

    proposal: Proposal
    policy: CapabilityPolicy


@dataclass(frozen=True, slots=True)
class StartStep:
    """Take up the next step of the ramp; ``findings`` hold what had to be measured (traffic, roster).

    ``asked_by`` is who started the run, as Airflow knows them.
    """

    optimization: str
    run: str
    policy: CapabilityPolicy
    findings: tuple[Finding, ...] = ()
    evidence: str | None = None
    asked_by: str = ""


@dataclass(frozen=True, slots=True)
class JudgeGate:
    """Record a gate's verdict on the step under way.

    ``caution`` says of harm that it was seen so far, and is not shown to last.
    """

    optimization: str
    step: int
    gate: Gate
    verdict: Verdict
    sentence: str
    evidence: str | None
    review: ReviewVerdict | None = None
    found: Estimate | None = None
    caution: bool = False


@dataclass(frozen=True, slots=True)
class TakeLook:
    """Record one look of the measurement window; ``finding`` is harmless, harmful or unknown."""

    optimization: str
    step: int
    look: int
    data_time: datetime
    harmful: bool
    sentence: str
    evidence: str | None
    finding: str = ""


@dataclass(frozen=True, slots=True)
class JudgeProposal:
    """Say whether one would have done what AI proposed. ``roles`` are those that the person holds."""

    optimization: str
    agrees: bool
    reason: str
    roles: frozenset[str]
    via: str


@dataclass(frozen=True, slots=True)
class RecordShadow:
    """Record what a proposal that nobody saw would have done."""

    optimization: str
    found: Estimate
    sentence: str
    evidence: str | None
