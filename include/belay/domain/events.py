"""What has happened. Events are facts: frozen, plain, and only ever added to.

Field names and ``kind`` are the ledger's format: they may be added to, never renamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from belay.domain.calendar import ALWAYS, Calendar
from belay.domain.gates import Estimate, Gate, PromotionGate, Verdict
from belay.domain.oversight import Oversight, OversightRule, OversightTable
from belay.domain.proposal import Proposal
from belay.domain.scope import NO_HOLDBACK, HoldbackRule
from belay.domain.stages import DecisionClass, Stage


class Choice(StrEnum):
    """What a vote says."""

    APPROVE = "approve"
    REJECT = "reject"


class Outcome(StrEnum):
    """How an optimization ended."""

    COMPLETED = "completed"
    ROLLED_BACK = "rolled_back"
    STOPPED = "stopped"
    VETOED = "vetoed"
    KILLED = "killed"


@dataclass(frozen=True, slots=True)
class PolicyAdopted:
    """A capability's policy came into force; the first one registers the capability."""

    kind: ClassVar[str] = "policy.adopted"
    capability: str
    digest: str
    title: str
    owner: str
    surface: str
    decision_class: DecisionClass
    ceiling: Stage
    initial_stage: Stage
    veto_roles: tuple[str, ...]
    reason: str
    approval_roles: tuple[str, ...] = ()
    oversight: OversightTable = field(default_factory=dict)
    free_scope: int = 0
    leases: Mapping[Stage, float] = field(default_factory=dict)
    holdout: int = 0
    calendar: Calendar = ALWAYS
    document: str | None = None
    holdback: HoldbackRule = NO_HOLDBACK


@dataclass(frozen=True, slots=True)
class StagePromoted:
    """A capability went up one stage, by the people whose ``grant`` it used."""

    kind: ClassVar[str] = "capability.promoted"
    capability: str
    from_stage: Stage
    to_stage: Stage
    reason: str
    evidence: str | None = None
    grant: str | None = None


@dataclass(frozen=True, slots=True)
class LeaseRenewed:
    """A capability keeps its stage for another period, by the people whose ``grant`` it used."""

    kind: ClassVar[str] = "capability.renewed"
    capability: str
    stage: Stage
    grant: str
    reason: str
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class StageDemoted:
    """A capability went down, by a rule or by a person."""

    kind: ClassVar[str] = "capability.demoted"
    capability: str
    from_stage: Stage
    to_stage: Stage
    rule: str
    reason: str
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class PromotionStarted:
    """A run took up the question whether a capability may go up; the same stage twice renews its lease.

    ``asked_by`` is the person who asked for it; empty where a schedule did.
    """

    kind: ClassVar[str] = "promotion.started"
    capability: str
    run: str
    from_stage: Stage
    to_stage: Stage
    policy: str
    asked_by: str = ""


@dataclass(frozen=True, slots=True)
class PromotionJudged:
    """A gate of a promotion gave its verdict; ``evidence`` names the document it rests on."""

    kind: ClassVar[str] = "promotion.judged"
    capability: str
    run: str
    gate: PromotionGate
    verdict: Verdict
    sentence: str
    evidence: str | None


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
class OecMeasured:
    """The overall criterion of a capability against its holdout: a relative effect, more is better."""

    kind: ClassVar[str] = "oec.measured"
    capability: str
    effect: float
    low: float
    high: float
    since: datetime
    until: datetime
    sentence: str
    evidence: str | None


@dataclass(frozen=True, slots=True)
class RosterNoted:
    """Who is who as the roster says now: what people are known by, and who answers for each agent.

    ``people`` holds those who are new or have a new name, each with digests of all their names; ``agents`` is
    complete.
    """

    kind: ClassVar[str] = "roster.noted"
    people: Mapping[str, tuple[str, ...]]
    agents: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Frozen:
    """Nothing widens in ``target``: ``all``, ``surface:NAME`` or ``capability:NAME``."""

    kind: ClassVar[str] = "freeze.set"
    target: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unfrozen:
    """A freeze was lifted."""

    kind: ClassVar[str] = "freeze.lifted"
    target: str
    reason: str


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
class OversightRequested:
    """People were asked about a step; votes count for ``digest`` only, until ``expires_at``.

    A question about a promotion names ``capability`` and the stages instead of an optimization and scopes.
    ``rules`` are those that ``spoken`` holds, in words, and what a promotion rests on besides; entries from
    before it was kept hold none.
    """

    kind: ClassVar[str] = "approval.requested"
    request: str
    optimization: str
    step: int
    from_scope: int
    to_scope: int
    oversight: Oversight
    rules: tuple[str, ...]
    digest: str
    evidence: str | None
    roles: tuple[str, ...]
    quorum: int
    conflicted: tuple[str, ...]
    owner: str
    expires_at: datetime
    capability: str = ""
    from_stage: Stage | None = None
    to_stage: Stage | None = None
    remind_at: datetime | None = None
    escalate_at: datetime | None = None
    escalate_to: tuple[str, ...] = ()
    spoken: tuple[OversightRule, ...] = ()


@dataclass(frozen=True, slots=True)
class VoteCast:
    """A person answered. ``counted`` is False when segregation of duties keeps it out of the quorum.

    ``on_behalf_of`` names the person whose delegation gave the voter these roles; empty for one's own.
    """

    kind: ClassVar[str] = "approval.voted"
    request: str
    optimization: str
    voter: str
    roles: tuple[str, ...]
    choice: Choice
    reason: str
    via: str
    digest: str
    counted: bool
    on_behalf_of: str = ""


@dataclass(frozen=True, slots=True)
class DelegationGiven:
    """A person (the actor) let ``to`` answer in some of their own roles until ``until``."""

    kind: ClassVar[str] = "delegation.given"
    delegation: str
    to: str
    roles: tuple[str, ...]
    until: datetime
    reason: str
    via: str


@dataclass(frozen=True, slots=True)
class DelegationEnded:
    """A delegation was taken back or given up before its time."""

    kind: ClassVar[str] = "delegation.ended"
    delegation: str
    reason: str


@dataclass(frozen=True, slots=True)
class RequestReminded:
    """It was time to remind the people who have not answered."""

    kind: ClassVar[str] = "approval.reminded"
    request: str
    optimization: str
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RequestEscalated:
    """Nobody completed the quorum in time: holders of ``roles`` may answer now in any missing role."""

    kind: ClassVar[str] = "approval.escalated"
    request: str
    optimization: str
    roles: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReviewOpened:
    """A person (the actor) opened the review that a request rests on, before it was decided."""

    kind: ClassVar[str] = "review.opened"
    request: str
    optimization: str


@dataclass(frozen=True, slots=True)
class RequestClosed:
    """A request ended without a grant: rejected, expired, or void because what was shown changed."""

    kind: ClassVar[str] = "approval.closed"
    request: str
    optimization: str
    outcome: str
    reason: str


@dataclass(frozen=True, slots=True)
class OversightGranted:
    """The oversight that a step (or a promotion) needs was given: bound to a digest, to be used once.

    ``spoken`` are the ``rules`` as data where nobody was asked.
    """

    kind: ClassVar[str] = "approval.granted"
    grant: str
    optimization: str
    step: int
    from_scope: int
    to_scope: int
    oversight: Oversight
    digest: str
    request: str | None
    evidence: str | None
    rules: tuple[str, ...]
    capability: str = ""
    from_stage: Stage | None = None
    to_stage: Stage | None = None
    spoken: tuple[OversightRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Vetoed:
    """A person with the right stopped an optimization or a capability."""

    kind: ClassVar[str] = "veto.cast"
    target: str
    reason: str
    via: str


@dataclass(frozen=True, slots=True)
class KillSwitchPulled:
    """A person took everything of ``target`` down at ``pulled_at``; the ledger may have heard of it later.

    ``stop`` names the pull: it is recorded once, however often its completion is tried.
    """

    kind: ClassVar[str] = "stop.pulled"
    stop: str
    target: str
    reason: str
    via: str
    pulled_at: datetime


@dataclass(frozen=True, slots=True)
class ServedWider:
    """An incident: the flag system showed more than was decided, or something that Belay did not write."""

    kind: ClassVar[str] = "incident.served_wider"
    optimization: str
    served_scope: int
    served_epoch: int
    decided_scope: int
    decided_epoch: int
    target: str
    detail: str


@dataclass(frozen=True, slots=True)
class GuardBlinded:
    """The guard cannot see what ``target`` covers: nothing there widens until it can (one a ``source``).

    ``since`` is the data time up to which it could.
    """

    kind: ClassVar[str] = "guard.blind"
    source: str
    target: str
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True)
class GuardSighted:
    """The guard sees again what ``source`` hid."""

    kind: ClassVar[str] = "guard.sighted"
    source: str
    target: str
    reason: str


@dataclass(frozen=True, slots=True)
class ShownHarmless:
    """The guard has shown every metric within its margin at a scope, valid at every look."""

    kind: ClassVar[str] = "guard.harmless"
    optimization: str
    scope: int
    sentence: str
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class InteractionFound:
    """Two live changes do more, or less, together than each alone: the later one is held."""

    kind: ClassVar[str] = "guard.interaction"
    optimization: str
    other: str
    sentence: str
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class WideningIntended:
    """The flag system is about to be asked for more scope, under ``epoch`` (a fencing token)."""

    kind: ClassVar[str] = "scope.widening"
    optimization: str
    step: int
    grant: str
    from_scope: int
    to_scope: int
    epoch: int
    holdout: int = 0
    holdback: int = 0


@dataclass(frozen=True, slots=True)
class HoldbackIntended:
    """Others are about to be held back from a complete change, or nobody any more (``share`` 0)."""

    kind: ClassVar[str] = "scope.holdback"
    optimization: str
    share: int
    rotation: int
    epoch: int
    reason: str


@dataclass(frozen=True, slots=True)
class RealisedMeasured:
    """What a complete change does for one turn of the hold-back, beside what its last review claimed."""

    kind: ClassVar[str] = "guard.realised"
    optimization: str
    rotation: int
    found: Estimate
    sentence: str
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class NarrowingIntended:
    """The flag system is about to be asked for less scope; it needs no grant."""

    kind: ClassVar[str] = "scope.narrowing"
    optimization: str
    from_scope: int
    to_scope: int
    epoch: int
    cause: str
    reason: str
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class ScopeConfirmed:
    """The flag system was read back and shows this scope; ``effective_at`` is in data time."""

    kind: ClassVar[str] = "scope.confirmed"
    optimization: str
    scope: int
    epoch: int
    target: str
    effective_at: datetime


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


Event = (
    PolicyAdopted
    | StagePromoted
    | StageDemoted
    | LeaseRenewed
    | PromotionStarted
    | PromotionJudged
    | ProposalJudged
    | ShadowMeasured
    | OecMeasured
    | RosterNoted
    | Frozen
    | Unfrozen
    | Proposed
    | StepStarted
    | GateJudged
    | LookTaken
    | OversightRequested
    | VoteCast
    | DelegationGiven
    | DelegationEnded
    | RequestReminded
    | RequestEscalated
    | ReviewOpened
    | RequestClosed
    | OversightGranted
    | Vetoed
    | KillSwitchPulled
    | ServedWider
    | GuardBlinded
    | GuardSighted
    | ShownHarmless
    | InteractionFound
    | WideningIntended
    | HoldbackIntended
    | RealisedMeasured
    | NarrowingIntended
    | ScopeConfirmed
    | OptimizationEnded
    | CommandRefused
)

EVENTS: Mapping[str, type[Event]] = {event.kind: event for event in Event.__args__}
"""Every event type by its ``kind``."""
