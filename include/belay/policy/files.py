"""What a capability file and `_defaults.yaml` may say, as strict Pydantic models.

Every field may be left out as far as these models go: what is missing after the defaults were filled in
is reported by ``checks.missing``, so that all errors of a file come at once.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from belay.domain.scope import FULL_SCOPE
from belay.policy.fields import (
    TABLE_COLUMN,
    Account,
    BasisPoints,
    ClassWord,
    Count,
    Duration,
    FilterValue,
    Margin,
    Name,
    OversightCells,
    Rate,
    RuleWord,
    Scope,
    Share,
    StageWord,
    Strict,
    Word,
    Words,
)


class PrimaryFile(Strict):
    """The metric that must not lose."""

    metric: Name | None = Field(None, description="a metric of _metrics.yaml")
    rule: RuleWord | None = Field(None, description="superior (when left out) or non_inferior")
    minimum_effect: Margin | None = Field(
        None, description="relative effect worth having, 0.05 is 5 %; power is computed for it"
    )
    margin: Margin | None = Field(None, description="relative loss that non_inferior tolerates, 0.1 is 10 %")


class WindowFile(Strict):
    """How long a step is watched."""

    minimum: Duration | None = Field(None, description="data time before a review, such as 3d")
    maximum: Duration | None = Field(None, description="data time after which the window ends, such as 14d")
    minimum_units: Count | None = Field(None, description="units in the smallest treatment arm")
    looks: Annotated[int, Field(ge=1, le=1_000)] | None = Field(None, description="planned looks")
    poll: Duration | None = Field(None, description="wall-clock time between two looks, such as 10m")


class ErrorsFile(Strict):
    """The errors a decision may make."""

    alpha: Annotated[float, Field(gt=0, le=0.2)] | None = Field(
        None, description="one-sided error rate, such as 0.05"
    )
    power: Annotated[float, Field(ge=0.5, lt=1)] | None = Field(
        None, description="chance to see minimum_effect, such as 0.8"
    )
    fdr: Annotated[float, Field(gt=0, le=0.5)] | None = Field(
        None, description="share of false winners among all that is shown better, such as 0.2"
    )


class ApprovalFile(Strict):
    """Who answers for a step."""

    roles: Annotated[list[Name], Field(min_length=1)] | None = Field(
        None, description="roles that must each approve"
    )
    quorum: Annotated[int, Field(ge=1, le=100)] | None = Field(None, description="approvals needed in all")
    veto_roles: Annotated[list[Name], Field(min_length=1)] | None = Field(
        None, description="roles that may veto at any time"
    )
    expires: Duration | None = Field(None, description="wall-clock time until silence means no, such as 24h")
    notice: Duration | None = Field(
        None, description="wall-clock time of notice before silence means yes, where notice is enough"
    )
    remind_after: Share | None = Field(
        None, description="share of the waiting time after which people are reminded; 1 is never"
    )
    escalate_after: Share | None = Field(
        None, description="share of the waiting time after which the next roles may answer; 1 is never"
    )
    escalate_to: list[Name] | None = Field(
        None, description="the next roles: after escalation they answer in any role that is missing"
    )


class LimitsFile(Strict):
    """How much may happen at once."""

    max_variants: Annotated[int, Field(ge=1, le=20)] | None = Field(
        None, description="treatment variants of one optimization"
    )
    max_live: Count | None = Field(None, description="live optimizations of the capability")
    changes_per_day: Count | None = Field(None, description="widenings in 24 hours of wall-clock time")
    max_open_requests: Count | None = Field(
        None, description="open requests of all capabilities, above which supervision is overloaded"
    )
    blindness: Duration | None = Field(
        None, description="how long the guard may miss data before scope shrinks, such as 24h"
    )
    proposals_per_day: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        None, description="proposals of one agent or person in 24 hours, over all capabilities, such as 50"
    )
    proposal_bytes: Annotated[int, Field(ge=1_000, le=1_000_000)] | None = Field(
        None, description="largest proposal, in bytes of JSON, such as 65536"
    )
    proposal_depth: Annotated[int, Field(ge=4, le=20)] | None = Field(
        None, description="how deep a proposal may be nested, such as 16"
    )


class GuardFile(Strict):
    """How much may be at stake at once, over all capabilities."""

    harm_per_week: Annotated[float, Field(gt=0, le=7_000)] | None = Field(
        None, description="days of a surface's whole traffic that may meet harm in a week, such as 0.5"
    )
    live_per_surface: Count | None = Field(None, description="changes measured on one surface at once")
    variants_per_surface: Count | None = Field(
        None, description="variants of all changes measured on one surface at once"
    )
    changes_per_unit: Count | None = Field(
        None, description="climbing changes that one unit may meet at once, over all surfaces"
    )


class HoldbackFile(Strict):
    """Who goes without a change that is complete, so that it can still be measured."""

    share: Annotated[int, BasisPoints, Field(ge=0, le=2_000)] | None = Field(
        None, description="units held back in basis points, such as 200; 0 holds nobody back"
    )
    horizon: Duration | None = Field(None, description="data time after completion, such as 60d")
    rotate: Duration | None = Field(
        None, description="data time after which others are held back, such as 14d"
    )


class CriteriaFile(Strict):
    """What the record at a stage must show for the next one; what is left out is not asked."""

    days: Annotated[float, Field(ge=0, le=3_660)] | None = Field(None, description="days at the stage")
    completed: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        None, description="optimizations completed at the stage"
    )
    judged: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        None, description="proposals that people judged at the stage"
    )
    harm_rate: Rate | None = Field(
        None, description="largest share of optimizations that did harm, as an upper bound, such as 0.2"
    )
    override_rate: Rate | None = Field(
        None, description="largest share that people overruled, as an upper bound, such as 0.3"
    )
    agreement: Rate | None = Field(
        None, description="least share on which people agreed, as a lower bound, such as 0.5"
    )
    data_quality: Rate | None = Field(None, description="least share of quality verdicts that passed")
    calibration: Annotated[float, Field(gt=0, le=1_000)] | None = Field(
        None, description="largest score of the predictions, in multiples of the score of saying no effect"
    )
    oec_margin: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="relative loss against the holdout that is tolerated, 0.02 is 2 %"
    )


class DemotionFile(Strict):
    """When a capability loses a stage by itself."""

    harm_rate: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        None, description="share of optimizations that may do harm before a stage is lost, such as 0.2"
    )
    within: Duration | None = Field(None, description="how far back harm is counted, such as 30d")
    again: Duration | None = Field(
        None, description="time after which a cause that lasts takes the next stage, such as 24h"
    )


class AutonomyFile(Strict):
    """How a capability keeps autonomy and loses it."""

    leases: dict[StageWord, Duration] | None = Field(
        None, description="how long a stage is granted, such as {supervised: 90d}"
    )
    renew_before: Duration | None = Field(
        None, description="how long before a lease ends it is taken up, such as 14d"
    )
    half_life: Duration | None = Field(None, description="age at which evidence counts half, such as 90d")
    confidence: Annotated[float, Field(ge=0.5, lt=1)] | None = Field(
        None, description="one-sided confidence of the record's bounds, such as 0.9"
    )
    max_expired: Rate | None = Field(
        None, description="share of requests that may run out while supervision counts as healthy"
    )
    roles: Annotated[list[Name], Field(min_length=1)] | None = Field(
        None, description="roles that must each approve a promotion; by default those of approval"
    )
    quorum: Annotated[int, Field(ge=1, le=100)] | None = Field(
        None, description="approvals that a promotion needs in all"
    )
    demotion: DemotionFile | None = Field(None, description="when a stage is lost")
    holdout: Annotated[int, BasisPoints, Field(ge=0, le=5_000)] | None = Field(
        None, description="share of units, in basis points, that never see any of its optimizations"
    )


class SupervisionFile(Strict):
    """What people can be asked before their oversight is a formality."""

    max_pending_each: Count | None = Field(None, description="open requests for each person who may answer")
    hasty: Duration | None = Field(
        None, description="an answer sooner than this, without the review opened, is hasty; such as 10s"
    )
    max_hasty_share: Share | None = Field(
        None, description="share of hasty answers above which nothing new is asked, such as 0.5"
    )
    least_answers: Count | None = Field(None, description="answers below which shares mean nothing")
    period: Duration | None = Field(None, description="wall-clock time that is looked back on, such as 30d")


class ShadowFile(Strict):
    """What can tell, without showing it, what a proposal would have done."""

    choice: Annotated[str, Field(pattern=TABLE_COLUMN)] | None = Field(
        None, description="source and column of what the product chose by chance, such as decisions.item"
    )
    propensity: Annotated[str, Field(pattern=TABLE_COLUMN)] | None = Field(
        None, description="column of the probability with which it was chosen, such as decisions.propensity"
    )
    payload: Word | None = Field(
        None, description="key of a variant's payload that says what AI would choose, such as item"
    )


class DefaultsFile(Strict):
    """What holds for every capability that does not say otherwise (``_defaults.yaml``)."""

    initial_stage: StageWord | None = Field(None, description="observe, suggest or supervised")
    ramp: Annotated[list[Scope], Field(min_length=1, max_length=50)] | None = Field(
        None,
        description="increasing scope steps in basis points, or as percent, such as [1 %, 5 %, 25 %, 100 %]",
    )
    free_scope: Annotated[int, BasisPoints, Field(ge=0, le=FULL_SCOPE)] | None = Field(
        None,
        description="scope in basis points, or as percent such as 5 %, up to which higher stages widen with "
        "less oversight",
    )
    segments: list[Name] | None = Field(None, description="columns of exposures that are judged one by one")
    exposure_filters: dict[Name, FilterValue] | None = Field(
        None, description="column of exposures to the value it must have, such as is_bot: false"
    )
    window: WindowFile | None = Field(None, description="how long a step is watched")
    errors: ErrorsFile | None = Field(None, description="the errors a decision may make")
    approval: ApprovalFile | None = Field(None, description="who answers for a step")
    limits: LimitsFile | None = Field(None, description="how much may happen at once")
    suites: Annotated[list[Name], Field(min_length=1)] | None = Field(
        None, description="suites of expectations/ that the data must pass"
    )
    autonomy: AutonomyFile | None = Field(None, description="how autonomy is kept and lost")
    max_data_age: Duration | None = Field(None, description="how old the newest data may be, such as 12h")
    supervision: SupervisionFile | None = Field(None, description="what people can be asked")
    guard: GuardFile | None = Field(None, description="how much may be at stake at once")
    holdback: HoldbackFile | None = Field(None, description="who goes without a change that is complete")
    calendar: Name | None = Field(
        None, description="calendar of _calendar.yaml by which people are asked; always, when left out"
    )


class CapabilityFile(DefaultsFile):
    """One capability: a kind of decision that AI may make. The file's name is its id."""

    title: Word | None = Field(None, description="its name for people")
    description: Words | None = Field(None, description="what AI decides here, in a sentence or two")
    owner: Account | None = Field(None, description="the accountable person, by id in _people.yaml")
    surface: Name | None = Field(None, description="where in the product it shows, such as checkout")
    decision_class: ClassWord | None = Field(
        None, description="human_only, bounded or reversible; it caps the stage"
    )
    ceiling: StageWord | None = Field(
        None, description="highest stage it may reach; by default its decision class's"
    )
    primary: PrimaryFile | None = Field(None, description="the metric that must not lose")
    guardrails: dict[Name, Margin] | None = Field(
        None, description="metric to the relative worsening it tolerates, such as support_tickets: 0.25"
    )
    agents: list[Account] | None = Field(
        None, description="agents that may propose, by name in _people.yaml; none listed means any"
    )
    oversight: OversightCells | None = Field(
        None, description="cells of _ladder.yaml to make stricter, such as {bounded: {canary: notice}}"
    )
    promotion: dict[StageWord, CriteriaFile] | None = Field(
        None, description="criteria of _ladder.yaml to make stricter, such as {suggest: {completed: 10}}"
    )
    shadow: ShadowFile | None = Field(
        None, description="the log of choices made by chance; without one, what was never shown is not known"
    )
