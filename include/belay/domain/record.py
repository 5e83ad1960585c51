"""The record of a capability at its present stage: what it did, counted from the ledger's state alone.

Merit is earned anew at each stage: counts and days start when the stage does. Harm is carried over: what did
harm before the stage still counts in the harm rate. In every rate, evidence loses half its weight with each
half-life, so that a record that is not renewed proves less and less.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from statistics import median
from typing import Any

from belay.domain.autonomy import DAY
from belay.domain.bounds import lower_bound, upper_bound
from belay.domain.capability import CapabilityPolicy
from belay.domain.capability_state import CapabilityState, OecReading
from belay.domain.events import Choice
from belay.domain.metrics import Direction
from belay.domain.oversight import Oversight
from belay.domain.proposal import Prediction
from belay.domain.request_state import RequestState, RequestStatus
from belay.domain.stages import Stage
from belay.domain.state import OptimizationState, State, Status

HASTY_SECONDS = 10.0
"""An answer faster than this was hardly read."""

_MISS = 20.0
"""Penalty for each unit by which a 90 % interval misses: 2/α of the interval score."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its one-sided exact bounds; ``hits`` and ``of`` are weighted by age, ``count`` is not.

    ``rate``, ``low`` and ``high`` are None where nothing was seen.
    """

    hits: float
    of: float
    count: int
    rate: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """How well the agents' predictions did, by an interval score (Gneiting and Raftery 2007, 6.2).

    Attributes
    ----------
    predictions : int
        Predictions of an interval whose effect was measured.
    score, naive : float
        Mean score of the predictions, and of saying "no effect, give or take the minimum effect worth
        having" each time; smaller is better. In units of the relative effect.
    ratio : float
        ``score`` over ``naive``.
    covered : float
        Share of intervals that held what was found; a calibrated agent's 90 % intervals hold nine of ten.
    """

    predictions: int
    score: float
    naive: float
    ratio: float
    covered: float


@dataclass(frozen=True, slots=True)
class Containment:
    """How long harm took to be contained: from the intent to narrow to the flags read back, in seconds."""

    count: int
    median_seconds: float | None
    longest_seconds: float | None


@dataclass(frozen=True, slots=True)
class Answers:
    """How people answered at this stage: quickly, slowly, in haste, or not at all."""

    asked: int
    answered: int
    expired: int
    open: int
    hasty: int
    median_seconds: float | None


@dataclass(frozen=True, slots=True)
class Record:
    """What a capability did at its present stage (``since`` to ``at``, wall-clock).

    Attributes
    ----------
    seq : int
        The ledger entry that it is as of.
    proposed, held, live : int
        Optimizations proposed since the stage began; those that a gate holds, and those that are shown, now.
    widened : int
        Scope steps taken.
    completed, rolled_back, stopped, vetoed : int
        How optimizations ended.
    judged : int
        Proposals that people judged without anybody having seen them.
    harm : Share
        Optimizations that did harm, of those exposed and ended; harm that is to be expected, not only so far.
    overrides : Share
        Optimizations to which a person said no, of those decided.
    agreement : Share
        Proposals and steps on which people agreed with AI, of those that they answered.
    quality : Share
        Quality verdicts that passed.
    calibration : Calibration | None
        None where no prediction could be scored.
    containment : Containment
        How fast harm was contained.
    answers : Answers
        How people answered.
    claimed_lift : float
        Sum of the effects that were measured for what is complete, over all that the holdout goes without
        (``shown_together``), so that the two can be compared; more is better.
    oec : OecReading | None
        The overall criterion against the holdout, when it was read at this stage; more is better.
    open_requests : int
        Open requests of all capabilities.
    lease_until : datetime | None
        When the stage lapses.
    cautions : int
        Optimizations taken down for harm so far that was not shown to last.
    """

    capability: str
    stage: Stage
    since: datetime
    at: datetime
    seq: int
    days: float
    proposed: int
    held: int
    live: int
    widened: int
    completed: int
    rolled_back: int
    stopped: int
    vetoed: int
    judged: int
    harm: Share
    overrides: Share
    agreement: Share
    quality: Share
    calibration: Calibration | None
    containment: Containment
    answers: Answers
    claimed_lift: float
    oec: OecReading | None
    open_requests: int
    lease_until: datetime | None
    cautions: int = 0

    @property
    def curse(self) -> float | None:
        """Claimed lifts less what the holdout shows: the winner's curse; None without a holdout reading."""
        return None if self.oec is None else self.claimed_lift - self.oec.found.effect

    def to_document(self) -> dict[str, Any]:
        """Return the record as plain JSON, to be stored as evidence."""
        document: dict[str, Any] = _plain({**asdict(self), "winners_curse": self.curse})
        return document


def record_of(state: State, policy: CapabilityPolicy, at: datetime) -> Record:
    """Return the record of the policy's capability as of ``at`` (wall-clock, aware).

    Raises
    ------
    KeyError
        When the ledger does not know the capability.
    """
    known = state.capabilities[policy.id]
    since, rule = known.stage_since, policy.autonomy
    good = 1 if policy.primary.metric.direction is Direction.INCREASE else -1
    own = [o for o in state.optimizations.values() if o.capability == known.id]
    asked = [
        request
        for request in state.requests.values()
        if request.capability == known.id and not request.promotes and request.asked_at >= since
    ]

    def share(seen: Iterable[tuple[datetime, bool]]) -> Share:
        return _share(seen, at, rule.half_life_seconds, rule.confidence)

    def ended(status: Status) -> int:
        return sum(o.status is status and _since(o.results.ended_at, since) for o in own)

    return Record(
        capability=known.id,
        stage=known.stage,
        since=since,
        at=at,
        seq=state.seq,
        days=max((at - since).total_seconds(), 0.0) / DAY,
        proposed=sum(o.proposed_at >= since for o in own),
        held=sum(o.status is Status.HELD for o in own),
        live=sum(o.live for o in own),
        widened=sum(moment >= since for o in own for moment in o.results.widened_at),
        completed=ended(Status.COMPLETED),
        rolled_back=ended(Status.ROLLED_BACK),
        stopped=ended(Status.STOPPED) + ended(Status.KILLED),
        vetoed=ended(Status.VETOED),
        judged=sum(1 for _ in _judged(own, since)),
        harm=share(_harms(own, since)),
        overrides=share(_overrides(own, since)),
        agreement=share([*_judged(own, since), *_answered(asked)]),
        quality=share(moment for o in own for moment in o.results.quality if moment[0] >= since),
        calibration=_calibration(own, since, policy.primary.minimum_effect),
        containment=_containment(own, since),
        answers=_answers(asked),
        claimed_lift=sum(
            good * o.results.found.effect
            for o in shown_together(state, known)
            if o.status is Status.COMPLETED and o.results.found
        ),
        oec=known.oec if known.oec is not None and known.oec.at >= since else None,
        open_requests=len(state.open_requests()),
        lease_until=known.lease_until,
        cautions=sum(_since(o.results.cautioned_at, since) for o in own),
    )


def shown_together(state: State, capability: CapabilityState) -> list[OptimizationState]:
    """Return what the holdout has gone without: shown at this stage or still, with today's holdout."""
    return [
        o
        for o in state.optimizations.values()
        if o.capability == capability.id
        and o.phases
        and o.holdout == capability.holdout
        and (
            o.results.ended_at is None
            or o.results.ended_at >= capability.stage_since
            or o.status is Status.COMPLETED
        )
    ]


def recent_harm(state: State, capability: CapabilityState, policy: CapabilityPolicy, at: datetime) -> Share:
    """Return the share of harm that demotion looks at: at this stage, and not longer ago than it says."""
    rule = policy.autonomy
    own = [o for o in state.optimizations.values() if o.capability == capability.id]
    horizon = rule.demotion.within_seconds
    seen = [
        (moment, harmed)
        for moment, harmed in _harms(own, capability.stage_since)
        if moment > capability.stage_since and (at - moment).total_seconds() <= horizon
    ]
    return _share(seen, at, rule.half_life_seconds, rule.confidence)


def _share(seen: Iterable[tuple[datetime, bool]], at: datetime, half_life: float, confidence: float) -> Share:
    hits = of = 0.0
    count = 0
    for moment, hit in seen:
        weight = 0.5 ** (max((at - moment).total_seconds(), 0.0) / half_life)
        of += weight
        hits += weight * hit
        count += 1
    if not count:
        return Share(0.0, 0.0, 0, None, None, None)
    hits, of = round(hits, 9), round(of, 9)
    return Share(
        hits,
        of,
        count,
        hits / of if of else None,
        lower_bound(hits, of, confidence),
        upper_bound(hits, of, confidence),
    )


def _since(moment: datetime | None, since: datetime) -> bool:
    return moment is not None and moment >= since


def _harms(own: Iterable[OptimizationState], since: datetime) -> Iterator[tuple[datetime, bool]]:
    """Yield what was exposed and came to its end at this stage, and every harm whenever it was done."""
    for optimization in own:
        results = optimization.results
        if results.harmed_at is not None:
            yield results.harmed_at, True
        elif results.exposed_at is not None and results.ended_at is not None and results.ended_at >= since:
            yield results.ended_at, False


def _overrides(own: Iterable[OptimizationState], since: datetime) -> Iterator[tuple[datetime, bool]]:
    for optimization in own:
        results = optimization.results
        if results.decided_at is not None and results.decided_at >= since:
            yield results.decided_at, _since(results.overridden_at, since)


def _judged(own: Iterable[OptimizationState], since: datetime) -> Iterator[tuple[datetime, bool]]:
    """Yield the proposals that people judged: when last, and whether most agreed."""
    for optimization in own:
        said = [j for j in optimization.results.judgements if j.counted and j.at >= since]
        if said:
            yield max(j.at for j in said), 2 * sum(j.agrees for j in said) > len(said)


def _answered(asked: Iterable[RequestState]) -> Iterator[tuple[datetime, bool]]:
    """Yield the steps that people were asked about and answered: launched, or not."""
    for request in asked:
        if request.oversight is not Oversight.APPROVE or not request.votes:
            continue
        if request.status is RequestStatus.REJECTED:
            yield request.votes[-1].at, False
        elif request.status is RequestStatus.GRANTED or _approved(request):
            yield request.votes[-1].at, True


def _approved(request: RequestState) -> bool:
    """Whether it had been granted before its grant was taken back."""
    return request.status is RequestStatus.VOID and sum(
        vote.counted and vote.choice is Choice.APPROVE for vote in request.votes
    ) >= max(request.quorum, 1)


def _answers(asked: list[RequestState]) -> Answers:
    voted = [request for request in asked if request.votes]
    times = [(request.votes[-1].at - request.asked_at).total_seconds() for request in voted]
    needed = [request for request in asked if request.oversight is Oversight.APPROVE]
    return Answers(
        asked=len(needed),
        answered=len(voted),
        expired=sum(request.status is RequestStatus.EXPIRED for request in needed),
        open=sum(request.status is RequestStatus.OPEN for request in needed),
        hasty=sum(seconds < HASTY_SECONDS for seconds in times),
        median_seconds=median(times) if times else None,
    )


def _containment(own: Iterable[OptimizationState], since: datetime) -> Containment:
    times = [
        o.results.contained_seconds
        for o in own
        if _since(o.results.harmed_at, since) and o.results.contained_seconds is not None
    ]
    return Containment(len(times), median(times) if times else None, max(times, default=None))


def _calibration(own: Iterable[OptimizationState], since: datetime, worth: float) -> Calibration | None:
    scored = [
        (o.proposal.prediction, o.results.found.effect)
        for o in own
        if o.proposal.prediction is not None
        and o.results.found is not None
        and _since(o.results.found_at, since)
    ]
    if not scored:
        return None
    score = sum(interval_score(p.low, p.high, found) for p, found in scored) / len(scored)
    naive = sum(interval_score(-worth, worth, found) for _, found in scored) / len(scored)
    covered = sum(_holds(prediction, found) for prediction, found in scored) / len(scored)
    return Calibration(len(scored), score, naive, score / naive, covered)


def interval_score(low: float, high: float, found: float) -> float:
    """Return the interval score of a 90 % interval: its width, and 2/α for each unit by which it misses.

    A proper scoring rule: an agent does best by saying what it believes (Gneiting and Raftery 2007, eq. 43).
    """
    return (high - low) + _MISS * max(low - found, 0.0) + _MISS * max(found - high, 0.0)


def _holds(prediction: Prediction, found: float) -> bool:
    return prediction.low <= found <= prediction.high


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Stage) else value
