"""What the policy asks of a record, and what the record answers: met, not met, or unknown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from belay.domain.autonomy import Criteria
from belay.domain.capability import CapabilityPolicy
from belay.domain.figures import counted, in_percent, signed_percent, with_interval
from belay.domain.record import Record, Share
from belay.domain.stages import Stage


class Standing(StrEnum):
    """What is known about a criterion; unknown is not met."""

    MET = "met"
    NOT_MET = "not_met"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion of the policy, how it stands, and why, in words with figures."""

    name: str
    standing: Standing
    sentence: str


def judge_record(record: Record, policy: CapabilityPolicy, to_stage: Stage) -> tuple[Criterion, ...]:
    """Return how every criterion for ``to_stage`` stands; empty when the policy has none for it.

    Getting to a stage and keeping it take the same: ``to_stage`` is the next one, or the record's own.
    """
    asks = policy.autonomy.criteria_for(to_stage)
    return () if asks is None else tuple(_criteria(record, policy, asks, renews=to_stage is record.stage))


def _criteria(
    record: Record, policy: CapabilityPolicy, asks: Criteria, *, renews: bool
) -> Iterator[Criterion]:
    if asks.days and not renews:
        yield _count("days", record.days, asks.days, "days at the stage")
    if asks.completed:
        yield _count("completed", record.completed, asks.completed, "optimizations completed")
    if asks.judged and not renews:
        yield _count("judged", record.judged, asks.judged, "proposals judged")
    if asks.harm_rate is not None:
        yield _below("harm_rate", record.harm, asks.harm_rate, "did harm")
    if asks.override_rate is not None:
        yield _below("override_rate", record.overrides, asks.override_rate, "were overruled by people")
    # Where people are not asked any more there is nothing to agree with; overrides speak then.
    if asks.agreement is not None and not (renews and record.agreement.count == 0):
        yield _above("agreement", record.agreement, asks.agreement, "agreed on with people")
    if asks.data_quality is not None:
        yield _quality(record, asks.data_quality)
    if asks.calibration is not None:
        yield _calibration(record, asks.calibration)
    if asks.oec_margin is not None:
        yield _oec(record, asks.oec_margin)
    yield _supervision(record, policy)


def _count(name: str, seen: float, needed: float, what: str) -> Criterion:
    met = Standing.MET if seen >= needed else Standing.NOT_MET
    shown = f"{seen:,.1f}".removesuffix(".0")
    return Criterion(name, met, f"{shown} of {needed:g} {what}")


def _below(name: str, share: Share, limit: float, what: str) -> Criterion:
    if share.rate is None or share.high is None:
        sentence = f"nothing was decided yet; at most {in_percent(limit)} may have {_past(what)}"
        return Criterion(name, Standing.UNKNOWN, sentence)
    standing = Standing.UNKNOWN
    if share.high <= limit:
        standing = Standing.MET
    elif share.rate > limit:
        standing = Standing.NOT_MET
    seen = f"{in_percent(share.rate)} of {share.count} {what}"
    sentence = f"{seen}, at most {in_percent(share.high)} with confidence; limit {in_percent(limit)}"
    return Criterion(name, standing, sentence)


def _past(what: str) -> str:
    return {"did harm": "done harm", "were overruled by people": "been overruled by people"}[what]


def _above(name: str, share: Share, limit: float, what: str) -> Criterion:
    if share.rate is None or share.low is None:
        sentence = f"people answered nothing yet; at least {in_percent(limit)} must be {what}"
        return Criterion(name, Standing.UNKNOWN, sentence)
    standing = Standing.UNKNOWN
    if share.low >= limit:
        standing = Standing.MET
    elif share.rate < limit:
        standing = Standing.NOT_MET
    seen = f"{in_percent(share.rate)} of {share.count} {what}"
    sentence = f"{seen}, at least {in_percent(share.low)} with confidence; needed {in_percent(limit)}"
    return Criterion(name, standing, sentence)


def _quality(record: Record, limit: float) -> Criterion:
    share = record.quality
    if share.rate is None:
        return Criterion("data_quality", Standing.UNKNOWN, "the quality gate has not spoken at this stage")
    standing = Standing.MET if share.rate >= limit else Standing.NOT_MET
    return Criterion(
        "data_quality",
        standing,
        f"{in_percent(share.rate)} of {share.count} quality verdicts passed; needed {in_percent(limit)}",
    )


def _calibration(record: Record, limit: float) -> Criterion:
    scored = record.calibration
    if scored is None:
        return Criterion("calibration", Standing.UNKNOWN, "no prediction was measured at this stage")
    standing = Standing.MET if scored.ratio <= limit else Standing.NOT_MET
    sentence = (
        f"{counted(scored.predictions, 'prediction')} score {scored.ratio:.2g} times “no effect” (smaller is "
        "better; "
        f"limit {limit:g}), {in_percent(scored.covered)} of the intervals hold what was found"
    )
    return Criterion("calibration", standing, sentence)


def _oec(record: Record, margin: float) -> Criterion:
    if record.oec is None:
        return Criterion("oec", Standing.UNKNOWN, "the overall criterion was not measured against a holdout")
    found = record.oec.found
    standing = Standing.UNKNOWN
    if found.low >= -margin:
        standing = Standing.MET
    elif found.high < -margin:
        standing = Standing.NOT_MET
    sentence = (
        f"{with_interval(found.effect, found.low, found.high)} against the holdout; "
        f"may lose {in_percent(margin, 1)}; claimed lifts add up to {signed_percent(record.claimed_lift)}"
    )
    return Criterion("oec", standing, sentence)


def _supervision(record: Record, policy: CapabilityPolicy) -> Criterion:
    """People keep up: few questions are open, and few ran out unanswered."""
    answers, limit = record.answers, policy.autonomy.max_expired
    expired = answers.expired / answers.asked if answers.asked else 0.0
    healthy = record.open_requests < policy.limits.max_open_requests and expired <= limit
    sentence = (
        f"{record.open_requests} open requests of fewer than {policy.limits.max_open_requests}, "
        f"{answers.expired} of {answers.asked} ran out unanswered (at most {in_percent(limit)})"
    )
    return Criterion("supervision", Standing.MET if healthy else Standing.NOT_MET, sentence)
