"""Explain anything that the ledger knows: an entry, an optimization, a request or a capability."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from belay.domain import events as e
from belay.domain.recorded import Recorded
from belay.explain.chronicle import Chronicle
from belay.explain.claims import Explanation, Matter
from belay.explain.narrowing import narrowing
from belay.explain.single_entry import policy, single_entry
from belay.explain.stages import demotion, promotion
from belay.explain.step import step

_MATTERS: dict[type, Callable[[Chronicle, Recorded, Any], Matter]] = {
    e.PolicyAdopted: policy,
    e.StepStarted: step,
    e.NarrowingIntended: narrowing,
    e.PromotionStarted: promotion,
    e.StageDemoted: demotion,
}
"""Events at the head of something larger; everything else belongs to one of those, or stands alone."""


def explain(
    history: Iterable[Recorded],
    subject: str | int,
    names: Mapping[str, str] | None = None,
    document: Callable[[str], Any] = lambda _digest: None,
) -> Explanation:
    """Return who answered for what in the matter of ``subject``.

    Parameters
    ----------
    history
        The whole ledger, in order.
    subject
        The number of an entry, or the id of an optimization, a request or a capability.
    names
        What people are called, by id.
    document
        Returns the evidence of a digest: what a policy changed stands there. None where it is not at hand.

    Raises
    ------
    LookupError
        When the ledger knows nothing of that name.
    """
    book = Chronicle(history, names or {}, document)
    heads = {head.seq: head for head in (_head(book, entry) for entry in _about(book, subject))}
    if not heads:
        raise LookupError(f"the ledger knows nothing called {subject!r}")
    told = [_tell(book, heads[seq]) for seq in sorted(heads)]
    return Explanation(str(subject), tuple(told))


_MOST_DIGITS = 18


def entry_number(text: str) -> int | None:
    """Return the number of an entry that ``text`` is (``55``, ``#55``), or None; no ledger has 10^18."""
    digits = text.removeprefix("#")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS else None


def _tell(book: Chronicle, entry: Recorded) -> Matter:
    tells = _MATTERS.get(type(entry.event))
    return single_entry(book, entry) if tells is None else tells(book, entry, entry.event)


def _about(book: Chronicle, subject: str | int) -> Iterator[Recorded]:
    """Yield the entries that ``subject`` is about."""
    if isinstance(subject, int):
        entry = book.entry(subject)
        yield from () if entry is None else (entry,)
        return
    for entry in book.all if subject else ():
        event = entry.event
        if isinstance(event, _OF_AN_OPTIMIZATION):
            named = getattr(event, "optimization", "") or getattr(event, "target", "")
            if subject == named:
                yield entry
        elif isinstance(event, e.OversightRequested):
            if subject == event.request:
                yield entry
        elif isinstance(event, _OF_A_CAPABILITY):
            target = getattr(event, "target", "").removeprefix("capability:")
            if subject in (getattr(event, "capability", ""), target):
                yield entry


_OF_AN_OPTIMIZATION = (
    e.Proposed,
    e.ProposalJudged,
    e.ShadowMeasured,
    e.StepStarted,
    e.NarrowingIntended,
    e.Vetoed,
    e.ServedWider,
)

_OF_A_CAPABILITY = (
    e.PolicyAdopted,
    e.PromotionStarted,
    e.StageDemoted,
    e.OecMeasured,
    e.Frozen,
    e.Unfrozen,
    e.KillSwitchPulled,
)


_OF_A_PROMOTION = (
    e.PromotionJudged,
    e.OversightRequested,
    e.OversightGranted,
    e.StagePromoted,
    e.LeaseRenewed,
)


def _head(book: Chronicle, entry: Recorded) -> Recorded:
    """Return the entry that heads the matter which ``entry`` belongs to."""
    event = entry.event
    if type(event) in _MATTERS:
        return entry
    request = getattr(event, "request", None)
    if request and not isinstance(event, e.OversightRequested):
        asked = next(book.find(e.OversightRequested, request=request), None)
        return _head(book, asked[0]) if asked else entry
    optimization, capability = getattr(event, "optimization", ""), getattr(event, "capability", "")
    found: tuple[Recorded, Any] | None = None
    if number := getattr(event, "step", 0):
        found = book.last(e.StepStarted, before=entry.seq, optimization=optimization, step=number)
    elif isinstance(event, e.ScopeConfirmed):
        found = _intent(book, entry, event)
    elif isinstance(event, e.OptimizationEnded):
        found = _ended_by(book, entry, event)
    elif isinstance(event, _OF_A_PROMOTION):
        found = book.last(e.PromotionStarted, before=entry.seq, capability=capability)
    return found[0] if found else entry


def _intent(book: Chronicle, entry: Recorded, event: e.ScopeConfirmed) -> tuple[Recorded, Any] | None:
    of: dict[str, Any] = {"before": entry.seq, "optimization": event.optimization, "epoch": event.epoch}
    if found := book.last(e.NarrowingIntended, **of):
        return found
    widening = book.last(e.WideningIntended, **of)
    return (_head(book, widening[0]), None) if widening else None


def _ended_by(book: Chronicle, entry: Recorded, event: e.OptimizationEnded) -> tuple[Recorded, Any] | None:
    """Return what ended an optimization: a narrowing in the same transaction, else the step reached."""
    for one in book.breath(entry):
        if isinstance(one.event, e.NarrowingIntended) and one.event.optimization == event.optimization:
            return one, None
    return book.last(e.StepStarted, before=entry.seq, optimization=event.optimization)
