"""One place where commands meet the rules: ``decide(state, command) -> events | refusal``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from belay.domain import commands as c
from belay.domain.actors import Actor
from belay.domain.rules import actuation, capability, requests, steps
from belay.domain.rules.answer import Answer, Asked, Refusal
from belay.domain.state import State

__all__ = ["Answer", "Refusal", "decide"]

_RULES: Mapping[type, Callable[[State, Any, Asked], Answer]] = {
    c.AdoptPolicy: capability.adopt_policy,
    c.Promote: capability.promote,
    c.Demote: capability.demote,
    c.Freeze: capability.freeze,
    c.Unfreeze: capability.unfreeze,
    c.Propose: steps.propose,
    c.StartStep: steps.start_step,
    c.JudgeGate: steps.judge_gate,
    c.TakeLook: steps.take_look,
    c.RequestOversight: requests.request_oversight,
    c.CastVote: requests.cast_vote,
    c.SettleRequest: requests.settle_request,
    c.Veto: actuation.veto,
    c.IntendWidening: actuation.intend_widening,
    c.RollBack: actuation.roll_back,
    c.ConfirmScope: actuation.confirm_scope,
}


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
    return _RULES[type(command)](state, command, Asked(by, at))
