"""How the events of an optimization change the state."""

from __future__ import annotations

from belay.domain import events as e
from belay.domain.capability_state import GateResult
from belay.domain.copying import replace
from belay.domain.gates import Gate, Verdict
from belay.domain.portfolio import Decision, find
from belay.domain.recorded import Recorded
from belay.domain.state import (
    Judgement,
    OptimizationState,
    Status,
    Step,
)
from belay.domain.tables import Fold, Tables


def _proposal_judged(event: e.ProposalJudged, draft: Tables, recorded: Recorded) -> None:
    judgements = draft.optimizations[event.optimization].results.judgements
    said = Judgement(event.judge, event.agrees, recorded.at, event.counted)
    draft.add_results(event.optimization, judgements=(*judgements, said))


def _shadow_measured(event: e.ShadowMeasured, draft: Tables, recorded: Recorded) -> None:
    draft.add_results(event.optimization, found=event.found, found_at=recorded.at)


def _proposed(event: e.Proposed, draft: Tables, recorded: Recorded) -> None:
    draft.put(
        "optimizations",
        event.optimization,
        OptimizationState(
            id=event.optimization,
            capability=event.capability,
            surface=event.surface,
            proposal=event.proposal,
            digest=event.digest,
            status=Status.PROPOSED,
            proposed_at=recorded.at,
        ),
    )


def _step_started(event: e.StepStarted, draft: Tables, recorded: Recorded) -> None:
    step = Step(
        number=event.step,
        run=event.run,
        from_scope=event.from_scope,
        to_scope=event.to_scope,
        policy=event.policy,
        started_at=recorded.at,
        last=event.last,
        level=event.level,
    )
    draft.change_optimization(event.optimization, status=Status.CLIMBING, step=step, reason="")
    optimization = draft.optimizations[event.optimization]
    known = draft.capabilities[optimization.capability]
    phase = len(optimization.phases)
    if event.level is not None and find(known.decisions, optimization.id, phase) is None:
        begun = (*known.decisions, Decision(optimization.id, phase, event.level))
        draft.change("capabilities", known.id, decisions=begun)


def _gate_judged(event: e.GateJudged, draft: Tables, recorded: Recorded) -> None:
    optimization = draft.optimizations[event.optimization]
    step = optimization.step
    if step is None or step.number != event.step:
        return
    result = GateResult(event.verdict, event.sentence, event.evidence, recorded.seq)
    gates = {**step.gates, event.gate: result}
    draft.change_step(event.optimization, gates=gates)
    if event.verdict is not Verdict.PASS and not optimization.status.ended:
        draft.change_optimization(event.optimization, status=Status.HELD, reason=event.sentence)
    elif optimization.status is Status.HELD and all(gate.verdict is Verdict.PASS for gate in gates.values()):
        draft.change_optimization(event.optimization, status=Status.CLIMBING, reason="")
    if event.gate is Gate.REVIEW and event.verdict is Verdict.PASS:
        harmless = max(optimization.shown_harmless, optimization.scope)
        draft.change_optimization(event.optimization, shown_harmless=harmless)
    if event.gate is Gate.REVIEW and step.level is not None:
        _decided(draft, optimization, shown=event.verdict is Verdict.PASS)
    if event.found is not None:
        draft.add_results(event.optimization, found=event.found, found_at=recorded.at)
    if event.gate is Gate.QUALITY:
        said = (recorded.at, event.verdict is Verdict.PASS)
        draft.add_results(event.optimization, quality=(*optimization.results.quality, said))


def _decided(draft: Tables, optimization: OptimizationState, *, shown: bool) -> None:
    """Note what the review of a step says to the portfolio: a winner earns from now on."""
    known = draft.capabilities[optimization.capability]
    at = find(known.decisions, optimization.id, len(optimization.phases))
    if at is None or shown is (known.decisions[at].shown_at is not None):
        return
    decided = replace(known.decisions[at], shown_at=len(known.decisions) if shown else None)
    decisions = (*known.decisions[:at], decided, *known.decisions[at + 1 :])
    draft.change("capabilities", known.id, decisions=decisions)


def _look_taken(event: e.LookTaken, draft: Tables, recorded: Recorded) -> None:
    step = draft.optimizations[event.optimization].step
    if step is not None and step.number == event.step:
        draft.change_step(event.optimization, looks=event.look)


def _optimization_ended(event: e.OptimizationEnded, draft: Tables, recorded: Recorded) -> None:
    draft.change_optimization(event.optimization, status=Status(event.outcome), reason=event.reason)
    draft.add_results(event.optimization, decided_at=recorded.at, ended_at=recorded.at)
    if event.outcome is e.Outcome.VETOED:
        draft.add_results(event.optimization, overridden_at=recorded.at)


def _command_refused(event: e.CommandRefused, draft: Tables, recorded: Recorded) -> None:
    """Refusals change nothing; they are kept for those who ask later."""


FOLDS: dict[type, Fold] = {
    e.ProposalJudged: _proposal_judged,
    e.ShadowMeasured: _shadow_measured,
    e.Proposed: _proposed,
    e.StepStarted: _step_started,
    e.GateJudged: _gate_judged,
    e.LookTaken: _look_taken,
    e.OptimizationEnded: _optimization_ended,
    e.CommandRefused: _command_refused,
}
