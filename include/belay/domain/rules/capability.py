"""Policies and freezes."""

from __future__ import annotations

from belay.domain import commands as c
from belay.domain import events as e
from belay.domain.actors import ActorKind
from belay.domain.rules.answer import Answer, Asked, Refusal
from belay.domain.rules.containment import turned_back
from belay.domain.rules.requests import void_open_requests
from belay.domain.stages import DecisionClass
from belay.domain.state import State


def adopt_policy(state: State, command: c.AdoptPolicy, asked: Asked) -> Answer:
    """Bring a policy into force; requests that rest on the old one are void.

    A ``human_only`` capability stays so unless a person changes it (I8).
    """
    policy = command.policy
    known = state.capabilities.get(policy.id)
    if known and known.policy == policy.digest and (known.document or command.document is None):
        return ()
    loosens = (
        known is not None
        and known.decision_class is DecisionClass.HUMAN_ONLY
        and policy.decision_class is not DecisionClass.HUMAN_ONLY
    )
    if loosens and asked.by.kind is not ActorKind.HUMAN:
        return Refusal(
            "human-only",
            f"the policy file of {policy.id} no longer says human_only; only a person may change that: "
            f"run `belay policy adopt {policy.id} --reason …`",
            kept=True,
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
    if known and known.policy == policy.digest:
        return (adopted,)  # the same policy, now with its text: nothing that rests on it changes
    return (
        adopted,
        *void_open_requests(state, "the policy changed", capability=policy.id),
        *turned_back(state, f"capability:{policy.id}", "policy", "the policy changed"),
    )


def freeze(state: State, command: c.Freeze, _asked: Asked) -> Answer:
    """Let nothing widen in a target, not even what is on its way."""
    if refusal := _bad_target(state, command.target):
        return refusal
    if command.target in state.freezes:
        return ()
    reason = f"{command.target} was frozen: {command.reason}"
    return (
        e.Frozen(command.target, command.reason),
        *turned_back(state, command.target, "freeze", reason),
    )


def unfreeze(state: State, command: c.Unfreeze, asked: Asked) -> Answer:
    """Lift a freeze; widening something again takes a person."""
    if asked.by.kind is not ActorKind.HUMAN:
        return Refusal("people-unfreeze", f"{asked.by} cannot lift a freeze: only people can", kept=True)
    if command.target not in state.freezes:
        return Refusal("not-frozen", f"{command.target} is not frozen")
    return (e.Unfrozen(command.target, command.reason),)


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
    return Refusal("unknown-target", f"there is nothing called {target!r} to freeze; there is: {choices}")
