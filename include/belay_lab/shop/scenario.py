"""A scenario: the truth about a simulated shop, so that tests know what the gates should find."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field

SCENARIOS = Path(__file__).parent / "scenarios"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Behaviour(_Strict):
    """What visitors of a surface do when nothing is changed, per visit."""

    conversion: Annotated[float, Field(gt=0, lt=1)]
    revenue: Annotated[float, Field(gt=0)] = 60.0
    support_tickets: Annotated[float, Field(ge=0, lt=1)] = 0.01
    unsubscribes: Annotated[float, Field(ge=0, lt=1)] = 0.01
    page_errors: Annotated[float, Field(ge=0, lt=1)] = 0.02


class Faults(_Strict):
    """What is wrong with a surface's data, from data time ``since`` (days after the start) on."""

    since: float = 0.0
    duplicate_events: Annotated[float, Field(ge=0, le=1)] = 0.0
    missing_units: Annotated[float, Field(ge=0, le=1)] = 0.0
    impossible_revenue: Annotated[float, Field(ge=0, le=1)] = 0.0
    future_times: Annotated[float, Field(ge=0, le=1)] = 0.0
    lost_treatment: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of treated exposures that are never logged: the split that is seen is not the one asked for."""
    lost_outcomes: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of outcomes that never arrive; 1 is a feed that stopped."""


class Exploration(_Strict):
    """What a surface tries by chance on those who see no optimization, and logs as decisions.

    A ``share`` of the visits gets any of the items, each as likely; the others get the first, the usual one.
    """

    items: Annotated[dict[str, Annotated[float, Field(gt=-1)]], Field(min_length=2)]
    """Item to its relative effect on conversion."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.2

    def propensity(self, item: str) -> float:
        """Return the probability with which a visit gets ``item``."""
        by_chance = self.share / len(self.items)
        return by_chance + (1.0 - self.share) * (item == next(iter(self.items)))


class Surface(_Strict):
    """One place of the shop."""

    visitors_per_day: Annotated[int, Field(gt=0)]
    behaviour: Behaviour
    exploration: Exploration | None = None
    faults: Faults | None = None


class Effect(_Strict):
    """What an optimization really does to those who see it: relative changes, from ``since`` days on.

    Of several the latest that has begun holds; an empty ``variant`` means every treatment.
    """

    since: float = 0.0
    variant: str = ""
    conversion: float = 0.0
    revenue: float = 0.0
    support_tickets: float = 0.0
    unsubscribes: float = 0.0
    page_errors: float = 0.0


class Scenario(_Strict):
    """A whole shop: its surfaces, and the truth about every optimization by its id."""

    title: str
    seed: int
    start: datetime
    history_days: Annotated[float, Field(ge=0)] = 4.0
    surfaces: dict[str, Surface]
    effects: dict[str, list[Effect]] = {}
    """The truth about optimizations, by id; one that is not named here changes nothing."""

    @property
    def order(self) -> list[str]:
        """The surfaces in the order that numbers their draws.

        Those that explore come last: a surface that is added to try things moves no other's visitors.
        """
        return sorted(self.surfaces, key=lambda name: (self.surfaces[name].exploration is not None, name))

    @property
    def begins(self) -> datetime:
        """The first moment of the shop, UTC, aware."""
        return self.start.replace(tzinfo=UTC) if self.start.tzinfo is None else self.start.astimezone(UTC)


def load_scenario(name: str) -> Scenario:
    """Return a packaged scenario by name, or one from a file's path.

    Raises
    ------
    FileNotFoundError
        When there is none.
    """
    path = SCENARIOS / f"{name}.yaml" if "/" not in name and not name.endswith(".yaml") else Path(name)
    if not path.exists():
        there = ", ".join(sorted(p.stem for p in SCENARIOS.glob("*.yaml")))
        raise FileNotFoundError(f"there is no scenario {name!r}; packaged are: {there}")
    return Scenario.model_validate(yaml.safe_load(path.read_text()))
