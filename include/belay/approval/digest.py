"""The weekly review: what AI would have done, for people to say whether they would have done it too.

Plain text, so that Slack, mail and a terminal show the same. The proposals' own words are quoted as data.
"""

from __future__ import annotations

from belay.domain.gates import Estimate
from belay.domain.proposal import Prediction, Proposal
from belay.domain.stages import Stage
from belay.domain.state import OptimizationState, Results, State

_LONGEST = 160
_MOST = 20


def waiting_for_judgement(state: State) -> list[OptimizationState]:
    """Return the proposals at stage observe that nobody has judged yet, oldest first."""
    return sorted(
        (
            known
            for known in state.optimizations.values()
            if state.capabilities[known.capability].stage is Stage.OBSERVE
            and not known.phases
            and not known.status.ended
            and not any(said.counted for said in known.results.judgements)
        ),
        key=lambda known: known.proposed_at,
    )


def digest_text(state: State) -> str:
    """Return the list of proposals that wait for a judgement, and how to judge them."""
    waiting = waiting_for_judgement(state)
    if not waiting:
        return "No proposal waits for a judgement."
    wait = "1 proposal waits" if len(waiting) == 1 else f"{len(waiting)} proposals wait"
    lines = [f"{wait} for a judgement. Nothing of it is shown to anybody.", ""]
    for number, known in enumerate(waiting[:_MOST], 1):
        title = state.capabilities[known.capability].title
        lines += [
            f"{number}. {known.id} ({title}, by {known.proposal.proposed_by})",
            f"   “{_one_line(known.proposal.title)}”: {_expects(known.proposal)}; {_told(known.results)}",
            f"   Would you have done this?  belay judge {known.id} yes|no --reason '…'",
        ]
    if len(waiting) > _MOST:
        lines.append(f"and {len(waiting) - _MOST} more: belay autonomy digest --json")
    return "\n".join(lines)


def _expects(proposal: Proposal) -> str:
    if proposal.prediction is None:
        return "it does not say what it expects"
    return f"it expects {_effect(proposal.prediction)}"


def _told(results: Results) -> str:
    """Return what data say that it would have done."""
    if results.found is None:
        return "no data tell what it would have done"
    return f"data say {_effect(results.found)}"


def _effect(it: Prediction | Estimate) -> str:
    return f"{it.effect:+.1%} ({it.low:+.1%} to {it.high:+.1%})".replace("-", "−")


def _one_line(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST else f"{flat[: _LONGEST - 1]}…"
