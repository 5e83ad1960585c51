"""The one way in for proposals: the account says who proposes, never the document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from belay.domain.actors import Actor, ActorKind
from belay.domain.roster import AirflowUser, Roster
from belay.domain.rules.answer import Refusal
from belay.domain.vocabulary import Rule
from belay.execution import RefusedError
from belay.gates.admit import propose
from belay.gates.intake import parse_proposal

if TYPE_CHECKING:
    from belay.domain.state import OptimizationState
    from belay.services import Services


def take_proposal(belay: Services, document: Any, by: Actor) -> OptimizationState:
    """Record the proposal in ``document`` as that of ``by`` (see `proposer`).

    Every door for proposals ends here. What the document says of its agent is held to the roster, and says
    nothing about who proposes.

    Raises
    ------
    BadProposalError
        When the document cannot be read.
    PolicyBrokenError
        When the capability's policy cannot be used.
    RefusedError
        When the document names another agent, or the rules say no.
    """
    roster = belay.roster()
    if isinstance(document, Mapping):
        document = _answered_for(roster, dict(document), by)
    proposal = parse_proposal(document, by=by)
    return propose(belay, proposal)


def proposer(roster: Roster, user: AirflowUser) -> Actor:
    """Return who proposes under an account: an active person of the roster, or the agent it belongs to.

    Raises
    ------
    RefusedError
        When it is nobody's, or that of somebody who left.
    """
    by = roster.by_account(user)
    if by is None:
        message = (
            f"{str(user)!r} is nobody of the roster and no agent's account, so nothing was recorded; agents "
            f"propose under their accounts in _people.yaml: {roster.accounts_in_words()}"
        )
        raise RefusedError(Refusal(Rule.NOBODY, message))
    person = roster.person(by.id) if by.kind is ActorKind.HUMAN else None
    if person is not None and not person.active:
        raise RefusedError(Refusal(Rule.ROSTER, f"{person.id} is not active in the roster"))
    return by


def _answered_for(roster: Roster, document: dict[str, Any], by: Actor) -> dict[str, Any]:
    """Return the document with its agent's owner; refuse what is not so."""
    if by.kind is ActorKind.AGENT and document.get("agent") in (None, ""):
        document["agent"] = by.id
    name = document.get("agent")
    if by.kind is ActorKind.AGENT and name != by.id:
        message = f"this account is that of agent {by.id!r}, which cannot propose in the name of {name!r}"
        raise RefusedError(Refusal(Rule.AGENT, message))
    if not isinstance(name, str) or not name:
        return document
    owner = roster.agent_owner(name)
    said = document.get("agent_owner") or owner
    if owner is None:
        message = f"nobody answers for agent {name!r}: enter it under `agents:` in _people.yaml"
        raise RefusedError(Refusal(Rule.AGENT_OWNER, message))
    if said != owner:
        raise RefusedError(Refusal(Rule.AGENT_OWNER, f"{owner} answers for agent {name!r}, and not {said}"))
    return document | {"agent_owner": owner}
