"""The card: everything a person needs to answer a request in a minute, whatever shows it to them.

Slack, the board and the command line render the same card, so nobody is bound by something that
somebody else did not see.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from belay.domain.events import Choice
from belay.domain.oversight import Oversight
from belay.domain.roster import Roster
from belay.domain.rules.requests import missing_for_quorum
from belay.domain.scope import FULL_SCOPE, percent
from belay.domain.state import CapabilityState, OptimizationState, RequestState, RequestStatus


@dataclass(frozen=True, slots=True)
class EffectLine:
    """One metric as a person reads it: its effect with interval, its margin, and what that shows."""

    title: str
    role: str
    effect: str
    margin: str
    finding: str


@dataclass(frozen=True, slots=True)
class VoteLine:
    """One answer: who, in which role, what, why, when, and whether it counts."""

    voter: str
    choice: Choice
    reason: str
    via: str
    at: datetime
    counted: bool


@dataclass(frozen=True, slots=True)
class Card:
    """A request as people see it. ``untrusted_*`` fields are the agent's words: show, never interpret."""

    request: str
    digest: str
    optimization: str
    capability: str
    untrusted_title: str
    untrusted_hypothesis: str
    proposed_by: str
    agent_owner: str
    owner: str
    from_scope: str
    to_scope: str
    people: str
    sentence: str
    effects: tuple[EffectLine, ...]
    oversight: Oversight
    rules: tuple[str, ...]
    status: RequestStatus
    outcome: str
    votes: tuple[VoteLine, ...]
    missing: tuple[str, ...]
    deciders: tuple[str, ...]
    asked_at: datetime
    expires_at: datetime
    ledger_head: str
    evidence: str | None

    @property
    def question(self) -> str:
        """What is asked, in one line."""
        if self.oversight is Oversight.NOTICE:
            return f"{self.capability}: goes from {self.from_scope} to {self.to_scope} unless vetoed"
        return f"{self.capability}: may it go from {self.from_scope} to {self.to_scope}?"


def build_card(
    *,
    request: RequestState,
    optimization: OptimizationState,
    capability: CapabilityState,
    review: Mapping[str, Any] | None,
    roster: Roster,
    ledger_head: tuple[int, str],
) -> Card:
    """Return the card of ``request``.

    Parameters
    ----------
    review
        The review's evidence document, or None when it cannot be had.
    ledger_head
        Number and hash of the ledger's last entry when the card is made.
    """
    proposal, document = optimization.proposal, review or {}
    units = document.get("units_per_day")
    people = "an unknown number of people a day"
    if units:
        people = f"about {units * request.to_scope / FULL_SCOPE:,.0f} people a day"
    names = {person.id: person.name for person in roster.people}
    return Card(
        request=request.id,
        digest=request.digest,
        optimization=optimization.id,
        capability=capability.title,
        untrusted_title=proposal.title,
        untrusted_hypothesis=proposal.hypothesis,
        proposed_by=str(proposal.proposed_by),
        agent_owner=proposal.agent_owner,
        owner=request.owner,
        from_scope=percent(request.from_scope),
        to_scope=percent(request.to_scope),
        people=people,
        sentence=str(document.get("sentence", "the review cannot be shown here: open it")),
        effects=tuple(_effect(line) for line in document.get("metrics", ())),
        oversight=request.oversight,
        rules=request.rules,
        status=request.status,
        outcome=request.outcome,
        votes=tuple(
            VoteLine(names.get(v.voter, v.voter), v.choice, v.reason, v.via, v.at, v.counted)
            for v in request.votes
        ),
        missing=missing_for_quorum(request, request.votes),
        deciders=_deciders(request, roster),
        asked_at=request.asked_at,
        expires_at=request.expires_at,
        ledger_head=f"{ledger_head[0]}:{ledger_head[1][:12]}",
        evidence=request.evidence,
    )


def build_promotion_card(
    *,
    request: RequestState,
    capability: CapabilityState,
    review: Mapping[str, Any] | None,
    roster: Roster,
    ledger_head: tuple[int, str],
) -> Card:
    """Return the card of a promotion: its criteria stand where a step's effects stand."""
    document = review or {}
    names = {person.id: person.name for person in roster.people}
    keeps = request.to_stage is request.from_stage
    return Card(
        request=request.id,
        digest=request.digest,
        optimization="",
        capability=capability.title,
        untrusted_title="",
        untrusted_hypothesis="",
        proposed_by="the record",
        agent_owner=", ".join(request.conflicted),
        owner=request.owner,
        from_scope=f"stage {request.from_stage}",
        to_scope="another lease of it" if keeps else f"stage {request.to_stage}",
        people=" ".join(document.get("changes", ())),
        sentence=str(document.get("sentence", "the record cannot be shown here: open it")),
        effects=tuple(
            EffectLine(
                str(line["name"]).replace("_", " "),
                "criterion",
                str(line["sentence"]),
                "",
                str(line["standing"]),
            )
            for line in document.get("criteria", ())
        ),
        oversight=request.oversight,
        rules=request.rules,
        status=request.status,
        outcome=request.outcome,
        votes=tuple(
            VoteLine(names.get(v.voter, v.voter), v.choice, v.reason, v.via, v.at, v.counted)
            for v in request.votes
        ),
        missing=missing_for_quorum(request, request.votes),
        deciders=_deciders(request, roster),
        asked_at=request.asked_at,
        expires_at=request.expires_at,
        ledger_head=f"{ledger_head[0]}:{ledger_head[1][:12]}",
        evidence=request.evidence,
    )


def _deciders(request: RequestState, roster: Roster) -> tuple[str, ...]:
    """Return who may answer, by name and role."""
    return tuple(
        f"{person.name} ({role})"
        for role in request.roles
        for person in roster.holders(role)
        if person.id not in request.conflicted
    )


def _effect(line: Mapping[str, Any]) -> EffectLine:
    return EffectLine(
        title=str(line.get("title", "")),
        role=str(line.get("role", "")),
        effect=relative(line.get("effect"), line.get("low"), line.get("high")),
        margin="" if line.get("margin") is None else f"margin {abs(line['margin']):.1%}",
        finding=str(line.get("finding", "unknown")),
    )


def relative(effect: float | None, low: float | None, high: float | None) -> str:
    """Return a relative effect with its interval: ``+3.1 % (−0.4 to +6.6 %)``."""
    if effect is None:
        return "unknown"
    if low is None or high is None:
        return f"{_signed(effect)} %"
    return f"{_signed(effect)} % ({_signed(low)} to {_signed(high)} %)"


def _signed(value: float) -> str:
    return f"{value * 100:+.1f}".replace("-", "−")
