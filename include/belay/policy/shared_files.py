"""What the files that all capabilities share may say, as strict Pydantic models."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from belay.policy.fields import (
    TABLE_COLUMN,
    Account,
    DayWord,
    DirectionWord,
    Duration,
    GrainWord,
    GroupId,
    HoursWord,
    KindWord,
    Name,
    OversightCells,
    StageWord,
    Strict,
    WeekdayWord,
    Word,
    Words,
)
from belay.policy.files import CriteriaFile


class MetricFile(Strict):
    """One metric of the catalogue."""

    title: Word | None = Field(None, description="its name for people")
    kind: KindWord | None = Field(None, description="proportion, mean, ratio or rare_count")
    unit: Word | None = Field(None, description="unit shown beside every figure, such as EUR")
    direction: DirectionWord | None = Field(
        None, description="which way is good: increase or decrease; a margin means nothing without it"
    )
    value: Annotated[str, Field(pattern=TABLE_COLUMN)] | None = Field(
        None, description="source and column that is summed per unit, such as outcomes.converted"
    )
    denominator: Annotated[str, Field(pattern=TABLE_COLUMN)] | None = Field(
        None, description="source and column of a ratio's denominator, such as outcomes.page_views"
    )
    cap: Annotated[float, Field(gt=0)] | None = Field(
        None, description="winsorising cap per unit, in the metric's unit"
    )
    covariate: Annotated[str, Field(pattern=TABLE_COLUMN)] | None = Field(
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

    owner: Account | None = Field(None, description="the person who is accountable for it, by id in people")
    airflow: list[Account] | None = Field(
        None, description="user names in Airflow under which it proposes; by default its name"
    )


class PeopleFile(Strict):
    """``_people.yaml``."""

    roles: dict[Name, Words] | None = Field(None, description="role to what its holders answer for")
    people: dict[Account, PersonFile] | None = Field(None, description="person's id to who that is")
    agents: dict[Account, Annotated[AgentFile, BeforeValidator(_owner_alone)]] | None = Field(
        None,
        description="agent's name to who is accountable for it and the accounts it acts under, such as "
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
