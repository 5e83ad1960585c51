"""The demo's three acts: what has to become of each proposal, read from the ledger and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from belay.domain.events import Choice
from belay.domain.gates import Gate, Verdict
from belay.domain.scope import percent
from belay.domain.state import OptimizationState, State, Status

_CANARY, _WIDER = 100, 500


class Ending(StrEnum):
    """How an act stands."""

    UNDER_WAY = "under way"
    AS_TOLD = "as told"
    OTHERWISE = "otherwise"


@dataclass(frozen=True, slots=True)
class Act:
    """One proposal of the demo, what is told about it beforehand, and how to see whether it came true."""

    optimization: str
    told: str
    ending: Callable[[State, OptimizationState], Ending]


def climbs(state: State, known: OptimizationState) -> Ending:
    """It is served at 5 %, was at 1 % before, and a person approved the step between."""
    if known.status in (Status.HELD, Status.ROLLED_BACK, Status.STOPPED, Status.VETOED, Status.KILLED):
        return Ending.OTHERWISE
    if known.scope < _WIDER:
        return Ending.UNDER_WAY
    approved = any(
        vote.counted and vote.choice is Choice.APPROVE
        for request in state.requests.values()
        if (request.optimization, request.from_scope, request.to_scope) == (known.id, _CANARY, _WIDER)
        for vote in request.votes
    )
    climbed = [phase.scope for phase in known.phases][:2] == [_CANARY, _WIDER]
    return Ending.AS_TOLD if approved and climbed else Ending.OTHERWISE


def is_stopped_by_its_data(_state: State, known: OptimizationState) -> Ending:
    """The quality gate failed, and nobody ever saw it."""
    if known.phases or known.status.ended:
        return Ending.OTHERWISE
    quality = known.step.gates.get(Gate.QUALITY) if known.step else None
    if quality is not None:
        return Ending.AS_TOLD if quality.verdict is Verdict.FAIL else Ending.OTHERWISE
    return Ending.OTHERWISE if known.status is Status.HELD else Ending.UNDER_WAY


def is_rolled_back(_state: State, known: OptimizationState) -> Ending:
    """It was served at 1 %, did harm (so far, or to be expected), and is served to nobody now."""
    cautious = known.status is Status.HELD and known.results.cautioned_at is not None
    if known.status is Status.ROLLED_BACK or cautious:
        if known.pending is not None:
            return Ending.UNDER_WAY
        down = [phase.scope for phase in known.phases] == [_CANARY, 0]
        return Ending.AS_TOLD if down and known.scope == 0 else Ending.OTHERWISE
    wrong = known.status is Status.HELD or known.status.ended or known.scope > _CANARY
    return Ending.OTHERWISE if wrong else Ending.UNDER_WAY


ACTS: Sequence[Act] = (
    Act("checkout-delivery-date", "climbs 0 % → 1 % → 5 %, and a person approves the second step", climbs),
    Act("search-synonyms", "is stopped: the data it would be judged by is broken", is_stopped_by_its_data),
    Act("account-countdown-offer", "is taken down: it drives customers away", is_rolled_back),
)


def endings(state: State) -> dict[str, Ending]:
    """Return how each act stands."""
    found = {}
    for act in ACTS:
        known = state.optimizations.get(act.optimization)
        found[act.optimization] = Ending.UNDER_WAY if known is None else act.ending(state, known)
    return found


def path(known: OptimizationState) -> str:
    """Return the scopes that an optimization was served at, in words."""
    return " → ".join(percent(scope) for scope in (0, *(phase.scope for phase in known.phases)))


def why(state: State, known: OptimizationState, sentence_of: Callable[[str], str]) -> str:
    """Return why an optimization stands where it stands: what the gate that decided said, and who agreed.

    ``sentence_of`` returns the sentence of a review by the digest of its evidence.
    """
    if known.status.ended:
        return known.reason
    if known.status is Status.HELD and known.step:
        gate = next((g for g in reversed(Gate) if g in known.step.gates), None)
        return f"{gate} gate: {known.reason}" if gate else known.reason
    for request in reversed(list(state.requests.values())):
        if request.optimization == known.id and request.votes:
            vote = request.votes[-1]
            review = sentence_of(request.evidence) if request.evidence else ""
            return f"{review} {vote.voter} answered {vote.choice}: “{vote.reason}”.".strip()
    return known.reason
