"""The weekly review: what AI would have done, for people to say whether they would have done it too.

Plain text and plain data, so that Slack, mail and a terminal show the same. The proposals' own words are
quoted as data.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from belay.domain.events import ProposalJudged
from belay.domain.gates import Estimate
from belay.domain.proposal import Prediction, Proposal
from belay.domain.recorded import Recorded
from belay.domain.roster import Roster
from belay.domain.stages import Stage
from belay.domain.state import OptimizationState, Results, State
from belay.present.change import VariantChange, change_lines, change_of
from belay.present.effects import relative

NOT_COUNTED = "It does not count: you proposed it, or answer for its agent."
_LONGEST = 160
_MOST = 20


@dataclass(frozen=True, slots=True)
class Said:
    """What one person said about a proposal, and whether it counts."""

    who: str
    agrees: bool
    reason: str
    counted: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """One proposal as the weekly review lists it.

    Attributes
    ----------
    optimization, capability : str
        Its id, and the title of what it is a change of.
    proposed_by, agent_owner : str
        Who proposed it, and the person who answers for the agent.
    title, hypothesis : str
        The agent's words: untrusted, to be shown and never interpreted.
    change : tuple[VariantChange, ...]
        What customers would see, before and after.
    expects : str
        What the agent predicts.
    shadow : str
        What data say that it would have done; empty where they tell nothing.
    said : tuple[Said, ...]
        What people said so far, oldest first.
    closed : str
        Why nobody is asked to judge it any more, to follow its name; empty while it waits.
    """

    optimization: str
    capability: str
    proposed_by: str
    agent_owner: str
    title: str
    hypothesis: str
    change: tuple[VariantChange, ...]
    expects: str
    shadow: str
    said: tuple[Said, ...]
    closed: str


def why_closed(state: State, known: OptimizationState) -> str:
    """Return why nobody is asked to judge a proposal any more, to follow its name; empty while it waits."""
    capability = state.capabilities[known.capability]
    if any(said.counted for said in known.results.judgements):
        return "was judged already"
    if known.phases or known.live:
        return "was shown: its effect is judged now, not its idea"
    if known.status.ended:
        return f"has ended: {known.reason or known.status.replace('_', ' ')}"
    if capability.stage is not Stage.OBSERVE:
        return f"goes another way: {capability.title} is at stage {capability.stage} now"
    return ""


def listed(state: State, known: OptimizationState, roster: Roster, history: Iterable[Recorded]) -> Listed:
    """Return ``known`` as the weekly review lists it; ``history`` is its own, and knows people's reasons."""
    proposal, names = known.proposal, {person.id: person.name for person in roster.people}
    said = []
    for entry in history:
        if isinstance(event := entry.event, ProposalJudged):
            person = roster.person(event.judge)
            who = person.name if person else event.judge
            said.append(Said(who, event.agrees, event.reason, event.counted))
    return Listed(
        optimization=known.id,
        capability=state.capabilities[known.capability].title,
        proposed_by=str(proposal.proposed_by),
        agent_owner=names.get(proposal.agent_owner, proposal.agent_owner),
        title=proposal.title,
        hypothesis=proposal.hypothesis,
        change=change_of(proposal),
        expects=_expects(proposal),
        shadow=_shadow(known.results),
        said=tuple(said),
        closed=why_closed(state, known),
    )


def waiting_for_judgement(state: State) -> list[OptimizationState]:
    """Return the proposals at stage observe that nobody has judged yet, oldest first."""
    return sorted(
        (known for known in state.optimizations.values() if not why_closed(state, known)),
        key=lambda known: known.proposed_at,
    )


def digest_text(state: State) -> str:
    """Return the list of proposals that wait for a judgement, and how to judge them."""
    waiting = waiting_for_judgement(state)
    if not waiting:
        return how_many(0)
    lines = [how_many(len(waiting)), ""]
    for number, known in enumerate(waiting[:_MOST], 1):
        title = state.capabilities[known.capability].title
        shadow = _shadow(known.results) or "no data tell what it would have done"
        change = change_lines(change_of(known.proposal), 100)
        lines += [
            f"{number}. {known.id} ({title}, by {known.proposal.proposed_by})",
            *[f"   Customers would see: {line}" for line in change],
            f"   “{_one_line(known.proposal.title)}”: {_expects(known.proposal)}; {shadow}",
            f"   Would you have done this?  belay judge {known.id} yes|no --reason '…'",
        ]
    if len(waiting) > _MOST:
        lines.append(f"and {len(waiting) - _MOST} more: belay autonomy digest --json")
    return "\n".join(lines)


def how_many(waiting: int) -> str:
    """Say how many proposals wait for a judgement."""
    if not waiting:
        return "No proposal waits for a judgement."
    if waiting == 1:
        return "1 proposal waits for a judgement. Nothing of it is shown to anybody."
    return f"{waiting} proposals wait for a judgement. None of them is shown to anybody."


def _expects(proposal: Proposal) -> str:
    if proposal.prediction is None:
        return "it does not say what it expects"
    return f"it expects {_effect(proposal.prediction)} on the primary metric"


def _shadow(results: Results) -> str:
    """Return what data say that it would have done; empty where they tell nothing."""
    return "" if results.found is None else f"data say {_effect(results.found)}"


def _effect(it: Prediction | Estimate) -> str:
    return relative(it.effect, it.low, it.high)


def _one_line(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST else f"{flat[: _LONGEST - 1]}…"
