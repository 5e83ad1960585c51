"""What somebody asks for. A command says what is wanted; ``decide`` says whether it may be.

Who asks, and when, comes beside the command: see ``decide``.
One file a family; all of them are named from here.
"""

from __future__ import annotations

from belay.domain.commands.capability import (
    AdoptPolicy,
    Demote,
    JudgePromotion,
    NoteRoster,
    Promote,
    RecordOec,
    RequestPromotion,
    StartPromotion,
)
from belay.domain.commands.finding import Finding
from belay.domain.commands.guarding import (
    Contain,
    Freeze,
    RecordHarmless,
    RecordInteraction,
    RecordRealised,
    ReportBlind,
    ReportSighted,
    Shrink,
    ShrinkAll,
    SpendHarm,
    Stop,
    Unfreeze,
)
from belay.domain.commands.optimization import (
    JudgeGate,
    JudgeProposal,
    Propose,
    RecordShadow,
    StartStep,
    TakeLook,
)
from belay.domain.commands.oversight import (
    CastVote,
    Delegate,
    EndDelegation,
    OpenReview,
    RequestOversight,
    SettleRequest,
    Veto,
)
from belay.domain.commands.scope import (
    ConfirmScope,
    ConfirmScopes,
    IntendWidening,
    RollBack,
    TurnBack,
    TurnHoldback,
)

__all__ = [
    "AdoptPolicy",
    "CastVote",
    "Command",
    "ConfirmScope",
    "ConfirmScopes",
    "Contain",
    "Delegate",
    "Demote",
    "EndDelegation",
    "Finding",
    "Freeze",
    "IntendWidening",
    "JudgeGate",
    "JudgePromotion",
    "JudgeProposal",
    "NoteRoster",
    "OpenReview",
    "Promote",
    "Propose",
    "RecordHarmless",
    "RecordInteraction",
    "RecordOec",
    "RecordRealised",
    "RecordShadow",
    "ReportBlind",
    "ReportSighted",
    "RequestOversight",
    "RequestPromotion",
    "RollBack",
    "SettleRequest",
    "Shrink",
    "ShrinkAll",
    "SpendHarm",
    "StartPromotion",
    "StartStep",
    "Stop",
    "TakeLook",
    "TurnBack",
    "TurnHoldback",
    "Unfreeze",
    "Veto",
]


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
    | ShrinkAll
    | RecordHarmless
    | RecordInteraction
    | TurnHoldback
    | RecordRealised
    | SpendHarm
    | ConfirmScope
    | ConfirmScopes
)
