"""The kill switch: who may pull it and what is meant, before anything is touched.

Needs no scheduler, no triggerer, no warehouse, no Slack and no ledger (see ``belay.actuation.take_down``).
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

from belay.actuation.outbox import Note
from belay.actuation.take_down import FLAGS_LIMIT, Stopped, complete, complete_all, keep, state_soon
from belay.actuation.targets import ALL, groups_of, meant
from belay.actuation.time_limit import within
from belay.domain.reasons import is_reason
from belay.domain.roster import Person
from belay.domain.rules.actuation import OPS
from belay.domain.rules.answer import Refusal
from belay.domain.rules.containment import covers
from belay.domain.text import cleaned
from belay.domain.vocabulary import Rule
from belay.execution import RefusedError
from belay.oversight.people import veto

if TYPE_CHECKING:
    from belay.domain.capability import CapabilityPolicy
    from belay.services import Services


def stop(belay: Services, target: str, *, person: Person, reason: str, via: str) -> Stopped:
    """Take everything of ``target`` down: all, a surface or a capability; or one optimization alone.

    Parameters
    ----------
    person
        Who pulls it.
    reason
        Why; kept in the ledger.
    via
        The channel: ``cli``, ``board``, ``slack``.

    Returns
    -------
    Stopped
        What was reached. An unreachable flag system or ledger is no error: it is in the answer.

    Raises
    ------
    RefusedError
        Before anything was touched: the person may not, the target is not known, or there is no reason.
    """
    reason, remark = cleaned(reason)
    if not is_reason(reason):
        raise RefusedError(Refusal(Rule.REASON, "a stop needs a reason"))
    target = _meant(belay, target)
    if target != ALL and ":" not in target:
        return _one(belay, target, person, reason, via)
    _require(belay, target, person)
    note = Note(
        f"{belay.now():%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}", target, reason, person.id, via, belay.now()
    )
    kept = keep(belay.settings.home, note)
    stopped = complete(belay, note, kept=kept)
    if stopped.note.ledger:
        complete_all(belay)  # the ledger answers: those that wait for it need not wait any longer
    return replace(stopped, remark=remark)


def _one(belay: Services, optimization: str, person: Person, reason: str, via: str) -> Stopped:
    """Take one change down: its capability keeps its stage, and nothing is frozen."""
    down = veto(belay, optimization, person=person, reason=reason, via=via)
    note = Note("", optimization, reason, person.id, via, belay.now(), tuple(down), {}, True, True)  # noqa: FBT003
    return Stopped(note, kept=True)


def known_targets(belay: Services) -> list[str]:
    """Return what can be stopped: what the policy files and the flags name. A broken one names less."""
    policies = _policies(belay)
    named = [(p.id, p.surface) for p in policies]
    try:
        served = list(within(FLAGS_LIMIT, "the flag system", belay.flags.read_all).values())
    except Exception:  # noqa: BLE001 - what cannot be read names nothing
        served = []
    return groups_of([*named, *((flag.capability, flag.surface) for flag in served)])


def _meant(belay: Services, text: str) -> str:
    """Return what is to be stopped, by what policies and flags name; the ledger is asked for what is left."""
    known = known_targets(belay)
    try:
        return meant(text, "stop", groups=known, optimizations=())
    except RefusedError as unknown:
        try:
            state = state_soon(belay)
        except Exception:  # noqa: BLE001 - whatever is wrong with the ledger, nothing else is called that
            raise unknown from None
        if (name := text.strip().removeprefix("optimization:")) in state.optimizations:
            return name
        more = groups_of((c.id, c.surface) for c in state.capabilities.values())
        live = [o.id for o in state.optimizations.values() if o.live]
        return meant(text, "stop", groups=list(dict.fromkeys([*known, *more])), optimizations=live)


def _require(belay: Services, target: str, person: Person) -> None:
    """Refuse who may not stop. Broken files never stand in the way of a stop."""
    policies = _policies(belay)
    covered = [policy for policy in policies if covers(target, policy.id, policy.surface)]
    if not person.active:
        raise RefusedError(Refusal(Rule.ROSTER, f"{person.id} is not active in the roster"))
    holders = {role for policy in covered or policies for role in policy.approval.veto_roles}
    if holders and not person.roles & (holders | {OPS}) and not _may_veto_in_force(belay, target, person):
        roles = " or ".join(sorted(holders | {OPS}))
        raise RefusedError(Refusal(Rule.ROLE, f"{person.id} may not stop {target}: it takes {roles}"))


def _may_veto_in_force(belay: Services, target: str, person: Person) -> bool:
    """Whether somebody may veto by a policy in force; asked only where the files say no, for it may wait."""
    try:
        capabilities = state_soon(belay).capabilities.values()
    except Exception:  # noqa: BLE001 - whatever is wrong with the ledger, the files have said no
        return False
    covered = [one for one in capabilities if covers(target, one.id, one.surface)]
    return any(person.roles & set(one.veto_roles) for one in covered)


def _policies(belay: Services) -> list[CapabilityPolicy]:
    try:
        return list(belay.policies().capabilities.values())
    except Exception:  # noqa: BLE001 - a stop that waits for a file to be mended is none
        return []
