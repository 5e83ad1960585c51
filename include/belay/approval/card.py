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
from belay.domain.figures import in_percent, signed_percent, with_interval
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
    """One answer: who (and for whom), what, why, when, and whether it counts."""

    voter: str
    on_behalf_of: str
    choice: Choice
    reason: str
    via: str
    at: datetime
    counted: bool


@dataclass(frozen=True, slots=True)
class Words:
    """What an agent says about its change: untrusted, to be shown and never interpreted."""

    title: str
    hypothesis: str
    proposed_by: str
    agent_owner: str


@dataclass(frozen=True, slots=True)
class Card:
    """A request as people see it: about a step of an optimization, or about a capability's stage.

    ``agents_words`` are None where people alone are asked (a promotion).
    """

    request: str
    digest: str
    subject: str
    capability: str
    agents_words: Words | None
    owner: str
    before: str
    after: str
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
    reminded: bool
    escalated_to: tuple[str, ...]
    asked_at: datetime
    expires_at: datetime
    settled_at: datetime | None
    ledger_head: str
    evidence: str | None

    @property
    def question(self) -> str:
        """What is asked, in one line."""
        if self.oversight is Oversight.NOTICE:
            return f"{self.capability}: goes from {self.before} to {self.after} unless vetoed"
        return f"{self.capability}: may it go from {self.before} to {self.after}?"


def build_card(
    *,
    request: RequestState,
    optimization: OptimizationState | None,
    capability: CapabilityState,
    review: Mapping[str, Any] | None,
    roster: Roster,
    ledger_head: tuple[int, str],
) -> Card:
    """Return the card of ``request``.

    Parameters
    ----------
    optimization
        What is to be widened; None where the request is about the capability's stage.
    review
        The review's evidence document, or None when it cannot be had.
    ledger_head
        Number and hash of the ledger's last entry when the card is made.
    """
    document = review or {}
    names = {person.id: person.name for person in roster.people}
    eligible = [
        f"{names[person.id]} ({role})"
        for role in request.answering_roles
        for person in roster.holders(role)
        if person.id not in request.conflicted
    ]
    before, after = percent(request.from_scope), percent(request.to_scope)
    if request.to_stage is not None:
        before, after = f"stage {request.from_stage}", f"stage {request.to_stage}"
        if request.to_stage is request.from_stage:
            after = "another lease of it"
    return Card(
        request=request.id,
        digest=request.digest,
        subject=request.subject,
        capability=capability.title,
        agents_words=_words(optimization),
        owner=request.owner,
        before=before,
        after=after,
        people=_people(request, document),
        sentence=str(document.get("sentence", "the review cannot be shown here: open it")),
        effects=effect_lines(document),
        oversight=request.oversight,
        rules=request.rules,
        status=request.status,
        outcome=request.outcome,
        votes=tuple(
            VoteLine(
                voter=names.get(vote.voter, vote.voter),
                on_behalf_of=names.get(vote.on_behalf_of, vote.on_behalf_of),
                choice=vote.choice,
                reason=vote.reason,
                via=vote.via,
                at=vote.at,
                counted=vote.counted,
            )
            for vote in request.votes
        ),
        missing=missing_for_quorum(request, request.votes),
        deciders=tuple(dict.fromkeys(eligible)),
        reminded=request.reminded,
        escalated_to=request.escalate_to if request.escalated else (),
        asked_at=request.asked_at,
        expires_at=request.expires_at,
        settled_at=request.settled_at,
        ledger_head=f"{ledger_head[0]}:{ledger_head[1][:12]}",
        evidence=request.evidence,
    )


def effect_lines(review: Mapping[str, Any]) -> tuple[EffectLine, ...]:
    """Return what a review shows as lines: a step's metrics, the primary first, or a record's criteria."""
    criteria = (
        EffectLine(
            title=str(line["name"]).replace("_", " "),
            role="criterion",
            effect=str(line["sentence"]),
            margin="",
            finding=str(line["standing"]),
        )
        for line in review.get("criteria", ())
    )
    return (*(_effect(line) for line in review.get("metrics", ())), *criteria)


def _words(optimization: OptimizationState | None) -> Words | None:
    if optimization is None:
        return None
    proposal = optimization.proposal
    return Words(proposal.title, proposal.hypothesis, str(proposal.proposed_by), proposal.agent_owner)


def _people(request: RequestState, document: Mapping[str, Any]) -> str:
    """Say how many people a day the wider scope means, as far as the review knows."""
    if request.promotes:
        return " ".join(document.get("changes", ())) or "of what AI may decide alone"
    units = document.get("units_per_day")
    if not units:
        return "an unknown number of people a day"
    before, after = (units * scope / FULL_SCOPE for scope in (request.from_scope, request.to_scope))
    return f"about {before:,.0f} → {after:,.0f} people a day"


def _effect(line: Mapping[str, Any]) -> EffectLine:
    return EffectLine(
        title=str(line.get("title", "")),
        role=str(line.get("role", "")),
        effect=relative(line.get("effect"), line.get("low"), line.get("high")),
        margin="" if line.get("margin") is None else f"margin {in_percent(abs(line['margin']), 1)}",
        finding=str(line.get("finding", "unknown")),
    )


def relative(effect: float | None, low: float | None, high: float | None) -> str:
    """Return a relative effect with its interval: ``+3.1 % (−0.4 % to +6.6 %)``."""
    if effect is None:
        return "unknown"
    if low is None or high is None:
        return signed_percent(effect)
    return with_interval(effect, low, high)
