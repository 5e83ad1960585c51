"""Policies and freezes."""

from __future__ import annotations

from dataclasses import replace

from belay.domain import commands as c
from belay.domain import events as e
from belay.domain.actors import ActorKind
from belay.domain.capability import CapabilityPolicy
from belay.domain.capability_state import CapabilityState
from belay.domain.identity import same_people
from belay.domain.rules.actuation import OPS
from belay.domain.rules.answer import Answer, Asked, Refusal
from belay.domain.rules.containment import covers, turned_back
from belay.domain.rules.demotion import demoted
from belay.domain.rules.requests import void_open_requests
from belay.domain.rules.roster import conflicted_in
from belay.domain.stages import DecisionClass
from belay.domain.state import State
from belay.domain.vocabulary import Cause, Rule


def adopt_policy(state: State, command: c.AdoptPolicy, asked: Asked) -> Answer:
    """Bring a policy into force; requests that rest on the old one are void.

    The first policy of a capability comes into force by itself where nothing is known of its surface, for
    nothing rests on one before it. Elsewhere, and for every change, it takes a person, who says why: a file
    alone moves no limit (I8 among them), and a file that was renamed sheds none.
    """
    policy = command.policy
    known = state.capabilities.get(policy.id)
    changes = known is not None and known.policy != policy.digest
    if known and not changes and command.document in (None, known.document):
        return ()
    by_itself = asked.by.kind is not ActorKind.HUMAN
    if known is None and by_itself and (there := known_of_surface(state, policy.surface)):
        return Refusal(
            Rule.PEOPLE_ADOPT,
            f"{policy.id} is new, and its surface {policy.surface} is not ({there}): a person brings its "
            f"first policy into force, with `belay policy adopt {policy.id} --reason …`",
        )
    if known and changes and asked.by.kind is not ActorKind.HUMAN:
        return Refusal(
            Rule.PEOPLE_CHANGE_POLICY,
            f"{asked.by} cannot change the policy of {policy.id} (from {known.policy[:12]} to "
            f"{policy.digest[:12]}): a person does, with `belay policy adopt {policy.id} --reason …`",
            kept=ends_human_only(known, policy),
        )
    adopted = e.PolicyAdopted(
        capability=policy.id,
        digest=policy.digest,
        title=policy.title,
        owner=policy.owner,
        surface=policy.surface,
        decision_class=policy.decision_class,
        ceiling=policy.ceiling,
        initial_stage=policy.initial_stage,
        veto_roles=policy.approval.veto_roles,
        reason=command.reason,
        approval_roles=policy.approval.roles,
        oversight=policy.oversight,
        free_scope=policy.free_scope,
        leases=policy.autonomy.leases,
        holdout=policy.autonomy.holdout,
        calendar=policy.calendar,
        document=command.document,
        holdback=policy.holdback,
    )
    if known is None or not changes:
        return (adopted,)  # nothing rests on an older one: it is the first, or the same now with its text
    lowered = _lowered(state, known, policy)
    narrowed = {event.optimization for event in lowered if isinstance(event, e.NarrowingIntended)}
    back = turned_back(state, f"capability:{policy.id}", Cause.POLICY, "the policy changed")
    return (
        *lowered,
        adopted,
        *(() if lowered else void_open_requests(state, "the policy changed", capability=policy.id)),
        *(event for event in back if event.optimization not in narrowed),
    )


def known_of_surface(state: State, surface: str) -> str:
    """Return what is known of a surface: capabilities, changes, freezes; empty where it is new."""
    there = [known.id for known in state.capabilities.values() if known.surface == surface]
    moved = [o for o in state.optimizations.values() if o.surface == surface and o.capability not in there]
    there += [optimization.id for optimization in moved]
    there += [f"a freeze of {target}" for target in state.freezes if target == f"surface:{surface}"]
    return ", ".join(there[:5])


def ends_human_only(known: CapabilityState, policy: CapabilityPolicy) -> bool:
    """Whether ``policy`` would give AI decisions that are people's alone (I8)."""
    return known.decision_class is DecisionClass.HUMAN_ONLY is not policy.decision_class


def _lowered(state: State, known: CapabilityState, policy: CapabilityPolicy) -> tuple[e.Event, ...]:
    """Return the demotion to what the policy still permits, judged by its own table, or nothing."""
    permitted = policy.capped(known.stage)
    if permitted is known.stage:
        return ()
    reason = f"its new policy never lets it pass {permitted}"
    ruled = replace(
        known,
        decision_class=policy.decision_class,
        oversight=policy.oversight,
        free_scope=policy.free_scope,
    )
    return demoted(state, ruled, c.Demote(known.id, permitted, Rule.POLICY, reason))


def freeze(state: State, command: c.Freeze, _asked: Asked) -> Answer:
    """Let nothing widen in a target, not even what is on its way."""
    if command.target not in command.known and (refusal := _bad_target(state, command.target)):
        return refusal
    if command.target in state.freezes:
        return ()
    reason = f"{command.target} was frozen: {command.reason}"
    return (
        e.Frozen(command.target, command.reason),
        *turned_back(state, command.target, Cause.FREEZE, reason),
    )


def unfreeze(state: State, command: c.Unfreeze, asked: Asked) -> Answer:
    """Lift a freeze; that takes a person with the rights that pulling the kill switch there takes."""
    if asked.by.kind is not ActorKind.HUMAN:
        return Refusal(Rule.PEOPLE_UNFREEZE, f"{asked.by} cannot lift a freeze: only people can", kept=True)
    if command.target not in state.freezes:
        return Refusal(Rule.NOT_FROZEN, f"{command.target} is not frozen")
    if refusal := _may_not_lift(state, command, asked):
        return refusal
    return (e.Unfrozen(command.target, command.reason),)


def _may_not_lift(state: State, command: c.Unfreeze, asked: Asked) -> Refusal | None:
    """Refuse who could not have pulled the kill switch there, and who would let their own changes go on."""
    covered = [one for one in state.capabilities.values() if covers(command.target, one.id, one.surface)]
    takes = {OPS, *(role for one in covered for role in one.veto_roles)}
    takes |= set() if covered else command.holders
    lent = [
        frozenset(given.roles) & command.givers.get(given.giver, frozenset())
        for given in state.delegated_to(asked.by.id, asked.at)
    ]
    if not command.roles.union(*lent) & takes:
        roles = " or ".join(sorted(takes))
        return Refusal(Rule.ROLE, f"{asked.by.id} may not lift the freeze: it takes {roles}", kept=True)
    about = [
        one.proposal
        for one in state.optimizations.values()
        if covers(command.target, one.capability, one.surface)
    ]
    if same_people(state.people, {asked.by.id}) & set(conflicted_in(state, about)):
        message = (
            f"{asked.by.id} proposed changes in {command.target}, or answers for an agent that did: "
            "somebody else lifts its freeze"
        )
        return Refusal(Rule.OWN_FREEZE, message, kept=True)
    return None


def _bad_target(state: State, target: str) -> Refusal | None:
    kind, _, name = target.partition(":")
    known = {
        "capability": set(state.capabilities),
        "surface": {known.surface for known in state.capabilities.values()}
        | {known.surface for known in state.optimizations.values()},
    }
    if target == "all" or name in known.get(kind, ()):
        return None
    choices = ", ".join(["all", *sorted(f"{kind}:{name}" for kind, names in known.items() for name in names)])
    return Refusal(Rule.UNKNOWN_TARGET, f"there is nothing called {target!r} to freeze; there is: {choices}")
