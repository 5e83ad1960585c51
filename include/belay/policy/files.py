"""What the policy files may say, as strict Pydantic models.

Every field may be left out as far as these models go: what is missing after the defaults were filled in
is reported by ``checks.missing``, so that all errors of a file come at once.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from belay.domain.calendar import WEEKDAYS
from belay.domain.figures import share_of
from belay.domain.metrics import Direction, Grain, MetricKind, PrimaryRule
from belay.domain.oversight import Oversight, StepKind
from belay.domain.scope import FULL_SCOPE
from belay.domain.stages import DecisionClass, Stage
from belay.policy.durations import seconds_of

NAME = r"^[a-z][a-z0-9_]{0,62}$"
_TABLE_COLUMN = r"^[A-Za-z_][A-Za-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*$"


def _as_word(value: Any) -> Any:
    """Filters compare words: a bare ``false`` is the word ``false``."""
    return str(value).lower() if isinstance(value, bool) else value


Name = Annotated[str, Field(pattern=NAME)]
Words = Annotated[str, Field(min_length=1, max_length=2_000)]
Word = Annotated[str, Field(min_length=1, max_length=150)]
FilterValue = Annotated[Word, BeforeValidator(_as_word)]
Account = Annotated[str, Field(min_length=1, max_length=254, pattern=r"^\S+$")]
Duration = Annotated[
    float,
    BeforeValidator(seconds_of),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?[dhms]$", "examples": ["7d", "12h"]}),
]


def _basis_points(value: Any) -> Any:
    """Scopes are basis points, or percent as a text that says so: ``5 %`` is 500."""
    share = share_of(value)
    points = None if share is None else round(share * FULL_SCOPE, 6)
    return value if points is None else int(points) if points == int(points) else points


def _share(value: Any) -> Any:
    """Effects, margins and rates are shares, or percent as a text that says so: ``5 %`` is 0.05."""
    share = share_of(value)
    return value if share is None else share


def _said_as_percent(value: Any) -> Any:
    """Hardly anybody who writes ``5`` means 500 %: then it has to be said as ``500 %``."""
    share = share_of(value)
    if share is None and value in range(2, 11) and not isinstance(value, bool):
        raise PydanticCustomError(
            "share_above_one", "{share:g} is {percent:g} %", {"share": value, "percent": value * 100}
        )
    return value if share is None else share


BasisPoints = BeforeValidator(_basis_points)
Scope = Annotated[int, BasisPoints, Field(ge=1, le=FULL_SCOPE)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
GroupId = Annotated[str, Field(pattern=r"^S[A-Z0-9]{2,30}$")]
Margin = Annotated[float, BeforeValidator(_said_as_percent), Field(gt=0, le=10)]
Rate = Annotated[float, BeforeValidator(_share), Field(ge=0, le=1)]
Share = Annotated[float, BeforeValidator(_share), Field(gt=0, le=1)]
WeekdayWord = Annotated[str, Field(pattern=f"^({'|'.join(WEEKDAYS)})$")]
DayWord = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
HoursWord = Annotated[str, Field(pattern=r"^[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}$")]

# Enumerations are read from their words; strict mode would ask for the Python object.
StageWord = Annotated[Stage, Field(strict=False)]
ClassWord = Annotated[DecisionClass, Field(strict=False)]
StepWord = Annotated[StepKind, Field(strict=False)]
OversightWord = Annotated[Oversight, Field(strict=False)]
GrainWord = Annotated[Grain, Field(strict=False)]
KindWord = Annotated[MetricKind, Field(strict=False)]
DirectionWord = Annotated[Direction, Field(strict=False)]
RuleWord = Annotated[PrimaryRule, Field(strict=False)]

OversightCells = dict[StageWord, dict[StepWord, OversightWord]]


class Strict(BaseModel):
    """No unknown key, no silent conversion."""

    # A model is built when it is first asked: a task that starts reads one capability.
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)


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

    choice: Annotated[str, Field(pattern=_TABLE_COLUMN)] | None = Field(
        None, description="source and column of what the product chose by chance, such as decisions.item"
    )
    propensity: Annotated[str, Field(pattern=_TABLE_COLUMN)] | None = Field(
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


class MetricFile(Strict):
    """One metric of the catalogue."""

    title: Word | None = Field(None, description="its name for people")
    kind: KindWord | None = Field(None, description="proportion, mean, ratio or rare_count")
    unit: Word | None = Field(None, description="unit shown beside every figure, such as EUR")
    direction: DirectionWord | None = Field(
        None, description="which way is good: increase or decrease; a margin means nothing without it"
    )
    value: Annotated[str, Field(pattern=_TABLE_COLUMN)] | None = Field(
        None, description="source and column that is summed per unit, such as outcomes.converted"
    )
    denominator: Annotated[str, Field(pattern=_TABLE_COLUMN)] | None = Field(
        None, description="source and column of a ratio's denominator, such as outcomes.page_views"
    )
    cap: Annotated[float, Field(gt=0)] | None = Field(
        None, description="winsorising cap per unit, in the metric's unit"
    )
    covariate: Annotated[str, Field(pattern=_TABLE_COLUMN)] | None = Field(
        None, description="pre-exposure column of units for CUPED, such as units.pre_revenue"
    )
    outcome_days: Annotated[float, Field(gt=0, le=366)] | None = Field(
        None, description="days after a unit's first exposure in which outcomes count"
    )
    grain: GrainWord | None = Field(
        None, description="day, when the times of its outcomes are whole days; else time"
    )


class SourceFile(Strict):
    """One table of the warehouse."""

    columns: Annotated[list[Word], Field(min_length=1)] | None = Field(
        None, description="columns that metrics, segments and filters may name"
    )


class CatalogueFile(Strict):
    """``_metrics.yaml``."""

    sources: dict[Word, SourceFile] | None = Field(None, description="tables and their columns")
    metrics: dict[Name, MetricFile] | None = Field(None, description="metric id to what it is")


class PersonFile(Strict):
    """One person."""

    name: Word | None = Field(None, description="name for people")
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)] | None = Field(
        None, description="e-mail address"
    )
    roles: list[Name] | None = Field(None, description="roles of this file that the person holds")
    airflow: list[Account] | None = Field(None, description="user names in Airflow; by default the id")
    slack: Annotated[str, Field(pattern=r"^[UW][A-Z0-9]{2,30}$")] | None = Field(
        None, description="Slack member id, such as U0123ABCD"
    )
    active: bool | None = Field(None, description="false for somebody who may not answer (any more)")


def _owner_alone(value: Any) -> Any:
    """Read ``copywriter: dana`` as its owner: the agent acts under its own name then."""
    return {"owner": value} if isinstance(value, str) else value


class AgentFile(Strict):
    """One AI agent."""

    owner: Account | None = Field(None, description="the person who answers for it, by id in people")
    airflow: list[Account] | None = Field(
        None, description="user names in Airflow under which it proposes; by default its name"
    )


class PeopleFile(Strict):
    """``_people.yaml``."""

    roles: dict[Name, Words] | None = Field(None, description="role to what its holders answer for")
    people: dict[Account, PersonFile] | None = Field(None, description="person's id to who that is")
    agents: dict[Account, Annotated[AgentFile, BeforeValidator(_owner_alone)]] | None = Field(
        None,
        description="agent's name to who answers for it and the accounts it acts under, such as "
        "{owner: dana, airflow: [copywriter]}; none listed means that no agent may propose",
    )
    slack_groups: dict[Name, GroupId] | None = Field(
        None,
        description="role to the Slack user group whose members hold it too, such as cx_owner: S0123",
    )


class FreezeFile(Strict):
    """Days on which nothing widens."""

    first: DayWord | None = Field(None, description="first day, such as 2026-11-26")
    last: DayWord | None = Field(None, description="last day, included, such as 2026-11-30")
    reason: Words | None = Field(None, description="why, such as sales days")


class CalendarFile(Strict):
    """One calendar."""

    zone: Word | None = Field(None, description="time zone of the people who answer, such as Europe/Berlin")
    hours: dict[WeekdayWord, HoursWord] | None = Field(
        None, description="weekday to working hours, such as monday: 09:00-17:00; left out, round the clock"
    )
    holidays: dict[DayWord, Words] | None = Field(
        None, description="day to its name, such as 2026-12-25: Christmas; nobody's time runs on it"
    )
    freeze_days: list[WeekdayWord] | None = Field(
        None, description="weekdays on which nothing widens, such as [saturday, sunday]"
    )
    freezes: list[FreezeFile] | None = Field(None, description="periods in which nothing widens")


class CalendarsFile(Strict):
    """``_calendar.yaml``."""

    calendars: dict[Name, CalendarFile] | None = Field(None, description="name to calendar")


class LadderFile(Strict):
    """``_ladder.yaml``."""

    oversight: OversightCells | None = Field(None, description="stage to the oversight of each kind of step")
    promotion: dict[StageWord, CriteriaFile] | None = Field(
        None, description="stage to what its record must show before people are asked for the next one"
    )
    blindness: dict[StageWord, Duration] | None = Field(
        None, description="stage to the data time that the guard may miss data, such as {supervised: 24h}"
    )
