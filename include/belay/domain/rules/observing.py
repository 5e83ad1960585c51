"""What is learned without showing anything to anybody, and what the whole capability did."""

from __future__ import annotations

from belay.domain import commands as c
from belay.domain import events as e
from belay.domain.actors import ActorKind
from belay.domain.identity import same_people
from belay.domain.rules.answer import (
    Answer,
    Asked,
    Refusal,
    not_an_interval,
    unknown_capability,
    unknown_optimization,
)
from belay.domain.rules.roster import conflicted_in
from belay.domain.state import State
from belay.domain.vocabulary import Rule


def judge_proposal(state: State, command: c.JudgeProposal, asked: Asked) -> Answer:
    """Record whether a person would have done what AI proposed; once a person, before anybody saw it."""
    optimization = state.optimizations.get(command.optimization)
    if optimization is None:
        return unknown_optimization(command.optimization)
    judge = asked.by
    if judge.kind is not ActorKind.HUMAN:
        return Refusal(Rule.PEOPLE_JUDGE, f"{judge} cannot judge a proposal: only people can", kept=True)
    capability = state.capabilities[optimization.capability]
    if not command.roles & set(capability.approval_roles):
        roles = " or ".join(capability.approval_roles)
        return Refusal(Rule.ROLE, f"{judge.id} may not judge this: it takes {roles}", kept=True)
    me = same_people(state.people, {judge.id})
    if any(said.judge in me for said in optimization.results.judgements):
        return Refusal(Rule.JUDGED_ALREADY, f"{judge.id} has judged {optimization.id} already")
    if optimization.phases or optimization.live:
        return Refusal(Rule.SHOWN_ALREADY, f"{optimization.id} was shown: its effect is judged, not its idea")
    counted = not me & set(conflicted_in(state, [optimization.proposal]))
    return (
        e.ProposalJudged(
            optimization.id, judge.id, command.agrees, command.reason, command.via, counted=counted
        ),
    )


def record_shadow(state: State, command: c.RecordShadow, _asked: Asked) -> Answer:
    """Record what a proposal would have done, where data can tell without showing it."""
    optimization = state.optimizations.get(command.optimization)
    if optimization is None:
        return unknown_optimization(command.optimization)
    if optimization.phases or optimization.live:
        return Refusal(
            Rule.SHOWN_ALREADY, f"{optimization.id} was shown: its effect is measured, not guessed"
        )
    if not command.found.sound:
        return not_an_interval(command.found)
    if optimization.results.found == command.found:
        return ()
    return (e.ShadowMeasured(optimization.id, command.found, command.sentence, command.evidence),)


def record_oec(state: State, command: c.RecordOec, _asked: Asked) -> Answer:
    """Record the overall criterion against the holdout; the same reading twice is one."""
    capability = state.capabilities.get(command.capability)
    if capability is None:
        return unknown_capability(command.capability)
    found, known = command.found, capability.oec
    if not found.sound:
        return not_an_interval(found)
    if known and (known.found, known.since, known.until) == (found, command.since, command.until):
        return ()
    return (
        e.OecMeasured(
            capability.id,
            found.effect,
            found.low,
            found.high,
            command.since,
            command.until,
            command.sentence,
            command.evidence,
        ),
    )
