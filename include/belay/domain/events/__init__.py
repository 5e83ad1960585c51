"""What has happened. Events are facts: frozen, plain, and only ever added to.

Field names and ``kind`` are the ledger's format: they may be added to, never renamed.
One file a family; all of them are named from here.
"""

from __future__ import annotations

from collections.abc import Mapping

from belay.domain.events.capability import (
    LeaseRenewed,
    OecMeasured,
    PolicyAdopted,
    PromotionJudged,
    PromotionStarted,
    RosterNoted,
    StageDemoted,
    StagePromoted,
)
from belay.domain.events.guarding import (
    Frozen,
    GuardBlinded,
    GuardSighted,
    InteractionFound,
    KillSwitchPulled,
    RealisedMeasured,
    ServedWider,
    ShownHarmless,
    Unfrozen,
)
from belay.domain.events.optimization import (
    CommandRefused,
    GateJudged,
    LookTaken,
    OptimizationEnded,
    Outcome,
    ProposalJudged,
    Proposed,
    ShadowMeasured,
    StepStarted,
)
from belay.domain.events.oversight import (
    Choice,
    DelegationEnded,
    DelegationGiven,
    OversightGranted,
    OversightRequested,
    RequestClosed,
    RequestEscalated,
    RequestReminded,
    ReviewOpened,
    Vetoed,
    VoteCast,
)
from belay.domain.events.scope import HoldbackIntended, NarrowingIntended, ScopeConfirmed, WideningIntended

__all__ = [
    "EVENTS",
    "Choice",
    "CommandRefused",
    "DelegationEnded",
    "DelegationGiven",
    "Event",
    "Frozen",
    "GateJudged",
    "GuardBlinded",
    "GuardSighted",
    "HoldbackIntended",
    "InteractionFound",
    "KillSwitchPulled",
    "LeaseRenewed",
    "LookTaken",
    "NarrowingIntended",
    "OecMeasured",
    "OptimizationEnded",
    "Outcome",
    "OversightGranted",
    "OversightRequested",
    "PolicyAdopted",
    "PromotionJudged",
    "PromotionStarted",
    "ProposalJudged",
    "Proposed",
    "RealisedMeasured",
    "RequestClosed",
    "RequestEscalated",
    "RequestReminded",
    "ReviewOpened",
    "RosterNoted",
    "ScopeConfirmed",
    "ServedWider",
    "ShadowMeasured",
    "ShownHarmless",
    "StageDemoted",
    "StagePromoted",
    "StepStarted",
    "Unfrozen",
    "Vetoed",
    "VoteCast",
    "WideningIntended",
]


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
