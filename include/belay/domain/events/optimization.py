"""What has happened to an optimization: proposed, taken up, judged, looked at, ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from belay.domain.gates import Estimate, Gate, Verdict
from belay.domain.proposal import Proposal


class Outcome(StrEnum):
    """How an optimization ended."""

    COMPLETED = "completed"
    ROLLED_BACK = "rolled_back"
    STOPPED = "stopped"
    VETOED = "vetoed"
    KILLED = "killed"


@dataclass(frozen=True, slots=True)
class Proposed:
    """An optimization was proposed; ``digest`` names its exact content."""

    kind: ClassVar[str] = "optimization.proposed"
    optimization: str
    capability: str
    surface: str
    proposal: Proposal
    digest: str


@dataclass(frozen=True, slots=True)
class ProposalJudged:
    """A person said whether they would have done what AI proposed, before anybody saw it.

    ``counted`` is False when segregation of duties keeps the judgement out of the record.
    """

    kind: ClassVar[str] = "proposal.judged"
    optimization: str
    judge: str
    agrees: bool
    reason: str
    via: str
    counted: bool


@dataclass(frozen=True, slots=True)
class ShadowMeasured:
    """What a proposal that nobody saw would have done, where data can tell."""

    kind: ClassVar[str] = "proposal.shadowed"
    optimization: str
    found: Estimate
    sentence: str
    evidence: str | None


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A run took up one step of the ramp (scopes in basis points); ``last`` when it is the ramp's top.

    ``level`` is the one-sided level that the portfolio gives its primary test; None where it sets none.
    ``asked_by`` is who started the run, as Airflow knows them; empty where the run before it did.
    """

    kind: ClassVar[str] = "step.started"
    optimization: str
    step: int
    run: str
    from_scope: int
    to_scope: int
    policy: str
    last: bool = False
    level: float | None = None
    asked_by: str = ""


@dataclass(frozen=True, slots=True)
class GateJudged:
    """A gate gave its verdict on a step; ``evidence`` names the document it rests on."""

    kind: ClassVar[str] = "gate.judged"
    optimization: str
    step: int
    gate: Gate
    verdict: Verdict
    sentence: str
    evidence: str | None
    found: Estimate | None = None


@dataclass(frozen=True, slots=True)
class LookTaken:
    """All metrics were read once during the measurement window.

    ``finding`` is what they show: harmless, harmful or unknown; empty in entries from before it was kept.
    """

    kind: ClassVar[str] = "window.look"
    optimization: str
    step: int
    look: int
    data_time: datetime
    harmful: bool
    sentence: str
    evidence: str | None
    finding: str = ""


@dataclass(frozen=True, slots=True)
class OptimizationEnded:
    """An optimization reached its end."""

    kind: ClassVar[str] = "optimization.ended"
    optimization: str
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class CommandRefused:
    """Somebody asked for what the rules do not allow; kept because attempts are part of the record."""

    kind: ClassVar[str] = "command.refused"
    command: str
    subject: str
    rule: str
    message: str
