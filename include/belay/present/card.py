"""The card: everything a person needs to answer a request in a minute, whatever shows it to them.

Slack, the board, Airflow's Required Actions and the command line lay out the same card (`present.layout`), so
nobody is bound by something that somebody else did not see.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from belay.domain.actors import ActorKind
from belay.domain.answering import who_may_answer
from belay.domain.events import Choice
from belay.domain.oversight import Oversight
from belay.domain.request_state import RequestState, RequestStatus
from belay.domain.roster import Roster
from belay.domain.rules.requests import tally_of
from belay.domain.scope import percent
from belay.domain.state import OptimizationState, State, Status
from belay.present.aftermath import Aftermath, aftermath
from belay.present.change import VariantChange, change_of
from belay.present.consequences import Consequences, consequences, people_words
from belay.present.effects import EffectLine, effect_lines, thoughts


@dataclass(frozen=True, slots=True)
class VoteLine:
    """One answer: who (and for whom), by which roles, what, why, when, and whether it counts."""

    voter: str
    on_behalf_of: str
    choice: Choice
    reason: str
    via: str
    at: datetime
    counted: bool
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decider:
    """Somebody who may answer.

    Attributes
    ----------
    name : str
        Full name.
    right : str
        In which role: ``cx_owner``, ``cx_owner, for Nora``.
    slack_id : str | None
        Member id in Slack.
    roles : tuple[str, ...]
        Every role that an answer would be in.
    answered : bool
        Whether the person has, or somebody for them.
    """

    name: str
    right: str
    slack_id: str | None
    roles: tuple[str, ...]
    answered: bool


@dataclass(frozen=True, slots=True)
class Words:
    """What an agent says about its change: untrusted, to be shown and never interpreted.

    ``agent_owner`` is the full name of the person who is accountable for the agent.
    """

    title: str
    hypothesis: str
    proposed_by: str
    agent_owner: str


@dataclass(frozen=True, slots=True)
class Card:
    """A request as people see it: about a step of an optimization, or about a capability's stage.

    ``agents_words`` are None where people alone are asked (a promotion); ``change`` is empty there.
    """

    request: str
    digest: str
    subject: str
    capability: str
    agents_words: Words | None
    owner: str
    change: tuple[VariantChange, ...]
    before: str
    after: str
    people: str
    sentence: str
    effects: tuple[EffectLine, ...]
    thoughts: tuple[str, ...]
    consequences: Consequences
    oversight: Oversight
    rules: tuple[str, ...]
    status: RequestStatus
    outcome: str
    aftermath: Aftermath | None
    votes: tuple[VoteLine, ...]
    tally: str
    deciders: tuple[Decider, ...]
    conflicted: tuple[str, ...]
    groups: tuple[str, ...]
    reminded: bool
    escalated_to: tuple[str, ...]
    asked_at: datetime
    expires_at: datetime
    settled_at: datetime | None
    ledger_head: str
    evidence: str | None

    @property
    def move(self) -> str:
        """What it is about and from where to where, as no question: ``Checkout wording, 1 % → 5 %``."""
        return f"{self.capability}, {self.before} → {self.after}"

    @property
    def question(self) -> str:
        """What is asked, in one line."""
        if self.oversight is Oversight.NOTICE:
            return f"{self.capability}: goes from {self.before} to {self.after} unless vetoed"
        return f"{self.capability}: may it go from {self.before} to {self.after}?"


def build_card(
    state: State,
    request: RequestState,
    *,
    review: Mapping[str, Any] | None,
    roster: Roster,
    ledger_head: tuple[int, str],
    now: datetime,
) -> Card:
    """Return the card of ``request``.

    All that it shows of the change, the figures and the times is bound by the request's digest: the exact
    proposal, the review's evidence, the scopes, the oversight and the expiry.

    Parameters
    ----------
    state
        What the ledger says.
    review
        The review's evidence document, or None when it cannot be had.
    ledger_head
        Number and hash of the ledger's last entry when the card is made.
    now
        Wall-clock: who answers for whom by delegation depends on it.
    """
    document = review or {}
    names = names_of(roster)
    optimization = state.optimizations.get(request.optimization)
    before, after = percent(request.from_scope), percent(request.to_scope)
    if request.to_stage is not None:
        before, after = f"stage {request.from_stage}", f"stage {request.to_stage}"
        if request.to_stage is request.from_stage:
            after = "another lease of it"
    return Card(
        request=request.id,
        digest=request.digest,
        subject=request.subject,
        capability=state.capabilities[request.capability].title,
        agents_words=_words(optimization, names),
        owner=names.get(request.owner, request.owner),
        change=change_of(optimization.proposal) if optimization else (),
        before=before,
        after=after,
        people=people_words(request, document),
        sentence=str(document.get("sentence", "the review cannot be shown here: open it")),
        effects=effect_lines(document),
        thoughts=thoughts(document),
        consequences=consequences(request),
        oversight=request.oversight,
        rules=request.rules,
        status=request.status,
        outcome=_outcome(request, optimization, names),
        aftermath=_aftermath(state, request, names),
        votes=tuple(
            VoteLine(
                voter=names.get(vote.voter, vote.voter),
                on_behalf_of=names.get(vote.on_behalf_of, vote.on_behalf_of),
                choice=vote.choice,
                reason=vote.reason,
                via=vote.via,
                at=vote.at,
                counted=vote.counted,
                roles=vote.roles,
            )
            for vote in request.votes
        ),
        tally=tally_words(request, names),
        deciders=_deciders(state, request, roster, now),
        conflicted=tuple(names.get(person, person) for person in request.conflicted),
        groups=tuple(
            roster.slack_groups[role] for role in request.answering_roles if role in roster.slack_groups
        ),
        reminded=request.reminded,
        escalated_to=request.escalate_to if request.escalated else (),
        asked_at=request.asked_at,
        expires_at=request.expires_at,
        settled_at=request.settled_at,
        ledger_head=f"{ledger_head[0]}:{ledger_head[1][:12]}",
        evidence=request.evidence,
    )


def names_of(roster: Roster) -> dict[str, str]:
    """Return people's full names by their ids."""
    return {person.id: person.name for person in roster.people}


def agent_name(proposed_by: str) -> str:
    """Return who proposed as people say it: ``agent:copywriter`` is ``the agent copywriter``."""
    kind, _, name = proposed_by.partition(":")
    return f"The agent {name}" if kind == ActorKind.AGENT and name else name or proposed_by


def tally_words(request: RequestState, names: Mapping[str, str] | None = None) -> str:
    """Return how far the approvals go: ``0 of 2 approvals; needs a cx_owner and a risk_owner``.

    Empty where nobody has to approve (a notice), and when it is complete.
    """
    if request.oversight is not Oversight.APPROVE:
        return ""
    return "; ".join(tally_of(request, request.votes).words(names))


def _words(optimization: OptimizationState | None, names: Mapping[str, str]) -> Words | None:
    if optimization is None:
        return None
    proposal = optimization.proposal
    owner = names.get(proposal.agent_owner, proposal.agent_owner)
    proposed_by = proposal.proposed_by
    who = names.get(proposed_by.id) if proposed_by.kind is ActorKind.HUMAN else None
    return Words(proposal.title, proposal.hypothesis, who or agent_name(str(proposed_by)), owner)


def _outcome(request: RequestState, optimization: OptimizationState | None, names: Mapping[str, str]) -> str:
    """Return how it ended, with people's full names where the ledger's sentence begins with their id."""
    said = request.outcome
    if request.status is RequestStatus.VOID and optimization and optimization.status is Status.VETOED:
        said = optimization.reason or said
    return named(said, names)


def _aftermath(state: State, request: RequestState, names: Mapping[str, str]) -> Aftermath | None:
    after = aftermath(state, request)
    return after and replace(after, why=named(after.why, names))


def named(sentence: str, names: Mapping[str, str]) -> str:
    """Return a sentence of the ledger's rules with the full name of the person that it begins with."""
    for person, name in names.items():
        for begins, instead in (
            (f"veto by {person}: ", f"Vetoed by {name}: "),
            (f"stopped by {person}: ", f"Stopped by {name} (kill switch): "),
            (f"{person} rejected it: ", f"Rejected by {name}: "),
        ):
            if sentence.startswith(begins):
                return instead + sentence[len(begins) :]
    return sentence


def _deciders(state: State, request: RequestState, roster: Roster, now: datetime) -> tuple[Decider, ...]:
    """Return who may answer now, by a role of their own or a lent one, each once."""
    deciders = []
    for one in who_may_answer(state, request, roster, now):
        right = f"{', '.join(one.roles)}, for {one.giver.name}" if one.giver else one.roles[0]
        answered = one.person.id in request.heard
        deciders.append(Decider(one.person.name, right, one.person.slack_id, one.roles, answered))
    return tuple(deciders)
