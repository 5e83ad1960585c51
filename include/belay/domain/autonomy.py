"""What autonomy costs and what takes it away: criteria, leases and demotion rules, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from belay.domain.stages import Stage

DAY = 86_400.0
"""Seconds of a day."""


@dataclass(frozen=True, slots=True)
class Criteria:
    """What the record at a stage must show before people may be asked for more; None asks for nothing.

    Attributes
    ----------
    days : float
        Days (wall-clock) at the stage.
    completed, judged : int
        Optimizations completed, and proposals judged by people, since the stage began.
    harm_rate, override_rate : float | None
        Largest share of exposed optimizations that did harm, and of decided ones that people overruled:
        the upper confidence bound must stay below it.
    agreement : float | None
        Least share of proposals and steps on which people agreed with AI: the lower bound must reach it.
    data_quality : float | None
        Least share of quality verdicts that passed.
    calibration : float | None
        Largest mean interval score of the agents' predictions, in multiples of the score of saying "no
        effect, give or take the minimum effect worth having".
    oec_margin : float | None
        Relative loss of the overall criterion against the holdout that is tolerated: the lower end of its
        interval must stay above it.
    """

    days: float = 0.0
    completed: int = 0
    judged: int = 0
    harm_rate: float | None = None
    override_rate: float | None = None
    agreement: float | None = None
    data_quality: float | None = None
    calibration: float | None = None
    oec_margin: float | None = None


@dataclass(frozen=True, slots=True)
class DemotionRule:
    """When a capability loses a stage by itself.

    Attributes
    ----------
    harm_rate : float
        Share of exposed optimizations that may do harm: a stage is lost when more is shown, by the lower
        confidence bound over the last ``within_seconds`` at the stage.
    within_seconds : float
        How far back harm is counted (wall-clock).
    again_seconds : float
        While the same cause lasts (a ledger that does not verify, saturated supervision, a blind guard), the
        next stage is lost after this time (wall-clock).
    """

    harm_rate: float = 0.2
    within_seconds: float = 30 * DAY
    again_seconds: float = DAY


DEFAULT_CRITERIA: Mapping[Stage, Criteria] = MappingProxyType(
    {
        Stage.OBSERVE: Criteria(days=7, judged=10, agreement=0.5),
        Stage.SUGGEST: Criteria(
            days=14, completed=5, harm_rate=0.45, override_rate=0.45, agreement=0.5, data_quality=0.8
        ),
        Stage.SUPERVISED: Criteria(
            days=28,
            completed=12,
            harm_rate=0.25,
            override_rate=0.3,
            data_quality=0.9,
            calibration=2.0,
            oec_margin=0.02,
        ),
        Stage.BOUNDED: Criteria(
            days=56,
            completed=15,
            harm_rate=0.2,
            override_rate=0.25,
            data_quality=0.9,
            calibration=1.5,
            oec_margin=0.01,
        ),
    }
)
"""By the stage that the record is of; ``_ladder.yaml`` says it for the people who run Belay."""

DEFAULT_LEASES: Mapping[Stage, float] = MappingProxyType(
    {Stage.SUPERVISED: 90 * DAY, Stage.BOUNDED: 90 * DAY, Stage.AUTONOMOUS: 90 * DAY}
)
"""Seconds (wall-clock). Below supervised AI decides nothing alone, so there is nothing to lease."""


@dataclass(frozen=True, slots=True)
class AutonomyRule:
    """How a capability earns autonomy, keeps it and loses it.

    Attributes
    ----------
    criteria : Mapping[Stage, Criteria]
        What the record at each stage must show for the next one, and later for renewing that one.
    leases : Mapping[Stage, float]
        Seconds (wall-clock) for which each stage is granted; a stage that is not named needs no renewal.
    renew_before_seconds : float
        How long before a lease ends its renewal is taken up.
    half_life_seconds : float
        Age (wall-clock) at which evidence counts half in every rate.
    confidence : float
        One-sided confidence of every bound.
    max_expired : float
        Largest share of requests that may run out unanswered while supervision counts as healthy.
    roles, quorum
        Who answers for a promotion; as for a step where no role is named.
    demotion : DemotionRule
        When a stage is lost.
    holdout : int
        Share of units that never see any optimization of the capability, in basis points.
    """

    criteria: Mapping[Stage, Criteria] = field(default_factory=lambda: dict(DEFAULT_CRITERIA))
    leases: Mapping[Stage, float] = field(default_factory=lambda: dict(DEFAULT_LEASES))
    renew_before_seconds: float = 14 * DAY
    half_life_seconds: float = 90 * DAY
    confidence: float = 0.9
    max_expired: float = 0.25
    roles: tuple[str, ...] = ()
    quorum: int = 1
    demotion: DemotionRule = DemotionRule()
    holdout: int = 0

    def criteria_for(self, to_stage: Stage) -> Criteria | None:
        """Return what it takes to get to ``to_stage``, or to keep it; None when no policy says."""
        below = to_stage.below
        return self.criteria.get(below) if below else None
