"""What the guard makes of what it read: pure, so that every state can be tried without a world."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from belay.domain import commands as c
from belay.domain.figures import signed_percent, with_interval
from belay.domain.gates import Estimate
from belay.domain.rules.due import Facts
from belay.domain.rules.guarding import blind_sentence, due_turn
from belay.domain.state import BlindState, OptimizationState, State
from belay.domain.vocabulary import Cause
from belay.guard.live import Live
from belay.measurement.effects import Effect
from belay.measurement.findings import Finding
from belay.measurement.screen import Screened

WAREHOUSE, ITSELF = "warehouse", "guard"
"""The sources that hide everything: the data's, and the guard when it has not looked."""

STAGE_LOST = 2
"""Blindness budgets after which a blind guard costs the stage itself."""
MOST_SHRINKS = 100
"""Optimizations that shrink in one cycle: when everything is blind, it is not everything at one blow."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What hides something from the guard.

    Attributes
    ----------
    source : str
        ``warehouse``, ``surface:NAME``, ``capability:NAME`` or ``guard``: one incident each.
    target : str
        What it hides: ``all``, ``surface:NAME`` or ``capability:NAME``.
    reason : str
        In words.
    since : datetime
        Data time up to which the guard could see.
    """

    source: str
    target: str
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at one optimization found; ``evidence`` names the document of a finding.

    ``realised`` is what a complete change did in the turn of the hold-back that is over.
    """

    live: Live
    found: Screened
    evidence: str | None = None
    realised: c.RecordRealised | None = None


def narrowings(looks: Iterable[Look]) -> list[c.RollBack]:
    """Return the roll backs: whatever is shown harmful so far, at once and to zero.

    Harm that is not shown to last is caution: the record is not charged, and people may resume.
    """
    return [
        c.RollBack(
            look.live.known.id,
            Cause.CAUTION if look.found.caution else Cause.GUARD,
            look.found.sentence,
            evidence=look.evidence,
        )
        for look in looks
        if look.found.finding is Finding.HARMFUL
    ]


def harmless(looks: Iterable[Look]) -> list[c.RecordHarmless]:
    """Return what is news: a scope shown harmless that was not before."""
    return [
        c.RecordHarmless(known.id, known.scope, look.found.sentence, look.evidence)
        for look in looks
        if look.found.finding is Finding.HARMLESS and (known := look.live.known).scope > known.shown_harmless
    ]


def reports(state: State, problems: Iterable[Problem]) -> list[c.ReportBlind | c.ReportSighted]:
    """Return what changed: what cannot be seen any more, and what can again.

    Of several problems of one source the one that hides it for longest counts. While the warehouse is away
    nothing can be said to be seen again: what was dark before stays dark, and its budget goes on running.
    """
    found = {p.source: p for p in sorted(problems, key=lambda p: p.since, reverse=True)}
    unknown = state.blind.keys() - {ITSELF} if WAREHOUSE in found else frozenset()
    news: list[c.ReportBlind | c.ReportSighted] = [
        c.ReportBlind(p.source, p.target, p.reason, p.since)
        for p in found.values()
        if p.source not in state.blind
    ]
    news += [
        c.ReportSighted(source, "it can be read again")
        for source in state.blind
        if source not in found and source not in unknown
    ]
    return news


def shrinks(state: State, live: Iterable[Live], data_time: datetime) -> list[c.Shrink]:
    """Return what was not seen for longer than its stage's budget; the widest first, not all at one blow."""
    found = []
    for one in live:
        if one.known.scope <= one.known.shown_harmless:
            continue
        if (blind := _hidden(state, one, data_time)) is not None:
            found.append((one.known, blind))
    found.sort(key=lambda pair: (-pair[0].scope, pair[0].id))
    return [_shrink(known, blind, data_time) for known, blind in found[:MOST_SHRINKS]]


def too_long_unseen(state: State, live: Iterable[Live], data_time: datetime) -> dict[str, Facts]:
    """Return by capability what could not be seen for so long that its stage is lost: twice the budget.

    After one budget what is live shrinks to what was shown harmless; a stage below would take even that.
    """
    found: dict[str, Facts] = {}
    for one in live:
        if (blind := _hidden(state, one, data_time, STAGE_LOST)) is not None:
            hours = (data_time - blind.since) / timedelta(hours=1)
            why = f"{one.known.id} was not seen for {hours:.3g} hours of data time: {blind.reason}"
            found.setdefault(one.known.capability, Facts(blind=why))
    return found


def _hidden(state: State, one: Live, data_time: datetime, budgets: int = 1) -> BlindState | None:
    """Return what has hidden it for the longest, where that is so many of its stage's budgets or more."""
    known = one.known
    budget = timedelta(seconds=one.policy.blindness_budget(state.capabilities[known.capability].stage))
    blinds = state.blind_to(known.capability, known.surface)
    oldest = min(blinds, key=lambda blind: blind.since, default=None)
    return oldest if oldest is not None and data_time - oldest.since >= budgets * budget else None


def _shrink(known: OptimizationState, blind: BlindState, data_time: datetime) -> c.Shrink:
    seconds = (data_time - blind.since).total_seconds()
    return c.Shrink(known.id, blind.source, blind_sentence(known, blind.source, seconds))


def stale(
    live: Iterable[Live], marks: Mapping[str, datetime | None], data_time: datetime
) -> dict[str, Problem]:
    """Return the surfaces whose newest data are older than the strictest policy there allows."""
    allowed: dict[str, float] = {}
    started: dict[str, datetime] = {}
    for one in live:
        surface = one.known.surface
        age = one.policy.max_data_age_seconds
        allowed[surface] = min(allowed.get(surface, age), age)
        started[surface] = min(started.get(surface, data_time), one.known.phases[-1].start)
    found = {}
    for surface, seconds in allowed.items():
        mark = marks.get(surface)
        since = mark if mark is not None else started[surface]
        old = (data_time - since).total_seconds()
        if old > seconds:
            said = f"the newest data are {old / 3600:.3g} hours old"
            reason = f"{said}; the policy allows {seconds / 3600:.3g}" if mark else "no data at all arrive"
            found[surface] = Problem(f"surface:{surface}", f"surface:{surface}", reason, since)
    return found


def still_dark(state: State, live: Collection[str], until: Mapping[str, datetime]) -> dict[str, Problem]:
    """Return the dark surfaces on which nothing is live any more, and no data have arrived since."""
    found = {}
    for source, blind in state.blind.items():
        kind, _, surface = source.partition(":")
        if kind == "surface" and surface not in live and until.get(surface, blind.since) <= blind.since:
            found[surface] = Problem(source, blind.target, blind.reason, blind.since)
    return found


def realised(one: Live, effects: Sequence[Effect], data_time: datetime) -> c.RecordRealised | None:
    """Return what a complete change did in the turn that is over; None while the turn runs.

    The primary metric of the first treatment: what the last review's claim was about.
    """
    known = one.known
    if due_turn(known, one.policy.holdback, data_time) is None or not effects:
        return None
    primary = effects[0]
    interval = primary.expected or primary
    found = Estimate(primary.effect, interval.low, interval.high)
    if not found.sound:
        return None
    return c.RecordRealised(known.id, known.rotation, found, realised_sentence(known, primary.title, found))


def realised_sentence(known: OptimizationState, title: str, found: Estimate) -> str:
    """Return what a turn showed, against the claim and against the first turn (novelty wears off)."""
    told = f"{title} {with_interval(found.effect, found.low, found.high)} in turn {known.rotation + 1}"
    claimed = known.results.found
    if claimed is not None:
        kept = "as claimed" if found.low <= claimed.effect <= found.high else "not what was claimed"
        told += f"; claimed was {signed_percent(claimed.effect)}: {kept}"
    if known.realised:
        first = known.realised[0].found
        worn = found.high < first.low
        told += f"; turn 1 was {signed_percent(first.effect)}"
        told += ": its novelty has worn off" if worn else ""
    return told
