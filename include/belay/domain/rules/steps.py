"""Proposals, and the steps of a run: admit, the gates in order, the looks."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

from belay.domain import commands as c
from belay.domain import events as e
from belay.domain.actors import ActorKind
from belay.domain.capability import CapabilityPolicy
from belay.domain.digest import canonical_json, sha256_of
from belay.domain.gates import Gate, ReviewVerdict, Verdict
from belay.domain.proposal import Proposal, depth_of
from belay.domain.request_state import RequestStatus
from belay.domain.rules.actuation import narrow
from belay.domain.rules.admission import admission
from belay.domain.rules.answer import (
    Answer,
    Asked,
    Refusal,
    not_an_interval,
    unknown_capability,
    unknown_optimization,
)
from belay.domain.rules.portfolio import level_of_step
from belay.domain.rules.requests import question_open, void_open_requests
from belay.domain.state import OptimizationState, State, Step
from belay.domain.vocabulary import Cause, Rule

_ORDER = tuple(Gate)


def proposal_digest(proposal: Proposal) -> str:
    """Return the digest of a proposal's exact content."""
    return sha256_of(asdict(proposal))


def propose(state: State, command: c.Propose, asked: Asked) -> Answer:
    """Record a proposal. The same one twice is one; another one under its name is refused."""
    proposal, policy = command.proposal, command.policy
    capability = state.capabilities.get(proposal.capability)
    if capability is None or policy.id != proposal.capability:
        return unknown_capability(proposal.capability)
    try:
        digest = proposal_digest(proposal)
    except (TypeError, ValueError) as error:
        return Refusal(Rule.PLAIN_DATA, f"a proposal must be plain JSON, and this one is not: {error}")
    known = state.optimizations.get(proposal.optimization)
    if known and known.digest == digest:
        return ()
    if known:
        return Refusal(
            Rule.TAKEN,
            f"{proposal.optimization!r} was proposed at {known.proposed_at:%Y-%m-%d %H:%M} with another "
            "content: give the changed proposal a name of its own",
        )
    if asked.by.kind is ActorKind.AGENT and asked.by != proposal.proposed_by:
        return Refusal(
            Rule.AGENT, f"{asked.by} cannot propose in the name of {proposal.proposed_by}", kept=True
        )
    if asked.by.kind is ActorKind.AGENT and policy.agents and asked.by.id not in policy.agents:
        return Refusal(
            Rule.AGENT,
            f"agent {asked.by.id!r} may not propose for {policy.id}; it allows {', '.join(policy.agents)}",
            kept=True,
        )
    if refusal := _too_much(state, proposal, policy, asked):
        return refusal
    return (e.Proposed(proposal.optimization, capability.id, capability.surface, proposal, digest),)


def _too_much(state: State, proposal: Proposal, policy: CapabilityPolicy, asked: Asked) -> Refusal | None:
    """Return which limit of the policy a proposal is beyond, if any: its size, its depth, its number."""
    limits, content = policy.limits, asdict(proposal)
    size = len(canonical_json(content).encode(errors="surrogatepass"))
    if size > limits.proposal_bytes:
        message = f"the proposal has {size:,} bytes; {policy.id} allows {limits.proposal_bytes:,}"
        return Refusal(Rule.PROPOSAL_BYTES, message)
    if depth_of(content, beyond=limits.proposal_depth) > limits.proposal_depth:
        message = (
            f"the proposal is nested more than {limits.proposal_depth} levels deep, which {policy.id} allows"
        )
        return Refusal(Rule.PROPOSAL_DEPTH, message)
    day = timedelta(days=1)
    recent = sorted(
        known.proposed_at
        for known in state.optimizations.values()
        if known.proposal.proposed_by == proposal.proposed_by and known.proposed_at > asked.at - day
    )
    if len(recent) < limits.proposals_per_day:
        return None
    until = recent[-limits.proposals_per_day] + day
    message = (
        f"{proposal.proposed_by} has made {len(recent)} proposals in the last 24 hours, and {policy.id} "
        f"allows {limits.proposals_per_day}: the next one is taken from {until:%Y-%m-%d %H:%M:%S} UTC on"
    )
    return Refusal(Rule.PROPOSALS_PER_DAY, message, until=until)


def start_step(state: State, command: c.StartStep, asked: Asked) -> Answer:
    """Take up the next step, or say why not now. Asked twice by one run, it answers once."""
    optimization = state.optimizations.get(command.optimization)
    if optimization is None:
        return unknown_optimization(command.optimization)
    if optimization.step and optimization.step.run == command.run:
        return ()
    if optimization.status.ended:
        return Refusal(
            Rule.ENDED, f"{optimization.id} has ended: {optimization.status}, {optimization.reason}"
        )
    if refusal := question_open(state, optimization.step.request if optimization.step else None, asked):
        return refusal
    policy = command.policy
    to_scope = policy.ramp.step_after(optimization.scope)
    if to_scope is None:
        return Refusal(Rule.TOP_OF_RAMP, f"{optimization.id} is at the top of its ramp")
    number = optimization.step.number + 1 if optimization.step else 1
    step = Step(number, command.run, optimization.scope, to_scope, policy.digest, asked.at)
    findings = (*admission(state, optimization, step, policy, asked), *command.findings)
    against = [finding for finding in findings if finding.verdict is not Verdict.PASS]
    verdict = Verdict.HOLD if against else Verdict.PASS
    # A step that is not taken up spends nothing.
    level = (
        None if against else level_of_step(state.capabilities[optimization.capability], optimization, policy)
    )
    sentence = "; ".join(finding.sentence for finding in against or findings[2:3])
    return (
        *void_open_requests(state, "a new run took up the step", optimization=optimization.id),
        e.StepStarted(
            optimization.id,
            number,
            command.run,
            step.from_scope,
            to_scope,
            policy.digest,
            last=policy.ramp.step_after(to_scope) is None,
            level=level,
            asked_by=command.asked_by,
        ),
        e.GateJudged(optimization.id, number, Gate.ADMIT, verdict, sentence, command.evidence),
    )


def judge_gate(state: State, command: c.JudgeGate, _asked: Asked) -> Answer:
    """Record a verdict, in the order of the gates; harm rolls back in the same transaction."""
    optimization, refusal = _step_under_way(state, command.optimization, command.step)
    if refusal or optimization is None or optimization.step is None:
        return refusal or ()
    step = optimization.step
    if command.gate is Gate.ADMIT:
        return Refusal(Rule.ADMITTED_ONCE, "a step is admitted when it starts: start it again", kept=True)
    if command.review is not None and command.review.gate is not command.verdict:
        return Refusal(
            Rule.VERDICT,
            f"a review that says {command.review} is a {command.review.gate}, not a {command.verdict}",
        )
    if command.found is not None and not command.found.sound:
        return not_an_interval(command.found)
    before = _ORDER[: _ORDER.index(command.gate)]
    if not step.passed(*before):
        missing = next(gate for gate in before if not step.passed(gate))
        return Refusal(
            Rule.GATES_IN_ORDER, f"{command.gate} comes after {missing}, which has not passed", kept=True
        )
    passes = command.verdict is Verdict.PASS
    if passes and state.capabilities[optimization.capability].policy != step.policy:
        return Refusal(
            Rule.POLICY_CHANGED, "the policy changed since this step was admitted: start a new run"
        )
    grant = optimization.grant
    granted = grant is not None and grant.step == step.number
    if command.gate is Gate.APPROVAL and passes and not granted:
        return Refusal(Rule.NO_GRANT, "the ledger holds no grant of oversight for this step", kept=True)
    known = step.gates.get(command.gate)
    judged = e.GateJudged(
        optimization.id,
        step.number,
        command.gate,
        command.verdict,
        command.sentence,
        command.evidence,
        command.found,
    )
    request = state.requests.get(step.request) if step.request else None
    if known and known.verdict is command.verdict:
        if known.evidence == command.evidence:
            return ()
        if passes and request and request.status is RequestStatus.OPEN:
            return ()  # what people were shown still holds; a repeated gate does not make them answer again
    events: list[e.Event] = [judged]
    if known and request and request.status is RequestStatus.OPEN:
        events += void_open_requests(
            state, f"{command.gate} was judged again: {command.sentence}", optimization=optimization.id
        )
    events += _consequences(state, optimization, command)
    return tuple(events)


def _consequences(state: State, optimization: OptimizationState, command: c.JudgeGate) -> tuple[e.Event, ...]:
    """What a verdict sets off by itself: harm rolls back, no benefit stops."""
    harm = command.gate is Gate.WINDOW and command.verdict is Verdict.FAIL
    if harm or command.review is ReviewVerdict.ROLL_BACK:
        outcome, cause = e.Outcome.ROLLED_BACK, Cause.ROLLED_BACK
    elif command.review is ReviewVerdict.STOP:
        outcome, cause = e.Outcome.STOPPED, Cause.STOPPED
    else:
        return ()
    caution = command.caution and outcome is e.Outcome.ROLLED_BACK
    return narrow(
        state,
        optimization,
        to_scope=0,
        cause=Cause.CAUTION if caution else cause,
        reason=command.sentence,
        evidence=command.evidence,
        outcome=None if caution else outcome,
    )


def take_look(state: State, command: c.TakeLook, _asked: Asked) -> Answer:
    """Record a look; one that was recorded already is not recorded again."""
    optimization, refusal = _step_under_way(state, command.optimization, command.step)
    if refusal or optimization is None or optimization.step is None:
        return refusal or ()
    if command.look <= optimization.step.looks:
        return ()
    return (
        e.LookTaken(
            optimization.id,
            command.step,
            command.look,
            command.data_time,
            command.harmful,
            command.sentence,
            command.evidence,
            command.finding,
        ),
    )


def _step_under_way(
    state: State, optimization: str, step: int
) -> tuple[OptimizationState | None, Refusal | None]:
    known = state.optimizations.get(optimization)
    if known is None:
        return None, unknown_optimization(optimization)
    if known.step is None or known.step.number != step:
        return None, Refusal(Rule.NO_SUCH_STEP, f"{optimization} has no step {step} under way")
    if known.status.ended:
        return None, Refusal(Rule.ENDED, f"{optimization} has ended: {known.status}, {known.reason}")
    return known, None
