"""Who is who: the names by which people are compared, and who answers for each agent now."""

from __future__ import annotations

from collections.abc import Iterable

from belay.domain import commands as c
from belay.domain import events as e
from belay.domain.actors import ActorKind
from belay.domain.identity import same_people
from belay.domain.proposal import Proposal
from belay.domain.rules.answer import Answer, Asked
from belay.domain.state import State


def note_roster(state: State, command: c.NoteRoster, _asked: Asked) -> Answer:
    """Take note of new people, new names and new owners; nothing where all is known."""
    news = news_of(state, command)
    return () if news is None else (news,)


def news_of(state: State, command: c.NoteRoster) -> e.RosterNoted | None:
    """Return what a roster says that the state does not know; None where all is known."""
    fresh = {
        name: tuple(names)
        for name, names in command.people.items()
        if name not in state.people or not set(names) <= set(state.people[name].names)
    }
    agents = {name: known.owner for name, known in state.agents.items()}
    if not fresh and agents == dict(command.agents):
        return None
    return e.RosterNoted(fresh, dict(command.agents))


def conflicted_in(state: State, proposals: Iterable[Proposal]) -> tuple[str, ...]:
    """Return whose answer about ``proposals`` does not count, by every id of theirs.

    That is who proposed them, who answered for the agent then, and who answers for it today.
    """
    ids: set[str] = set()
    for proposal in proposals:
        ids |= proposal.conflicted
        owner = state.agents.get(proposal.proposed_by.id)
        if owner is not None and proposal.proposed_by.kind is ActorKind.AGENT:
            ids.add(owner.owner)
    return tuple(sorted(same_people(state.people, ids)))
