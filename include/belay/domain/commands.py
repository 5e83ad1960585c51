"""What somebody asks for. A command says what is wanted; ``decide`` says whether it may be.

Who asks, and when, comes beside the command: see ``decide``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from belay.domain.capability import CapabilityPolicy
from belay.domain.events import Choice
from belay.domain.gates import Estimate, Gate, PromotionGate, ReviewVerdict, Verdict
from belay.domain.proposal import Proposal
from belay.domain.stages import Stage


@dataclass(frozen=True, slots=True)
class Finding:
    """One measured fact that admission needs: a rule's name, its verdict, and why."""

    rule: str
    verdict: Verdict
    sentence: str


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


@dataclass(frozen=True, slots=True)
class Freeze:
    """Let nothing widen in ``target``: ``all``, ``surface:NAME`` or ``capability:NAME``.

    ``known`` is what the policy files name: it can be frozen before the first proposal of it.
    """

    target: str
    reason: str
    known: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Unfreeze:
    """Lift a freeze: ``roles`` and ``givers`` are the asking person's, as for a veto.

    ``holders`` are the veto roles that policy files name there, for where nothing is in force yet.
    """

    target: str
    reason: str
    roles: frozenset[str] = frozenset()
    givers: Mapping[str, frozenset[str]] = field(default_factory=dict)
    holders: frozenset[str] = frozenset()


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
class RequestOversight:
    """Ask for the oversight that the step under way needs."""

    optimization: str
    step: int
    policy: CapabilityPolicy


@dataclass(frozen=True, slots=True)
class CastVote:
    """Answer a request. ``digest`` is the digest of what the voter was shown.

    ``givers`` has the roles that those who delegated to the voter hold in the roster now: who left, or
    lost a role, lends nothing any more.
    """

    request: str
    choice: Choice
    reason: str
    roles: frozenset[str]
    digest: str
    via: str
    givers: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SettleRequest:
    """Do what is due for a request now: remind, escalate, or close it (notice passed, or expired)."""

    request: str


@dataclass(frozen=True, slots=True)
class Delegate:
    """Let ``to`` answer in ``roles``, the asking person's own, until ``until`` (wall-clock, UTC, aware)."""

    to: str
    roles: frozenset[str]
    until: datetime
    reason: str
    via: str


@dataclass(frozen=True, slots=True)
class EndDelegation:
    """End a delegation before its time."""

    delegation: str
    reason: str


@dataclass(frozen=True, slots=True)
class OpenReview:
    """Record that the asking person opened the review a request rests on."""

    request: str


@dataclass(frozen=True, slots=True)
class Veto:
    """Stop ``target`` (an optimization's id, or ``capability:NAME``) at once."""

    target: str
    reason: str
    roles: frozenset[str]
    via: str
    givers: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stop:
    """Pull the kill switch on ``all``, ``surface:NAME`` or ``capability:NAME``.

    ``epochs`` says under which epoch each optimization is served at zero already: the flags come first,
    and the ledger follows them. ``stop`` names the pull.
    """

    stop: str
    target: str
    reason: str
    via: str
    pulled_at: datetime
    epochs: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IntendWidening:
    """Spend the step's grant: the flag writer asks before it widens."""

    optimization: str
    step: int


@dataclass(frozen=True, slots=True)
class RollBack:
    """Narrow an optimization to ``to_scope`` at once; anybody and anything may ask.

    ``above`` is an epoch that the flag system is known to serve: the narrowing goes beyond it.
    """

    optimization: str
    cause: str
    reason: str
    to_scope: int = 0
    evidence: str | None = None
    above: int = 0


@dataclass(frozen=True, slots=True)
class TurnBack:
    """Give up the widening intended under ``epoch``: back to the confirmed scope."""

    optimization: str
    epoch: int
    cause: str
    reason: str


@dataclass(frozen=True, slots=True)
class Contain:
    """The flag system shows what was not decided: record the incident, and narrow.

    ``by_hand`` means that what it shows cannot be known, because somebody else wrote it. ``decided_epoch`` is
    the ledger's when it was compared: what has moved since is compared again later.
    """

    optimization: str
    served_scope: int
    served_epoch: int
    target: str
    detail: str
    by_hand: bool = False
    decided_epoch: int | None = None


@dataclass(frozen=True, slots=True)
class ReportBlind:
    """The guard cannot see what ``target`` covers, since ``since`` (data time), because of ``source``."""

    source: str
    target: str
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True)
class ReportSighted:
    """The guard sees again what ``source`` hid."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Shrink:
    """Take an optimization that was not seen for longer than its budget to what was shown harmless."""

    optimization: str
    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class RecordHarmless:
    """Record that the guard has shown ``scope`` harmless."""

    optimization: str
    scope: int
    sentence: str
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class RecordInteraction:
    """Record that two live changes interact; the one that went live later is held."""

    optimization: str
    other: str
    sentence: str
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class TurnHoldback:
    """Hold others back from a complete change, or nobody any more, when it is time (data time)."""

    optimization: str
    data_time: datetime


@dataclass(frozen=True, slots=True)
class RecordRealised:
    """Record what a complete change does in the turn of the hold-back under way."""

    optimization: str
    rotation: int
    found: Estimate
    sentence: str
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class SpendHarm:
    """Freeze everything when the harm of the last week, ``limit`` days of a surface's traffic, is spent."""

    limit: float


@dataclass(frozen=True, slots=True)
class ConfirmScope:
    """The flag system was read back and shows ``scope`` under ``epoch``."""

    optimization: str
    scope: int
    epoch: int
    target: str
    effective_at: datetime


@dataclass(frozen=True, slots=True)
class ConfirmScopes:
    """Confirm many scopes in one breath; those that come too late are left out."""

    confirmations: tuple[ConfirmScope, ...]


Command = (
    AdoptPolicy
    | StartPromotion
    | JudgePromotion
    | RequestPromotion
    | Promote
    | JudgeProposal
    | RecordShadow
    | RecordOec
    | Demote
    | NoteRoster
    | Freeze
    | Unfreeze
    | Propose
    | StartStep
    | JudgeGate
    | TakeLook
    | RequestOversight
    | CastVote
    | SettleRequest
    | Delegate
    | EndDelegation
    | OpenReview
    | Veto
    | Stop
    | IntendWidening
    | RollBack
    | TurnBack
    | Contain
    | ReportBlind
    | ReportSighted
    | Shrink
    | RecordHarmless
    | RecordInteraction
    | TurnHoldback
    | RecordRealised
    | SpendHarm
    | ConfirmScope
    | ConfirmScopes
)
