"""Reconcile: is what is served what was decided? It finishes, narrows and reports; it never widens by itself.

What is served wider than decided is an incident and narrowed at once. What is served narrower is reported:
showing more again is a person's decision. A widening that was intended and not finished goes through the
same final check as if its task did it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from belay.actuation import outbox
from belay.actuation.flag_writer import changed_by_hand, settle_narrowings, settle_scope
from belay.actuation.guard_presence import GuardMissing
from belay.actuation.take_down import Stopped, complete_all
from belay.domain import commands as c
from belay.domain.actors import Actor, service
from belay.domain.scope import percent
from belay.domain.state import OptimizationState, State
from belay.domain.vocabulary import Cause
from belay.execution import RefusedError, execute
from belay.flags.target import FlagsUnavailable, ServedFlag, StaleEpoch
from belay.ledger.watch import RECONCILE, Beat, Watch

if TYPE_CHECKING:
    from belay.services import Services


class Kind(StrEnum):
    """How what is served differs from what was decided."""

    WIDER = "wider"
    BY_HAND = "changed by hand"
    UNKNOWN = "unknown"
    NARROWER = "narrower"
    LATE = "epoch"
    OTHERS = "another installation's"


@dataclass(frozen=True, slots=True)
class Difference:
    """One flag that was not as decided (scopes in basis points); ``mended`` when it is now."""

    optimization: str
    kind: Kind
    served: int
    decided: int
    sentence: str
    mended: bool


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What one pass found and did.

    Attributes
    ----------
    checked : int
        Flags compared.
    stops : tuple[Stopped, ...]
        Stops from the outbox, each as it stands now.
    narrowed, widened, turned_back : tuple[str, ...]
        Changes of scope that were under way: narrowings and widenings finished, widenings that had lost.
    differences : tuple[Difference, ...]
        What was not as decided.
    problems : tuple[str, ...]
        What could not be read or written.
    """

    checked: int
    stops: tuple[Stopped, ...]
    narrowed: tuple[str, ...]
    widened: tuple[str, ...]
    turned_back: tuple[str, ...]
    differences: tuple[Difference, ...]
    problems: tuple[str, ...]

    @property
    def left(self) -> tuple[str, ...]:
        """What somebody has to look at, in sentences; empty when all is as decided."""
        return (
            *self.problems,
            *(stopped.sentence for stopped in self.stops if not stopped.complete),
            *(difference.sentence for difference in self.differences if not difference.mended),
        )

    def to_document(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "checked": self.checked,
            "stops": [
                {"stop": s.note.stop, "target": s.note.target, "missing": s.note.missing, "told": s.sentence}
                for s in self.stops
            ],
            "narrowed": list(self.narrowed),
            "widened": list(self.widened),
            "turned_back": list(self.turned_back),
            "differences": [
                {
                    "optimization": d.optimization,
                    "kind": str(d.kind),
                    "served": d.served,
                    "decided": d.decided,
                    "sentence": d.sentence,
                    "mended": d.mended,
                }
                for d in self.differences
            ],
            "problems": list(self.problems),
        }


def reconcile(
    belay: Services, *, accept: Actor | None = None, name: str = "cli", every: float = 0.0
) -> Reconciliation:
    """Compare what is served with what was decided, once; safe to repeat, and beside anything else.

    Parameters
    ----------
    name, every
        Who does it, and the seconds until it does again: somebody has to miss it when it stops. 0 by hand.
    accept
        The person who decides what is served where that is less: the ledger follows down.

    Raises
    ------
    LedgerError
        When the ledger cannot be read or written: nothing can be compared then.
    """
    problems: list[str] = []

    def trying(act: Callable[[], Any]) -> Any:
        try:
            return act()
        except (FlagsUnavailable, StaleEpoch, GuardMissing, OSError, ValueError) as error:
            problems.append(str(error))
            return None

    stops = tuple(complete_all(belay))
    problems += [note.problem for note in outbox.waiting(belay.settings.home) if note.via == "unknown"]
    narrowed = trying(lambda: settle_narrowings(belay)) or []
    widened, turned_back = [], []
    for optimization in _widenings(belay.ledger.state()):
        try:
            if trying(partial(settle_scope, belay, optimization)) is not None:
                widened.append(optimization)
        except RefusedError:
            turned_back.append(optimization)
    compared: tuple[int, list[Difference]] = trying(lambda: _compare(belay, accept=accept)) or (0, [])
    found = compared[1]
    if any(difference.mended for difference in found):
        done = trying(lambda: settle_narrowings(belay))
        if done is None:
            found = [replace(difference, mended=False) for difference in found]
    beat = Beat(f"{RECONCILE}{name}", belay.now(), belay.data_now(), {"every": every})
    Watch(belay.ledger.engine).beat(beat)
    return Reconciliation(
        compared[0],
        stops,
        tuple(narrowed),
        tuple(widened),
        tuple(turned_back),
        tuple(found),
        tuple(dict.fromkeys(problems)),
    )


def _widenings(state: State) -> list[str]:
    return [o.id for o in state.optimizations.values() if o.pending is not None and o.pending.widening]


def _compare(belay: Services, *, accept: Actor | None) -> tuple[int, list[Difference]]:
    """Compare every flag. The ledger is read first, and asked again before it changes anything."""
    if not belay.flags.remembers:
        return 0, []
    state = belay.ledger.state()
    served = belay.flags.read_all()
    ours = belay.ledger.identity
    found = list(_others(served, ours))
    mine = {key: flag for key, flag in served.items() if not flag.is_of_another(ours)}
    found += _unknown(belay, state, mine)
    for known in state.optimizations.values():
        flag = served.get(known.id)
        if flag is not None and known.id not in mine:
            continue
        if known.pending is None and (difference := _difference(belay, known, flag, accept=accept)):
            found.append(difference)
    return len(served), found


def _others(served: Mapping[str, ServedFlag], ours: str) -> Iterator[Difference]:
    """Report what another installation of Belay serves: it decides about it, and this one only says so."""
    for flag in served.values():
        if flag.scope > 0 and flag.is_of_another(ours):
            told = (
                f"{flag.key} is served at {percent(flag.scope)} by another installation of Belay (ledger "
                f"{flag.ledger}, this one is {ours}): nothing was touched; two installations need flags of "
                "their own (BELAY_FLAGS). If that one is gone, `belay stop all` takes it down too"
            )
            yield Difference(flag.key, Kind.OTHERS, flag.scope, 0, told, mended=False)


def _unknown(belay: Services, state: State, served: Mapping[str, ServedFlag]) -> Iterator[Difference]:
    """Take down what carries Belay's mark and no entry: nobody decided it."""
    for flag in served.values():
        if flag.key in state.optimizations or (flag.scope == 0 and flag.intact):
            continue
        detail = f"{flag.key} is served at {percent(flag.scope)}, and the ledger knows no such optimization"
        if state.seq == 0:
            told = f"{detail}: the ledger is empty, so nothing was touched; is it the right one?"
            yield Difference(flag.key, Kind.UNKNOWN, flag.scope, 0, told, mended=False)
            continue
        belay.flags.apply(replace(flag, scope=0, epoch=flag.epoch + 1))
        command = c.Contain(flag.key, flag.scope, flag.epoch, belay.flags.name, detail)
        execute(belay, command, by="reconcile")
        yield Difference(flag.key, Kind.UNKNOWN, flag.scope, 0, f"{detail}: taken down to 0 %", mended=True)


def _difference(
    belay: Services, known: OptimizationState, flag: ServedFlag | None, *, accept: Actor | None
) -> Difference | None:
    scope, epoch = (flag.scope, flag.epoch) if flag else (0, 0)
    by_hand = flag is not None and not (flag.intact and _same_content(flag, known))
    shown = f"{known.id} is served at {percent(scope)} (epoch {epoch})"
    decided = f"{percent(known.scope)} was decided (epoch {known.epoch})"
    if by_hand:
        return _contain(belay, known, scope, epoch, changed_by_hand(known.id), by_hand=True)
    if scope > known.scope:
        return _contain(belay, known, scope, epoch, f"{shown}, and {decided}", by_hand=False)
    if scope < known.scope and accept is None:
        told = (
            f"{shown}, and {decided}: nothing is widened for that. If less is right, decide it with "
            f"`belay reconcile --once --accept`, or end it with `belay veto {known.id}`"
        )
        return Difference(known.id, Kind.NARROWER, scope, known.scope, told, mended=False)
    if scope < known.scope or epoch > known.epoch:
        kind = Kind.NARROWER if scope < known.scope else Kind.LATE
        told = f"{shown}, and {decided}: the ledger follows"
        command = c.RollBack(known.id, Cause.SERVED_NARROWER, told, scope, above=epoch)
        outcome = belay.ledger.execute(command, by=accept or service("reconcile"), at=belay.now())
        return Difference(known.id, kind, scope, known.scope, told, mended=outcome.refusal is None)
    return None


def _contain(
    belay: Services, known: OptimizationState, scope: int, epoch: int, detail: str, *, by_hand: bool
) -> Difference | None:
    command = c.Contain(known.id, scope, epoch, belay.flags.name, detail, by_hand, decided_epoch=known.epoch)
    if not execute(belay, command, by="reconcile").events:
        return None  # it was on its way while it was read
    to_scope = 0 if by_hand else known.scope
    told = f"{detail}: an incident, narrowed to {percent(to_scope)}"
    return Difference(
        known.id, Kind.BY_HAND if by_hand else Kind.WIDER, scope, known.scope, told, mended=True
    )


def _same_content(flag: ServedFlag, known: OptimizationState) -> bool:
    """Whether a flag shows what was proposed; adapters may wrap a payload as ``{"value": …}``."""
    proposal = known.proposal
    pairs = [(proposal.rollback, flag.rollback)]
    shown = {variant.key: variant.payload for variant in flag.variants}
    pairs += [(variant.payload, shown.pop(variant.key, None)) for variant in proposal.variants]
    plain = [(json.loads(json.dumps(wanted)), served) for wanted, served in pairs]
    same = all(served in (wanted, {"value": wanted}) for wanted, served in plain)
    return same and not shown and dict(flag.audience) == dict(proposal.audience)
