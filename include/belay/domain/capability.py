"""What a capability may do: the policy of one YAML file, as frozen data.

Durations are seconds of *data time* (the warehouse's event time) unless a name says otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from belay.domain.autonomy import AutonomyRule
from belay.domain.calendar import ALWAYS, Calendar
from belay.domain.metrics import Guardrail, Metric, Primary
from belay.domain.oversight import OversightTable
from belay.domain.scope import NO_HOLDBACK, HoldbackRule, Ramp
from belay.domain.stages import DecisionClass, Stage, lower


@dataclass(frozen=True, slots=True)
class WindowRule:
    """How long a step is watched before it is reviewed.

    Attributes
    ----------
    minimum_seconds, maximum_seconds : float
        Data time since the scope went live.
    minimum_units : int
        Units in the smallest treatment arm.
    looks : int
        Planned looks over ``maximum_seconds``; the monitor stays valid under more.
    poll_seconds : float
        Wall-clock seconds between two looks.
    """

    minimum_seconds: float
    maximum_seconds: float
    minimum_units: int
    looks: int
    poll_seconds: float


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """The errors a decision may make.

    Attributes
    ----------
    alpha : float
        One-sided error rate of a test.
    power : float
        Chance to see the minimum effect.
    fdr : float
        Expected share, over all decisions of the capability, of false winners among those shown better.
    """

    alpha: float = 0.05
    power: float = 0.8
    fdr: float = 0.2


@dataclass(frozen=True, slots=True)
class ApprovalRule:
    """Who answers for a step.

    Attributes
    ----------
    roles : tuple[str, ...]
        Roles of which each must be among the approvals.
    quorum : int
        Approvals needed in all; at least one a role.
    veto_roles : tuple[str, ...]
        Roles that may veto at any time.
    expires_seconds : float
        Wall-clock seconds until silence means no.
    notice_seconds : float
        Wall-clock seconds of notice; where oversight is ``notice``, silence after them means yes.
    remind_after, escalate_after : float
        Shares of the waiting time after which people are reminded, and after which holders of
        ``escalate_to`` may answer in any role that is missing; 1 is never.
    escalate_to : tuple[str, ...]
        The next roles.
    """

    roles: tuple[str, ...]
    quorum: int
    veto_roles: tuple[str, ...]
    expires_seconds: float
    notice_seconds: float
    remind_after: float = 1.0
    escalate_after: float = 1.0
    escalate_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may happen at once.

    Attributes
    ----------
    max_variants : int
        Treatment variants of one optimization.
    max_live : int
        Live optimizations of the capability.
    changes_per_day : int
        Widenings of the capability in 24 hours of wall-clock time.
    max_open_requests : int
        Open approval requests, over all capabilities, above which supervision counts as overloaded.
    blindness_seconds : float
        How long the guard may miss data before scope shrinks.
    proposals_per_day : int
        Proposals of one agent or person in 24 hours of wall-clock time, over all capabilities.
    proposal_bytes, proposal_depth : int
        Size of one proposal as canonical JSON, and how deep it may be nested.
    """

    max_variants: int
    max_live: int
    changes_per_day: int
    max_open_requests: int
    blindness_seconds: float
    proposals_per_day: int = 50
    proposal_bytes: int = 65_536
    proposal_depth: int = 16


@dataclass(frozen=True, slots=True)
class GuardRule:
    """What the guard goes by, and how much may be at stake at once over all capabilities.

    Attributes
    ----------
    blindness : Mapping[Stage, float]
        Seconds of data time that the guard may miss data before scope shrinks, by stage; a capability's
        ``limits.blindness`` may be shorter.
    harm_per_week : float
        Days of a surface's whole traffic that may meet harm in a week, over all capabilities; beyond it
        everything freezes.
    live_per_surface, variants_per_surface : int
        Changes, and variants of them, that are measured on one surface at once; what is complete counts
        while a share of its units is held back.
    changes_per_unit : int
        Climbing changes that one unit may meet at once, over all surfaces.
    """

    blindness: Mapping[Stage, float] = field(default_factory=dict)
    harm_per_week: float = 7_000.0
    live_per_surface: int = 1_000
    variants_per_surface: int = 1_000
    changes_per_unit: int = 1_000


@dataclass(frozen=True, slots=True)
class SupervisionRule:
    """What people can be asked before their oversight is a formality.

    Attributes
    ----------
    max_pending_each : int
        Open requests for each person who may answer.
    hasty_seconds : float
        An answer sooner than this after the question, by somebody who did not open the review, is hasty.
    max_hasty_share : float
        Share of hasty answers above which nothing new is asked.
    least_answers : int
        Answers in the period below which shares mean nothing.
    period_seconds : float
        Wall-clock time that is looked back on.
    """

    max_pending_each: int = 10
    hasty_seconds: float = 10.0
    max_hasty_share: float = 0.5
    least_answers: int = 10
    period_seconds: float = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class ShadowRule:
    """Where the product logs what it chose by chance, and where a payload says what AI would choose.

    Attributes
    ----------
    source : str
        Table of the warehouse with one row per choice: which unit, on which surface, when.
    choice : str
        Column of what was chosen.
    propensity : str
        Column of the probability with which exactly that was chosen, in (0, 1].
    payload : str
        Key of a variant's payload that says what AI would choose: one value, or values with weights.
    filters : Mapping[str, str]
        Column of the source to the value it must have: the exposure filters that the source has columns for.
    """

    source: str
    choice: str
    propensity: str
    payload: str
    filters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CapabilityPolicy:
    """Everything that one capability's YAML file and the shared files say about it.

    ``digest`` is the SHA-256 of the canonical content; the ledger names the policy in force by it.
    """

    id: str
    title: str
    description: str
    owner: str
    surface: str
    decision_class: DecisionClass
    ceiling: Stage
    initial_stage: Stage
    ramp: Ramp
    free_scope: int
    primary: Primary
    guardrails: tuple[Guardrail, ...]
    segments: tuple[str, ...]
    exposure_filters: Mapping[str, str]
    window: WindowRule
    errors: ErrorRates
    approval: ApprovalRule
    limits: Limits
    oversight: OversightTable
    suites: tuple[str, ...]
    max_data_age_seconds: float
    agents: tuple[str, ...]
    digest: str
    autonomy: AutonomyRule = field(default_factory=AutonomyRule)
    calendar: Calendar = ALWAYS
    supervision: SupervisionRule = SupervisionRule()
    guard: GuardRule = field(default_factory=GuardRule)
    holdback: HoldbackRule = NO_HOLDBACK
    shadow: ShadowRule | None = None

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The primary metric, then every guardrail."""
        return (self.primary.metric, *(guardrail.metric for guardrail in self.guardrails))

    def blindness_budget(self, stage: Stage) -> float:
        """Return the data time in seconds that the guard may miss data at ``stage`` before scope shrinks."""
        return min(self.limits.blindness_seconds, self.guard.blindness.get(stage, math.inf))

    @property
    def promotion_quorum(self) -> tuple[tuple[str, ...], int]:
        """The roles that decide about a stage, and how many approvals it takes; by default a step's."""
        if self.autonomy.roles:
            return self.autonomy.roles, max(self.autonomy.quorum, 1)
        return self.approval.roles, self.approval.quorum

    def capped(self, stage: Stage) -> Stage:
        """Return ``stage`` under the ceiling and the decision class, whatever the record says."""
        return lower(stage, self.ceiling, self.decision_class.ceiling)
