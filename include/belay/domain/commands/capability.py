"""What can be asked about a capability: its policy, its promotion, its record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from belay.domain.capability import CapabilityPolicy
from belay.domain.commands.finding import Finding
from belay.domain.gates import Estimate, PromotionGate, Verdict
from belay.domain.stages import Stage


@dataclass(frozen=True, slots=True)
class AdoptPolicy:
    """Bring a capability's policy into force; ``document`` names the evidence that holds it whole."""

    policy: CapabilityPolicy
    reason: str
    document: str | None = None


@dataclass(frozen=True, slots=True)
class StartPromotion:
    """Take up the question whether a capability may go to ``to_stage``; its own stage renews the lease.

    ``findings`` hold what had to be looked up (is it due, are there people who could answer); ``asked_by`` is
    who asked for it, empty for a schedule.
    """

    capability: str
    to_stage: Stage
    run: str
    policy: CapabilityPolicy
    findings: tuple[Finding, ...] = ()
    evidence: str | None = None
    asked_by: str = ""


@dataclass(frozen=True, slots=True)
class JudgePromotion:
    """Record a gate's verdict on the promotion under way."""

    capability: str
    run: str
    gate: PromotionGate
    verdict: Verdict
    sentence: str
    evidence: str | None


@dataclass(frozen=True, slots=True)
class RequestPromotion:
    """Ask people about the promotion under way."""

    capability: str
    run: str
    policy: CapabilityPolicy


@dataclass(frozen=True, slots=True)
class Promote:
    """Use the grant that people gave: raise a capability by one stage, or renew its lease."""

    capability: str
    to_stage: Stage
    reason: str
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class RecordOec:
    """Record the overall criterion of a capability against its holdout (a relative effect; data time)."""

    capability: str
    found: Estimate
    since: datetime
    until: datetime
    sentence: str
    evidence: str | None


@dataclass(frozen=True, slots=True)
class Demote:
    """Lower a capability to ``to_stage``."""

    capability: str
    to_stage: Stage
    rule: str
    reason: str
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class NoteRoster:
    """Take note of who is who: people with digests of their names, and who answers for each agent."""

    people: Mapping[str, tuple[str, ...]]
    agents: Mapping[str, str]
