"""Writes flags: intent in the ledger, then the flag system, then read back, then confirmed in the ledger.

Interrupted at any point and run again it ends in the same state: the intent is spent once, applying
an epoch twice changes nothing, and a late writer's epoch is refused by both the flags and the ledger.
Whoever applies a widening passes the final check: under the writers' lock the ledger is asked once more.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING

from belay.actuation import outbox
from belay.actuation.guard_presence import require_guard
from belay.actuation.time_limit import within
from belay.domain import commands as c
from belay.domain.events import OversightGranted
from belay.domain.rules.actuation import widening_stands
from belay.domain.rules.answer import Refusal
from belay.domain.scope import percent
from belay.domain.state import Grant, OptimizationState, State
from belay.domain.vocabulary import Cause, Rule
from belay.execution import RefusedError, execute
from belay.flags.target import FlagsUnavailable, ServedFlag, StaleEpoch
from belay.ledger.reading import recorded

if TYPE_CHECKING:
    from belay.services import Services

_PATIENCE = 2.0
"""Seconds that the final check waits for the ledger."""
_ROUNDS = 3
"""How often a narrowing that was overtaken is taken up again before somebody has to look."""


def settle_scope(belay: Services, optimization: str) -> OptimizationState:
    """Make the flag system show the scope that the ledger intends, and confirm what it shows.

    Raises
    ------
    RefusedError
        When a widening has lost: a freeze, a stop, a newer epoch came between. It is turned back.
    GuardMissing
        As in ``widen``: a widening waits, a narrowing does not.
    FlagsUnavailable
        As in ``widen``.
    """
    known = belay.ledger.state().optimizations[optimization]
    if known.pending is not None and known.pending.widening:
        _settle_widening(belay, known, known.pending.to_scope, known.pending.epoch)
    elif known.pending is not None:
        settle_narrowings(belay, [optimization])
    return belay.ledger.state().optimizations[optimization]


def _settle_widening(belay: Services, known: OptimizationState, scope: int, epoch: int) -> None:
    require_guard(belay)
    wanted = served_flag(known, scope, epoch, ledger=belay.ledger.identity)
    try:
        belay.flags.apply(wanted, ask=lambda served: _last_door(belay, wanted, served))
    except (RefusedError, StaleEpoch) as lost:
        refusal = lost.refusal if isinstance(lost, RefusedError) else Refusal(Rule.STALE_EPOCH, str(lost))
        back = c.TurnBack(known.id, epoch, refusal.rule, refusal.message)
        execute(belay, back, by="flag-writer")
        settle_narrowings(belay, [known.id])
        raise RefusedError(refusal) from lost
    _read_back(belay, [wanted])
    _confirm(belay, [wanted])


def _last_door(belay: Services, wanted: ServedFlag, served: ServedFlag | None) -> None:
    """Ask for a widening, in the moment before it is written, whether it still stands."""
    stopped = outbox.covering(belay.settings.home, wanted.capability, wanted.surface)
    if stopped is not None:
        message = f"{stopped.target} was stopped by {stopped.person}: {stopped.reason}"
        raise RefusedError(Refusal(Rule.STOP, message))
    state = _state_soon(belay)
    if refusal := widening_stands(state, wanted.key, wanted.scope, wanted.epoch):
        raise RefusedError(refusal)
    within(_PATIENCE, "the ledger", partial(require_entry, belay, state.optimizations[wanted.key]))
    shown, decided = served.scope if served else 0, state.optimizations[wanted.key].scope
    if belay.flags.remembers and shown != decided:
        raise FlagsUnavailable(
            f"{wanted.key} is served at {percent(shown)} and {percent(decided)} was decided: a step up from "
            "there is not the step that was granted; `belay reconcile --once` says what to do"
        )


def require_entry(belay: Services, known: OptimizationState) -> None:
    """Make sure that the grant of a widening stands on the chain, and not in the derived tables only.

    Raises
    ------
    RefusedError
        When no entry is that grant: somebody wrote it into the tables, or took the entry away.
    """
    grant = known.grant
    entry = belay.ledger.entry(grant.seq) if grant is not None else None
    said = recorded(entry).event if entry is not None else None
    if grant is None or not isinstance(said, OversightGranted) or _bound(said) != _bound_by(known.id, grant):
        name = grant.id if grant is not None else "any grant"
        message = f"no entry of the ledger is {name}, which its tables hold: run `belay ledger verify`"
        raise RefusedError(Refusal(Rule.NO_GRANT, message, kept=True))


def _bound(said: OversightGranted) -> tuple[object, ...]:
    return (said.optimization, said.grant, said.step, said.from_scope, said.to_scope, said.digest)


def _bound_by(optimization: str, grant: Grant) -> tuple[object, ...]:
    return (optimization, grant.id, grant.step, grant.from_scope, grant.to_scope, grant.digest)


def _state_soon(belay: Services) -> State:
    """Return what the ledger says, if it says so at once.

    The writers' lock is held meanwhile, and a stop may be waiting for it: a ledger that is stuck keeps a
    widening out and nothing else.
    """
    try:
        return within(_PATIENCE, "the ledger", belay.ledger.state)
    except TimeoutError as late:
        raise FlagsUnavailable(f"{late}: nothing was widened; run it again") from None


def confirm_served(belay: Services) -> list[str]:
    """Confirm the widenings that are served already, to the epoch; return which.

    Whoever wrote them may have died before the confirmation, and what is not confirmed is not guarded.

    Raises
    ------
    FlagsUnavailable
        When the flag system cannot be read.
    """
    pending = _pending(belay, widening=True)
    served = belay.flags.read_all() if pending and belay.flags.remembers else {}
    shown = [flag for flag in pending if _shows(served.get(flag.key), flag)]
    if shown:
        _confirm(belay, shown)
    return [flag.key for flag in shown]


def settle_narrowings(belay: Services, only: Collection[str] | None = None) -> list[str]:
    """Carry out the narrowings that the ledger intends (all, or ``only`` some), in one write; return which.

    What is served narrower, or under a higher epoch, than was intended is not widened for that: the
    ledger follows it down. What was changed by hand goes to zero.

    Raises
    ------
    FlagsUnavailable
        When the flag system cannot be written or does not show what was written. Nothing is lost: every
        narrowing stays intended.
    """
    done: list[str] = []
    for _ in range(_ROUNDS):
        pending = _pending(belay, only, widening=False)
        if not pending:
            return done
        served = belay.flags.read_all()
        # What another installation shows is not ours to show less of; nobody at all is always right.
        pending = [flag for flag in pending if not flag.scope or not _is_others(served.get(flag.key), flag)]
        behind = [flag for flag in pending if _behind(belay, served.get(flag.key), flag)]
        for flag in behind:
            _follow_down(belay, served.get(flag.key), flag)
        ready = [flag for flag in pending if flag not in behind]
        if not pending:
            return done
        try:
            belay.flags.apply_all(flag for flag in ready if not _shows(served.get(flag.key), flag))
        except StaleEpoch:
            continue  # somebody wrote meanwhile: look again
        _read_back(belay, ready)
        try:
            _confirm(belay, ready)
        except RefusedError:
            continue  # narrowed further between write and confirmation: that is carried out next
        done += [flag.key for flag in ready]
    if left := _pending(belay, only, widening=False):
        raise FlagsUnavailable(
            f"{belay.flags.name} is written by somebody else all the time: "
            f"{', '.join(flag.key for flag in left)} still wait to be narrowed; run `belay reconcile --once`"
        )
    return done


def _pending(belay: Services, only: Collection[str] | None = None, *, widening: bool) -> list[ServedFlag]:
    """Return the flags that the ledger intends and has not confirmed, wider or narrower ones."""
    ledger = belay.ledger.identity
    return [
        served_flag(known, known.pending.to_scope, known.pending.epoch, ledger=ledger)
        for known in belay.ledger.state().optimizations.values()
        if known.pending is not None
        and known.pending.widening is widening
        and (only is None or known.id in only)
    ]


def _is_others(served: ServedFlag | None, wanted: ServedFlag) -> bool:
    return served is not None and served.is_of_another(wanted.ledger)


def _behind(belay: Services, served: ServedFlag | None, wanted: ServedFlag) -> bool:
    """Whether ``wanted`` would show more than is served, or comes later than what is."""
    if served is None:
        return wanted.scope > 0 and belay.flags.remembers
    if not served.intact:
        return wanted.scope > 0
    return served.scope < wanted.scope or served.epoch > wanted.epoch


def _follow_down(belay: Services, served: ServedFlag | None, wanted: ServedFlag) -> None:
    scope, epoch = (served.scope, served.epoch) if served else (0, 0)
    if served is not None and not served.intact:
        contain = c.Contain(
            wanted.key, scope, epoch, belay.flags.name, changed_by_hand(wanted.key), by_hand=True
        )
        execute(belay, contain, by="flag-writer")
        return
    reason = f"{belay.flags.name} shows {percent(scope)} under epoch {epoch} already"
    command = c.RollBack(wanted.key, Cause.SERVED_NARROWER, reason, min(scope, wanted.scope), above=epoch)
    execute(belay, command, by="flag-writer")


def changed_by_hand(key: str) -> str:
    """Return why a flag that somebody else wrote is an incident."""
    return f"the flag of {key} is not what Belay wrote: what it shows is unknown"


def _shows(served: ServedFlag | None, wanted: ServedFlag) -> bool:
    return (
        served is not None
        and served.intact
        and not _is_others(served, wanted)
        and (served.scope, served.epoch) == (wanted.scope, wanted.epoch)
    )


def _read_back(belay: Services, wanted: Collection[ServedFlag]) -> None:
    """Make sure that the flag system shows what was written, to the epoch."""
    if len(wanted) == 1:
        served = {flag.key: belay.flags.read(flag.key) for flag in wanted}
    else:
        served = dict(belay.flags.read_all())
    for flag in wanted:
        found = served.get(flag.key)
        if not _shows(found, flag):
            raise FlagsUnavailable(
                f"{belay.flags.name} does not show what was written for {flag.key}: "
                f"wanted scope {flag.scope} epoch {flag.epoch}, read {found}"
            )


def _confirm(belay: Services, shown: Collection[ServedFlag]) -> None:
    at, name = belay.data_now(), belay.flags.name
    confirmations = tuple(
        c.ConfirmScope(flag.key, flag.scope, flag.epoch, name, effective_at=at) for flag in shown
    )
    if len(confirmations) == 1:
        execute(belay, confirmations[0], by="flag-writer")  # alone, a late one is refused and kept
    elif confirmations:
        execute(belay, c.ConfirmScopes(confirmations), by="flag-writer")


def roll_back(
    belay: Services, optimization: str, *, cause: str, reason: str, evidence: str | None = None
) -> OptimizationState:
    """Take an optimization down to zero at once; it needs no grant."""
    execute(belay, c.RollBack(optimization, cause, reason, evidence=evidence), by="flag-writer")
    return settle_scope(belay, optimization)


def served_flag(optimization: OptimizationState, scope: int, epoch: int, *, ledger: str = "") -> ServedFlag:
    """Return the flag that shows ``optimization`` at ``scope`` (basis points) under ``epoch``.

    ``ledger`` says which ledger decided it.
    """
    proposal, held = optimization.proposal, (0, 0)
    if (pending := optimization.pending) is not None and pending.epoch == epoch:
        held = (pending.holdback, pending.rotation)
    elif scope == optimization.scope:
        held = (optimization.holdback, optimization.rotation)
    return ServedFlag(
        key=optimization.id,
        scope=scope,
        variants=proposal.variants,
        rollback=proposal.rollback,
        epoch=epoch,
        holdout=optimization.holdout,
        holdout_salt=optimization.capability,
        audience=proposal.audience,
        surface=optimization.surface,
        holdback=held[0],
        rotation=held[1],
        ledger=ledger,
    )
