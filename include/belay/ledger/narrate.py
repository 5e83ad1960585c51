"""Ledger entries as sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from belay.domain import events as e
from belay.domain.events import Event
from belay.domain.oversight import Oversight
from belay.domain.scope import percent
from belay.domain.vocabulary import Cause


def narrate(event: Event) -> str:
    """Return what happened, as one sentence without its subject's name and time."""
    return _SENTENCES[type(event)](event)


def _move(event: e.OversightRequested | e.OversightGranted) -> str:
    """Return what is asked for: a step's scopes, a promotion's stages, or a lease to renew."""
    if event.to_stage is None:
        return f"{percent(event.from_scope)} → {percent(event.to_scope)}"
    if event.from_stage is event.to_stage:
        return f"that {event.capability} keeps stage {event.to_stage}"
    return f"{event.capability} {event.from_stage} → {event.to_stage}"


def _requested(event: e.OversightRequested) -> str:
    step = _move(event)
    until = f"{event.expires_at:%Y-%m-%d %H:%M} UTC"
    if event.oversight is Oversight.NOTICE:
        return f"gave notice of {step}: it happens at {until} unless vetoed ({event.request})"
    roles = " and ".join(event.roles)
    return f"asked {event.quorum} of {roles} to approve {step} until {until} ({event.request})"


def _voted(event: e.VoteCast) -> str:
    whose = f" for {event.on_behalf_of}" if event.on_behalf_of else ""
    told = f"answered {event.choice}{whose} via {event.via}: “{event.reason}”"
    return told if event.counted else f"{told}; it does not count towards the quorum: segregation of duties"


def _granted(event: e.OversightGranted) -> str:
    step = _move(event)
    return f"granted {step} by {event.oversight}, bound to {event.digest[:12]}, to be used once"


def _taken_up(event: e.PromotionStarted) -> str:
    if event.from_stage is event.to_stage:
        return f"took up whether {event.capability} keeps stage {event.to_stage}, in run {event.run}"
    return (
        f"took up whether {event.capability} goes {event.from_stage} → {event.to_stage}, in run {event.run}"
    )


def _judged_idea(event: e.ProposalJudged) -> str:
    told = f"{'would' if event.agrees else 'would not'} have done it, via {event.via}: “{event.reason}”"
    return told if event.counted else f"{told}; it does not count: segregation of duties"


def _narrowing(event: e.NarrowingIntended) -> str:
    step = f"{percent(event.from_scope)} → {percent(event.to_scope)}"
    reason = _without_repeating(event.reason)
    return f"decided to narrow it, {step}, because of {_because(event.cause)}: {reason}"


def _because(cause: str) -> str:
    """Return what set a narrowing off, in words; anything may ask for less, and stands as it was given."""
    found = Cause.named(cause)
    return cause if found is None else found.because


def _without_repeating(reason: str) -> str:
    """Return a reason without the word that its cause has said already: no ``harm: Harm: …``."""
    return reason.removeprefix("Harm: ")


def _widening(event: e.WideningIntended) -> str:
    step = f"{percent(event.from_scope)} → {percent(event.to_scope)}"
    return f"spent grant {event.grant} to widen {step} under epoch {event.epoch}"


def _delegated(event: e.DelegationGiven) -> str:
    roles, until = " and ".join(event.roles), f"{event.until:%Y-%m-%d %H:%M} UTC"
    return f"lets {event.to} answer as {roles} until {until}: {event.reason} (delegation {event.delegation})"


def _roster(event: e.RosterNoted) -> str:
    agents = ", ".join(f"{owner} answers for {name}" for name, owner in sorted(event.agents.items()))
    return (
        f"took note of the roster: {', '.join(sorted(event.people)) or 'nobody new'}; {agents or 'no agent'}"
    )


_SENTENCES: dict[type, Callable[[Any], str]] = {
    e.DelegationGiven: _delegated,
    e.DelegationEnded: lambda it: f"ended delegation {it.delegation}: {it.reason}",
    e.RequestReminded: lambda it: f"reminded people: {'; '.join(it.missing)} ({it.request})",
    e.RequestEscalated: lambda it: (
        f"escalated to {' and '.join(it.roles)}, who may answer now: {'; '.join(it.missing)} ({it.request})"
    ),
    e.ReviewOpened: lambda it: f"opened the review ({it.request})",
    e.PolicyAdopted: lambda it: f"brought policy {it.digest[:12]} of {it.capability} into force: {it.reason}",
    e.StagePromoted: lambda it: f"promoted {it.capability} {it.from_stage} → {it.to_stage}: {it.reason}",
    e.StageDemoted: lambda it: (
        f"demoted {it.capability} {it.from_stage} → {it.to_stage} by rule {it.rule}: {it.reason}"
    ),
    e.LeaseRenewed: lambda it: f"renewed the lease of {it.capability} at stage {it.stage}: {it.reason}",
    e.PromotionStarted: _taken_up,
    e.PromotionJudged: lambda it: f"{it.gate} of the promotion: {it.verdict}. {it.sentence}",
    e.ProposalJudged: _judged_idea,
    e.ShadowMeasured: lambda it: f"measured what it would have done: {it.sentence}",
    e.OecMeasured: lambda it: f"measured {it.capability} against its holdout: {it.sentence}",
    e.RosterNoted: _roster,
    e.Frozen: lambda it: f"froze {it.target}: {it.reason}",
    e.Unfrozen: lambda it: f"lifted the freeze of {it.target}: {it.reason}",
    e.Proposed: lambda it: f"proposed “{it.proposal.title}” for {it.capability}, content {it.digest[:12]}",
    e.StepStarted: lambda it: (
        f"took up step {it.step}, {percent(it.from_scope)} → {percent(it.to_scope)}, in run {it.run}"
        + (f", which {it.asked_by} started" if it.asked_by else "")
    ),
    e.GateJudged: lambda it: f"{it.gate} of step {it.step}: {it.verdict}. {it.sentence}",
    e.LookTaken: lambda it: f"looked at data up to {it.data_time:%Y-%m-%d %H:%M}: {it.sentence}",
    e.OversightRequested: _requested,
    e.VoteCast: _voted,
    e.RequestClosed: lambda it: f"closed request {it.request} ({it.outcome}): {it.reason}",
    e.OversightGranted: _granted,
    e.Vetoed: lambda it: f"vetoed {it.target} via {it.via}: “{it.reason}”",
    e.KillSwitchPulled: lambda it: (
        f"pulled the kill switch on {it.target} via {it.via} at {it.pulled_at:%H:%M:%S} UTC: “{it.reason}”"
    ),
    e.ServedWider: lambda it: (
        f"found {it.target} showing {percent(it.served_scope)} (epoch {it.served_epoch}) where "
        f"{percent(it.decided_scope)} was decided: {it.detail}"
    ),
    e.GuardBlinded: lambda it: f"cannot see {it.target} ({it.source}): nothing there widens. {it.reason}",
    e.GuardSighted: lambda it: f"sees {it.target} again ({it.source}): {it.reason}",
    e.ShownHarmless: lambda it: f"showed {percent(it.scope)} harmless: {it.sentence}",
    e.InteractionFound: lambda it: f"found that it interacts with {it.other} and held it: {it.sentence}",
    e.HoldbackIntended: lambda it: (
        f"holds back {percent(it.share)} of the units by turns (turn {it.rotation + 1}): {it.reason}"
    ),
    e.RealisedMeasured: lambda it: f"measured what it does now that it is complete: {it.sentence}",
    e.WideningIntended: _widening,
    e.NarrowingIntended: _narrowing,
    e.ScopeConfirmed: lambda it: f"read back {percent(it.scope)} from {it.target}, epoch {it.epoch}",
    e.OptimizationEnded: lambda it: f"ended it, {it.outcome}: {it.reason}",
    e.CommandRefused: lambda it: f"was refused {it.command} of {it.subject} by rule {it.rule}: {it.message}",
}
