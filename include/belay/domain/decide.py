"""One place where commands meet the rules: ``decide(state, command) -> events | refusal``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from belay.domain import commands as c
from belay.domain.actors import Actor, ActorKind
from belay.domain.reasons import is_reason
from belay.domain.rules import (
    actuation,
    capability,
    containment,
    delegation,
    demotion,
    guarding,
    observing,
    promotion,
    requests,
    roster,
    steps,
)
from belay.domain.rules.answer import Answer, Asked, Refusal
from belay.domain.state import State
from belay.domain.vocabulary import Rule

__all__ = ["Answer", "Refusal", "decide"]

_RULES: Mapping[type, Callable[[State, Any, Asked], Answer]] = {
    c.AdoptPolicy: capability.adopt_policy,
    c.StartPromotion: promotion.start_promotion,
    c.JudgePromotion: promotion.judge_promotion,
    c.RequestPromotion: promotion.request_promotion,
    c.Promote: promotion.promote,
    c.Demote: demotion.demote,
    c.JudgeProposal: observing.judge_proposal,
    c.RecordShadow: observing.record_shadow,
    c.RecordOec: observing.record_oec,
    c.NoteRoster: roster.note_roster,
    c.Freeze: capability.freeze,
    c.Unfreeze: capability.unfreeze,
    c.Propose: steps.propose,
    c.StartStep: steps.start_step,
    c.JudgeGate: steps.judge_gate,
    c.TakeLook: steps.take_look,
    c.RequestOversight: requests.request_oversight,
    c.CastVote: requests.cast_vote,
    c.SettleRequest: requests.settle_request,
    c.Delegate: delegation.delegate,
    c.EndDelegation: delegation.end_delegation,
    c.OpenReview: requests.open_review,
    c.Veto: actuation.veto,
    c.Stop: containment.stop,
    c.IntendWidening: actuation.intend_widening,
    c.RollBack: actuation.roll_back,
    c.TurnBack: containment.turn_back,
    c.Contain: containment.contain,
    c.ReportBlind: guarding.report_blind,
    c.ReportSighted: guarding.report_sighted,
    c.Shrink: guarding.shrink,
    c.ShrinkAll: guarding.shrink_all,
    c.RecordHarmless: guarding.record_harmless,
    c.RecordInteraction: guarding.record_interaction,
    c.TurnHoldback: guarding.turn_holdback,
    c.RecordRealised: guarding.record_realised,
    c.SpendHarm: guarding.spend_harm,
    c.ConfirmScope: actuation.confirm_scope,
    c.ConfirmScopes: actuation.confirm_scopes,
}

_NOT_FOR_AGENTS = frozenset(
    {
        c.AdoptPolicy,
        c.StartPromotion,
        c.JudgePromotion,
        c.RequestPromotion,
        c.RecordShadow,
        c.RecordOec,
        c.NoteRoster,
        c.StartStep,
        c.JudgeGate,
        c.TakeLook,
        c.RequestOversight,
        c.SettleRequest,
        c.IntendWidening,
        c.Contain,
        c.ReportBlind,
        c.ReportSighted,
        c.Shrink,
        c.ShrinkAll,
        c.RecordHarmless,
        c.RecordInteraction,
        c.TurnHoldback,
        c.RecordRealised,
        c.SpendHarm,
        c.ConfirmScope,
        c.ConfirmScopes,
    }
)
"""What moves a step along. (What only people may do, such as voting, says so in its own rule.)"""


_ACTS: Mapping[type, str] = {
    c.AdoptPolicy: "adopting a policy",
    c.CastVote: "an answer",
    c.Delegate: "a delegation",
    c.EndDelegation: "ending a delegation",
    c.Freeze: "a freeze",
    c.JudgeProposal: "a judgement",
    c.RollBack: "a roll back",
    c.Stop: "a stop",
    c.Unfreeze: "lifting a freeze",
    c.Veto: "a veto",
}
"""What people and agents do, in words; each has a reason."""


def decide(state: State, command: c.Command, *, by: Actor, at: datetime) -> Answer:
    """Return the events that ``command`` leads to, or the refusal with its rule.

    Parameters
    ----------
    state
        What the ledger says.
    command
        What is asked for.
    by
        Who asks.
    at
        When, wall-clock, UTC, aware.
    """
    if by.kind is ActorKind.AGENT and type(command) in _NOT_FOR_AGENTS:
        return Refusal(
            Rule.AGENTS_PROPOSE,
            f"{by} may propose and narrow; {type(command).__name__} is not for agents",
            kept=True,
        )
    if by.kind is not ActorKind.SERVICE and not is_reason(getattr(command, "reason", "none is asked for")):
        act = _ACTS.get(type(command), type(command).__name__)
        return Refusal(Rule.REASON, f"{act} needs a reason that people can read")
    return _RULES[type(command)](state, command, Asked(by, at))
