"""Admit: may this optimization take its next step now, and could anybody tell what it does?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import NoSuchModuleError

from belay.actuation.guard_presence import missing_guard
from belay.analysis.earlier_days import earlier_dispersion
from belay.analysis.registered_plan import level_ahead, registered_before
from belay.domain import commands as c
from belay.domain.actors import ActorKind
from belay.domain.answering import roster_finding
from belay.domain.capability import CapabilityPolicy
from belay.domain.gates import Gate, Verdict
from belay.domain.proposal import Proposal
from belay.domain.quorum import quorum_of
from belay.domain.roster import Roster
from belay.domain.rules.answer import Refusal, unknown_optimization
from belay.domain.rules.roster import conflicted_in
from belay.domain.state import OptimizationState
from belay.domain.vocabulary import Rule
from belay.execution import RefusedError, execute
from belay.gates.outcome import GateOutcome, recorded
from belay.oversight.active_policy import adopt_first_policy, file_in_force, in_force_beside
from belay.oversight.roster import note_roster

if TYPE_CHECKING:
    from belay.services import Services

_DAY = 86_400.0


def propose(belay: Services, proposal: Proposal) -> OptimizationState:
    """Record a proposal; asked twice it is recorded once.

    Raises
    ------
    PolicyBrokenError
        When the capability's policy cannot be used.
    RefusedError
        When the rules say no: the agent may not propose here, or the name is taken by another content.
    """
    roster = belay.roster()
    _require_true_owner(roster, proposal)
    note_roster(belay, roster)
    file = belay.policy(proposal.capability)
    adopt_first_policy(belay, file)
    policy = in_force_beside(belay, file)
    outcome = belay.ledger.execute(c.Propose(proposal, policy), by=proposal.proposed_by, at=belay.now())
    if outcome.refusal is not None:
        raise RefusedError(outcome.refusal)
    return outcome.state.optimizations[proposal.optimization]


def _require_true_owner(roster: Roster, proposal: Proposal) -> None:
    """Refuse a proposal that names the wrong person as its agent's owner.

    The owner's vote does not count, so an agent that could choose its owner could free its own for voting.
    """
    if proposal.proposed_by.kind is not ActorKind.AGENT:
        return
    name, owner = proposal.proposed_by.id, roster.agent_owner(proposal.proposed_by.id)
    if owner is None:
        message = f"nobody answers for agent {name!r}: enter it under `agents:` in _people.yaml"
        raise RefusedError(Refusal(Rule.AGENT_OWNER, message))
    if owner != proposal.agent_owner:
        message = f"{owner} answers for agent {name!r}, and not {proposal.agent_owner}"
        raise RefusedError(Refusal(Rule.AGENT_OWNER, message))


def admit(
    belay: Services, optimization: str, run: str, *, capability: str = "", asked_by: str = ""
) -> GateOutcome:
    """Take up the next step for ``run``, or hold it and say why. Asked twice by one run it answers once.

    Parameters
    ----------
    capability
        Whose DAG runs: it takes no other capability's optimizations. Empty outside of Airflow.
    asked_by
        Who started the run, as Airflow knows them; empty where the run before it did.

    Raises
    ------
    RefusedError
        When there is no such optimization, it is another capability's, it has ended, or people are asked
        about it already.
    """
    known = belay.ledger.state().optimizations.get(optimization)
    if known is None:
        raise RefusedError(unknown_optimization(optimization))
    if capability not in ("", known.capability):
        message = (
            f"{optimization} is a change of {known.capability}, and this DAG takes those of {capability} "
            f"alone: start it with the DAG of {known.capability}"
        )
        raise RefusedError(Refusal(Rule.OTHER_CAPABILITY, message))
    if known.step and known.step.run == run and (spoken := recorded(known, Gate.ADMIT)):
        return spoken
    file = belay.policy(known.capability)
    adopt_first_policy(belay, file)
    policy = in_force_beside(belay, file)
    findings = tuple(_measured(belay, known, policy, file))
    document = {
        "kind": "admission",
        "optimization": optimization,
        "run": run,
        "policy": policy.digest,
        "findings": [asdict(finding) for finding, _ in findings],
        "plan": {name: value for _, facts in findings for name, value in facts.items()},
    }
    evidence = belay.ledger.put_evidence(document)
    execute(
        belay,
        c.StartStep(optimization, run, policy, tuple(finding for finding, _ in findings), evidence, asked_by),
        by="admit",
    )
    spoken = recorded(belay.ledger.state().optimizations[optimization], Gate.ADMIT)
    if spoken is None:
        raise RefusedError(Refusal(Rule.OVERTAKEN, f"another run took up {optimization} meanwhile"))
    return spoken


def _measured(
    belay: Services, known: OptimizationState, policy: CapabilityPolicy, file: CapabilityPolicy
) -> Iterator[tuple[c.Finding, dict[str, Any]]]:
    """Yield what had to be looked up or measured, each with the facts that later gates need."""
    yield file_in_force(belay.ledger.state().capabilities[policy.id], file), {}
    conflicted = frozenset(conflicted_in(belay.ledger.state(), [known.proposal]))
    approval = policy.approval
    quorum = quorum_of(
        belay.roster(), approval.roles, approval.quorum, owner=policy.owner, without=conflicted
    )
    yield roster_finding(quorum), {}
    yield _supervision(belay, policy), {}
    yield _guard(belay), {}
    yield _enough_traffic(belay, known, policy)


def _guard(belay: Services) -> c.Finding:
    """Is anybody watching what would be shown?"""
    said = missing_guard(belay)
    return c.Finding(Rule.GUARD, Verdict.HOLD if said else Verdict.PASS, said or "the guard watches")


def _supervision(belay: Services, policy: CapabilityPolicy) -> c.Finding:
    """Can those who would be asked keep up?"""
    from belay.oversight.supervision import saturation

    state, roster = belay.ledger.state(), belay.roster()
    said = saturation(state, roster, policy.approval.roles, policy.supervision, belay.now())
    return c.Finding(Rule.SUPERVISION, Verdict.HOLD if said else Verdict.PASS, said or "supervision keeps up")


def _enough_traffic(
    belay: Services, known: OptimizationState, policy: CapabilityPolicy
) -> tuple[c.Finding, dict[str, Any]]:
    """Could the effect asked for be seen before the window's maximum, where this step is measured?

    A step that widens is measured at the scope now live; a first exposure is not taken where its effect
    could never be seen.
    """
    from belay.cells.planning import shares_at
    from belay.measurement.power import measurability
    from belay.warehouse.errors import WarehouseUnavailableError
    from belay.warehouse.traffic import read_traffic

    scope = known.scope or policy.ramp.steps[0]
    arms = [variant.key for variant in known.proposal.variants]
    level = level_ahead(belay, known, policy)
    each = (policy.errors.alpha if level is None else level) / len(arms)
    earlier = earlier_dispersion(belay, known.surface, known.id)
    try:
        traffic = read_traffic(belay.warehouse, policy, belay.data_now())
    except (WarehouseUnavailableError, NoSuchModuleError) as error:
        return c.Finding(Rule.TRAFFIC, Verdict.HOLD, f"traffic is unknown: {error}"), {}
    found = measurability(
        policy,
        scope,
        shares_at(scope, arms),
        traffic,
        holdout=belay.ledger.state().holdout_of(known),
        primary_alpha=each,
        earlier=earlier,
    )
    facts = {
        "power": found.to_document(),
        "window_seconds": found.window_days * _DAY,
        "planned_units": found.planned_units,
        "level": level,
        "earlier": {metric: asdict(kept) for metric, kept in earlier.items()},
        "units_per_day": found.units_expected / found.maximum_days if found.maximum_days else None,
        **registered_before(belay, known, policy),
    }
    if not known.proposal.measurable:
        return c.Finding(
            Rule.TRAFFIC, Verdict.PASS, "its effect is declared unmeasurable: people approve each step"
        ), facts
    return c.Finding(Rule.TRAFFIC, Verdict.PASS if found.measurable else Verdict.HOLD, found.sentence), facts
