"""The files that all capabilities share: ladder, metrics, people, defaults.

Each is read on its own, so that a mistake in one breaks only the capabilities that need what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from belay.domain.calendar import ALWAYS, Calendar
from belay.domain.metrics import Metric
from belay.domain.oversight import OversightTable
from belay.domain.roster import Roster
from belay.domain.stages import Stage
from belay.policy.autonomy import CriteriaByStage
from belay.policy.calendars import CALENDARS
from belay.policy.document import Document
from belay.policy.errors import PolicyError

LADDER, METRICS, PEOPLE, DEFAULTS = "_ladder.yaml", "_metrics.yaml", "_people.yaml", "_defaults.yaml"
SHARED = (LADDER, METRICS, PEOPLE, DEFAULTS, CALENDARS)


@dataclass(slots=True)
class Shared:
    """What the shared files say.

    Attributes
    ----------
    table : OversightTable | None
        The ladder's oversight; None when the file is broken.
    criteria : CriteriaByStage | None
        What the record at each stage must show; None when the ladder leaves that to Belay.
    blindness : dict[Stage, float]
        Seconds of data time that the guard may miss data, by stage.
    metrics : dict[str, Metric]
        The usable metrics.
    columns : dict[str, frozenset[str]]
        Columns of each source.
    roster : Roster
        The usable people and agents.
    roles : frozenset[str]
        Roles that exist.
    defaults : Document
        The defaults as written, without what is wrong in a way that nobody could need.
    calendars : dict[str, Calendar]
        The usable calendars; ``always`` needs no file.
    broken : dict[str, list[PolicyError]]
        Why a part cannot be used: a shared file's name for the whole of it, or ``file:key`` for one
        metric or person.
    errors : list[PolicyError]
        Everything that is wrong in the shared files.
    """

    table: OversightTable | None = None
    criteria: CriteriaByStage | None = None
    blindness: dict[Stage, float] = field(default_factory=dict)
    metrics: dict[str, Metric] = field(default_factory=dict)
    columns: dict[str, frozenset[str]] = field(default_factory=dict)
    roster: Roster = field(default_factory=Roster)
    roles: frozenset[str] = frozenset()
    defaults: Document = field(default_factory=lambda: Document(DEFAULTS))
    calendars: dict[str, Calendar] = field(default_factory=lambda: {ALWAYS.name: ALWAYS})
    broken: dict[str, list[PolicyError]] = field(default_factory=dict)
    errors: list[PolicyError] = field(default_factory=list)

    def whole(self, name: str) -> list[PolicyError]:
        """Return why the shared file ``name`` cannot be used at all; empty when it can."""
        return self.broken.get(name, [])

    def one(self, name: str, key: str) -> list[PolicyError]:
        """Return why ``key`` of the shared file ``name`` cannot be used; empty when it can, or is unknown."""
        return self.broken.get(f"{name}:{key}", [])

    def mark_broken(self, key: str, errors: list[PolicyError]) -> None:
        """Remember why a part cannot be used (``broken``)."""
        self.broken.setdefault(key, []).extend(errors)
        self.errors += errors


def merged(over: Mapping[str, Any], under: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``over`` with what it does not say taken from ``under``, mapping by mapping."""
    result = dict(over)
    for key, value in under.items():
        mine = result.get(key)
        if key not in result:
            result[key] = value
        elif isinstance(mine, dict) and isinstance(value, dict) and key != "exposure_filters":
            result[key] = merged(mine, value)
    return result
