"""What people answer: votes, vetoes and freezes. Whatever the channel, it ends here.

A channel (Slack, Airflow's Required Actions, the board, the command line) says who somebody is; the
roster says what they may do; the rules decide; the ledger remembers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from belay.actuation.flag_writer import settle_narrowings
from belay.actuation.targets import ALL, known_groups, meant
from belay.domain import commands as c
from belay.domain.actors import human
from belay.domain.decide import decide
from belay.domain.events import Choice, VoteCast
from belay.domain.request_state import DelegationState, RequestState
from belay.domain.roster import Person
from belay.domain.rules.answer import Refusal
from belay.domain.rules.containment import covers
from belay.domain.vocabulary import Rule
from belay.execution import RefusedError
from belay.oversight.roster import note_roster

if TYPE_CHECKING:
    from belay.ledger.store import Outcome
    from belay.services import Services


def vote(
    belay: Services,
    request: str,
    choice: Choice,
    *,
    person: Person,
    reason: str,
    via: str,
    digest: str | None = None,
) -> RequestState:
    """Record ``person``'s answer to ``request``, and return the request after it.

    Parameters
    ----------
    digest
        Digest of what the person was shown; where the channel shows the request as it is now
        (the command line), None takes the request's own.

    Raises
    ------
    RefusedError
        When the person may not answer, has answered, is late, or was shown something else.
    """
    known = belay.ledger.state().requests.get(request)
    if known is None:
        raise RefusedError(Refusal(Rule.NO_SUCH_REQUEST, f"there is no request {request!r}"))
    note_roster(belay, belay.roster())
    command = c.CastVote(
        request=request,
        choice=choice,
        reason=reason,
        roles=person.roles,
        digest=known.digest if digest is None else digest,
        via=via,
        givers=_givers(belay, person),
    )
    return _as_person(belay, command, person).state.requests[request]


def why_not(
    belay: Services, request: str, choice: Choice, *, person: Person, digest: str | None = None
) -> str:
    """Return why ``person``'s answer would not be taken, or would not count; empty when it would.

    It asks the rules, as `vote` does, and records nothing: to be told before somebody writes a reason.
    """
    state, now = belay.ledger.state(), belay.now()
    known = state.requests.get(request)
    if known is None:
        return f"there is no request {request!r} any more"
    if not person.active:
        return f"{person.name} is not active in the roster: ask whoever keeps _people.yaml"
    shown = known.digest if digest is None else digest
    command = c.CastVote(request, choice, "-", person.roles, shown, "-", _givers(belay, person))
    answer = decide(state, command, by=human(person.id), at=now)
    if isinstance(answer, Refusal):
        return answer.message
    if choice is Choice.APPROVE and any(isinstance(it, VoteCast) and not it.counted for it in answer):
        return "your answer would not count: you proposed this, or you are accountable for its agent"
    return ""


def veto(belay: Services, target: str, *, person: Person, reason: str, via: str) -> list[str]:
    """Stop ``target`` (an optimization or a capability) at once; return what was taken down.

    One optimization is also vetoed by whoever holds ``ops``: its capability keeps its stage.

    Works without Airflow: the ledger first, then the flags, optimization by optimization.

    Raises
    ------
    RefusedError
        When the person holds no veto there.
    FlagsUnavailable
        When the flags cannot be written; the veto stands, and narrowing can be repeated.
    """
    target = stoppable(belay, target)
    _as_person(belay, c.Veto(target, reason, person.roles, via, _givers(belay, person)), person)
    return settle_narrowings(belay)


def stoppable(belay: Services, text: str) -> str:
    """Return what a veto of ``text`` is about: an optimization, a capability, or a promotion's request."""
    state = belay.ledger.state()
    if text.strip() in state.requests:
        return text.strip()
    groups = [group for group in known_groups(belay, state) if group.startswith("capability:")]
    live = [o.id for o in state.optimizations.values() if o.live or not o.status.ended]
    if (wide := text.strip()) == ALL or wide.startswith("surface:"):
        message = f"a veto is of an optimization or a capability; `belay stop {wide}` takes all of it down"
        raise RefusedError(Refusal(Rule.UNKNOWN_TARGET, message))
    if text.strip().removeprefix("optimization:") in state.optimizations:
        return text.strip().removeprefix("optimization:")
    return meant(text, "veto", groups=groups, optimizations=live)


def delegate(
    belay: Services, *, person: Person, to: str, until_text: str, reason: str, via: str
) -> DelegationState:
    """Let ``to`` answer in all of ``person``'s roles for a while, and return the delegation.

    Parameters
    ----------
    to
        Whom: id of a person of the roster.
    until_text
        Until when, as people of ``BELAY_ZONE`` say it; see `belay.oversight.until`.

    Raises
    ------
    RefusedError
        When there is no such active person, or the person has nothing to lend.
    ValueError
        When ``until_text`` means no time.
    """
    from belay.oversight.until import until

    roster, now = belay.roster(), belay.now()
    receiver = roster.person(to)
    if receiver is None or not receiver.active:
        known = ", ".join(other.id for other in roster.people if other.active and other.id != person.id)
        message = f"{to!r} is nobody who could answer; there is: {known}"
        raise RefusedError(Refusal(Rule.UNKNOWN_PERSON, message))
    ends = until(until_text, now, belay.settings.zone)
    state = _as_person(belay, c.Delegate(receiver.id, person.roles, ends, reason, via), person).state
    mine = [d for d in state.delegations.values() if (d.giver, d.to, d.until) == (person.id, to, ends)]
    return max(mine, key=lambda delegation: delegation.since)


def end_delegation(belay: Services, delegation: str, *, person: Person, reason: str) -> None:
    """End a delegation before its time; the giver or the receiver may.

    Raises
    ------
    RefusedError
        When there is none, or it is between others.
    """
    _as_person(belay, c.EndDelegation(delegation, reason), person)


def review_opened(belay: Services, request: str, *, person: Person) -> None:
    """Record that ``person`` opened the review that ``request`` rests on."""
    _as_person(belay, c.OpenReview(request), person)


def _givers(belay: Services, person: Person) -> dict[str, frozenset[str]]:
    """Return the roles that those who delegated to ``person`` hold now; nobody who left lends anything."""
    lent = belay.ledger.state().delegated_to(person.id, belay.now())
    if not lent:
        return {}
    known = {other.id: other.roles for other in belay.roster().people if other.active}
    return {given.giver: known.get(given.giver, frozenset()) for given in lent}


def judge(belay: Services, optimization: str, *, agrees: bool, person: Person, reason: str, via: str) -> bool:
    """Record whether ``person`` would have done what AI proposed; return whether it counts.

    Raises
    ------
    RefusedError
        When the person may not judge it, has judged it, or it was shown already.
    """
    note_roster(belay, belay.roster())
    _as_person(belay, c.JudgeProposal(optimization, agrees, reason, person.roles, via), person)
    said = belay.ledger.state().optimizations[optimization].results.judgements
    return any(judgement.judge == person.id and judgement.counted for judgement in said)


def freeze(belay: Services, target: str, *, person: Person, reason: str) -> str:
    """Let nothing widen in ``target``: all, a surface or a capability; return what that is.

    Raises
    ------
    FlagsUnavailable
        When a widening under way was turned back and the flags cannot be written; the freeze stands.
    """
    known = known_groups(belay, belay.ledger.state())
    target = _group(belay, target, "freeze", known)
    _as_person(belay, c.Freeze(target, reason, frozenset(known)), person)
    settle_narrowings(belay)
    return target


def _group(belay: Services, text: str, act: str, groups: list[str]) -> str:
    """Return the group that ``text`` means; a single optimization is not frozen, it is vetoed."""
    optimizations = belay.ledger.state().optimizations
    target = meant(text, act, groups=groups, optimizations=()) if text not in optimizations else text
    if target in optimizations:
        whole = f"capability:{optimizations[target].capability}"
        message = f"{target} is one optimization: {act} {whole}, or take it down with `belay veto {target}`"
        raise RefusedError(Refusal(Rule.UNKNOWN_TARGET, message))
    return target


def unfreeze(belay: Services, target: str, *, person: Person, reason: str) -> str:
    """Lift the freeze of ``target``, and return what that is.

    Raises
    ------
    RefusedError
        When the person could not have pulled the kill switch there, or it would be their own change, or that
        of an agent that they answer for, which may go on then.
    """
    state = belay.ledger.state()
    target = _group(
        belay, target, "unfreeze", list(dict.fromkeys([*state.freezes, *known_groups(belay, state)]))
    )
    note_roster(belay, belay.roster())
    files = [p for p in belay.policies().capabilities.values() if covers(target, p.id, p.surface)]
    holders = frozenset(role for policy in files for role in policy.approval.veto_roles)
    _as_person(belay, c.Unfreeze(target, reason, person.roles, _givers(belay, person), holders), person)
    return target


def _as_person(belay: Services, command: c.Command, person: Person) -> Outcome:
    if not person.active:
        raise RefusedError(Refusal(Rule.ROSTER, f"{person.id} is not active in the roster"))
    outcome = belay.ledger.execute(command, by=human(person.id), at=belay.now())
    if outcome.refusal is not None:
        raise RefusedError(outcome.refusal)
    return outcome
