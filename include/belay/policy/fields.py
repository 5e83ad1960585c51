"""The values that a field of a policy file may hold: names, durations, shares, words of a closed set."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from belay.domain.calendar import WEEKDAYS
from belay.domain.durations import seconds_of
from belay.domain.figures import share_of
from belay.domain.metrics import Direction, Grain, MetricKind, PrimaryRule
from belay.domain.oversight import Oversight, StepKind
from belay.domain.scope import FULL_SCOPE
from belay.domain.stages import DecisionClass, Stage

NAME = r"^[a-z][a-z0-9_]{0,62}$"
TABLE_COLUMN = r"^[A-Za-z_][A-Za-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*$"


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

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
