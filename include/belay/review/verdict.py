"""From findings to a verdict: widen, hold, stop or roll back. Unknown never widens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from belay.cells.cells import ALL
from belay.cells.documents import to_plain
from belay.cells.plan import MeasurementPlan
from belay.domain.capability import CapabilityPolicy
from belay.domain.figures import signed_percent
from belay.domain.gates import ReviewVerdict, Verdict
from belay.domain.proposal import CONTROL, Proposal
from belay.domain.scope import FULL_SCOPE, percent
from belay.measurement.decision import ArmFindings, Findings
from belay.measurement.findings import Finding
from belay.measurement.monitor import Monitoring
from belay.measurement.words import interval, names

SCHEMA = 1
"""Version of the review document; it is evidence, so older ones must stay readable."""

_NEXT = {
    ReviewVerdict.WIDEN: "Next: the oversight this step needs, then it widens to {to}.",
    ReviewVerdict.HOLD: "Next: it stays at {now}. A later run looks again; a person may end it.",
    ReviewVerdict.STOP: "Next: it is taken down. Choosing to stop is a result.",
    ReviewVerdict.ROLL_BACK: "Next: it is taken down to 0 % at once.",
}
_CAUTION = (
    "Next: it is taken down to 0 % at once, as caution: the harm was on those exposed so far, and is not "
    "shown to last. The record is not charged with it, and people may resume it."
)


@dataclass(frozen=True, slots=True)
class Review:
    """The outcome of an impact review.

    Attributes
    ----------
    verdict : ReviewVerdict
        What it recommends.
    sentence : str
        Why, for people.
    document : Mapping[str, Any]
        Everything it rests on, as plain JSON; stored as evidence, rendered by ``report``.
    caution : bool
        Whether it rolls back for harm so far that is not shown to last.
    """

    verdict: ReviewVerdict
    sentence: str
    document: Mapping[str, Any]
    caution: bool = False


def judge(
    *,
    plan: MeasurementPlan,
    findings: Findings,
    monitoring: Monitoring,
    quality: Mapping[str, Any] | None,
    proposal: Proposal,
    policy: CapabilityPolicy,
    from_scope: int,
    to_scope: int,
    extended: bool,
    looks: Sequence[Mapping[str, Any]] = (),
    portfolio: Mapping[str, Any] | None = None,
    units_per_day: float | None = None,
) -> Review:
    """Judge a step by what was measured.

    Parameters
    ----------
    plan, findings, monitoring
        What was planned, what is shown at the end, and what the last look says about harm.
    quality
        Report on exactly the data that was read; anything but a pass holds.
    proposal, policy
        What is judged, and by whose rules.
    from_scope, to_scope
        The step, in basis points.
    extended
        Whether the window went past its planned end.
    looks
        Documents of the looks taken, oldest first.
    portfolio
        Where the capability's portfolio stands (see ``domain.portfolio``); None where none is kept.
    units_per_day
        Units of the surface that a scope is a share of, in a day: those that are not held out.
    """
    verdict, sentence = verdict_of(findings, monitoring, quality)
    seen = [watched for watched in (findings, monitoring) if watched.finding is Finding.HARMFUL]
    caution = bool(seen) and all(watched.caution for watched in seen)
    document = {
        **_frame(proposal, policy, from_scope, to_scope, verdict, sentence),
        **({"caution": True, "next": _CAUTION} if caution else {}),
        "metrics": [named_segment(effect) for effect in to_plain(findings.effects)],
        "segments": [named_segment(effect) for effect in to_plain(findings.segments)],
        "timeline": to_plain(findings.timeline),
        "sample": _sample(findings),
        "split": to_plain(findings.split),
        "novelty": to_plain(findings.novelty),
        "reversals": to_plain(findings.reversals),
        "notes": list(findings.notes),
        "basis": findings.basis.value,
        "until": findings.until.isoformat(),
        "extended": extended,
        "looks": [
            {key: look.get(key) for key in ("look", "until", "elapsed_seconds", "sentence")} for look in looks
        ],
        "quality": quality,
        "predicted": _predicted(proposal, findings),
        "plan": plan.to_document(),
        "portfolio": portfolio,
        "units_per_day": units_per_day,
    }
    return Review(verdict, sentence, document, caution)


def judge_before_exposure(
    *,
    proposal: Proposal,
    policy: CapabilityPolicy,
    from_scope: int,
    to_scope: int,
    quality: Mapping[str, Any] | None,
    admission: Mapping[str, Any] | None,
) -> Review:
    """Judge a first exposure: nobody has seen it, so there is no effect yet, only who would see it."""
    plan = (admission or {}).get("plan", {})
    per_day = plan.get("units_per_day")
    people = f"about {per_day * to_scope / FULL_SCOPE:,.0f} people a day" if per_day else "some people"
    days = plan.get("window_seconds", policy.window.minimum_seconds) / 86_400
    expects = "and does not say by how much"
    if proposal.prediction:
        predicted = proposal.prediction
        expects = f"by {signed_percent(predicted.effect)} ({interval(predicted.low, predicted.high)})"
    sentence = (
        f"Nobody has seen it yet. {percent(to_scope)} of {policy.surface} ({people}) would, for about "
        f"{days:.1f} days; the agent expects it to move {policy.primary.metric.title.lower()} {expects}."
    )
    document = {
        **_frame(proposal, policy, from_scope, to_scope, ReviewVerdict.WIDEN, sentence),
        "metrics": [],
        "segments": [],
        "quality": quality,
        "power": plan.get("power"),
        "predicted": {"metric": policy.primary.metric.title, **_prediction(proposal), "found": None},
        "units_per_day": per_day,
    }
    return Review(ReviewVerdict.WIDEN, sentence, document)


def verdict_of(
    findings: Findings, monitoring: Monitoring, quality: Mapping[str, Any] | None
) -> tuple[ReviewVerdict, str]:
    """Harm first: taking down is right whatever the data are worth. Then whether they may be believed."""
    if harm := monitoring.harm_sentence or _harm(findings):
        return ReviewVerdict.ROLL_BACK, harm
    if quality is None or quality.get("verdict") != Verdict.PASS:
        reason = (quality or {}).get("sentence", "nobody checked them")
        return ReviewVerdict.HOLD, f"The data cannot be believed: {reason}"
    if findings.split.mismatch:
        return ReviewVerdict.HOLD, f"The split cannot be believed. {findings.split.sentence}"
    best = findings.best
    if best is None:
        return ReviewVerdict.HOLD, f"Inconclusive. {findings.sentence}"
    if all(arm.finding is Finding.HARMLESS for arm in findings.arms):
        return ReviewVerdict.WIDEN, _shown(findings, best)
    if findings.no_benefit and monitoring.enough:
        shown = " ".join(arm.primary.sentence for arm in findings.arms)
        return ReviewVerdict.STOP, f"No benefit worth having. {shown}"
    return ReviewVerdict.HOLD, _doubt(findings, best, enough=monitoring.enough)


def _harm(findings: Findings) -> str | None:
    """Return what the planned test shows harmful, in words."""
    harms = [e for e in (*findings.effects, *findings.segments) if e.finding is Finding.HARMFUL]
    if not harms:
        return None
    more = f" {len(harms) - 1} more shown harmful." if len(harms) > 1 else ""
    return f"Harm: {harms[0].sentence}{more}"


def _shown(findings: Findings, best: ArmFindings) -> str:
    """Return why it may widen, in one sentence with figures, units and people."""
    count = len(best.guardrails)
    guarded = {0: "there is no guardrail", 1: "its guardrail stays within its margin"}.get(
        count, f"all {count} guardrails stay within their margins"
    )
    others = len(findings.arms) - 1
    more = "" if not others else "; the other treatment too" if others == 1 else "; the other treatments too"
    return f"{best.primary.sentence.rstrip('.')}; {guarded}{more}. Measured on {_people(findings)}."


def _doubt(findings: Findings, best: ArmFindings, *, enough: bool) -> str:
    """Return what is not shown yet. A treatment in doubt holds all: widening would show it to more people."""
    said = [f"Inconclusive after {_people(findings)}. {best.primary.sentence}"]
    if not enough:
        said.append("Too early: the minimum of units or time is not reached.")
    doubts = [e.title for e in best.guardrails if e.finding is Finding.UNKNOWN]
    if doubts:
        said.append(f"Not shown to stay within its margin: {names(doubts)}.")
    if best.finding is Finding.HARMLESS:
        doubtful = names([arm.arm for arm in findings.arms if arm.finding is not Finding.HARMLESS])
        said.append(f"{best.arm} passes and {doubtful} does not: propose {best.arm} alone to widen it.")
    return " ".join(said)


def _people(findings: Findings) -> str:
    sample = _sample(findings)
    return f"{sum(sample.values()):,} people, {sum(sample.values()) - sample[CONTROL]:,} of whom saw it"


def _sample(findings: Findings) -> dict[str, int]:
    """Return the units measured, by arm, control first."""
    control = max((arm.primary.units_control for arm in findings.arms), default=0)
    return {CONTROL: control} | {arm.arm: arm.primary.units_treatment for arm in findings.arms}


def _frame(
    proposal: Proposal,
    policy: CapabilityPolicy,
    from_scope: int,
    to_scope: int,
    verdict: ReviewVerdict,
    sentence: str,
) -> dict[str, Any]:
    return {
        "kind": "review",
        "schema": SCHEMA,
        "optimization": proposal.optimization,
        "capability": {
            "id": policy.id,
            "title": policy.title,
            "surface": policy.surface,
            "owner": policy.owner,
        },
        "policy": policy.digest,
        "proposal": {
            "title": proposal.title,
            "hypothesis": proposal.hypothesis,
            "variants": [asdict(variant) for variant in proposal.variants],
            "rollback": proposal.rollback,
            "proposed_by": str(proposal.proposed_by),
            "agent_owner": proposal.agent_owner,
            "tags": list(proposal.tags),
        },
        "from_scope": from_scope,
        "to_scope": to_scope,
        "verdict": verdict.value,
        "sentence": sentence,
        "next": _NEXT[verdict].format(to=percent(to_scope), now=percent(from_scope)),
    }


def named_segment(effect: Mapping[str, Any]) -> dict[str, Any]:
    """Return an effect's document with its segment in words; None where it is everybody."""
    segment = effect["segment"]
    everybody = segment["column"] in ("", ALL)
    named = None if everybody else f"{segment['column']}: {segment['value']}"
    return {**effect, "segment": named}


def _prediction(proposal: Proposal) -> dict[str, Any]:
    return {"prediction": asdict(proposal.prediction) if proposal.prediction else None}


def _predicted(proposal: Proposal, findings: Findings) -> dict[str, Any]:
    """Set what the agent predicted beside what was found."""
    best = findings.best
    found = None
    if best is not None:
        interval = best.primary.expected or best.primary
        found = to_plain({"effect": best.primary.effect, "low": interval.low, "high": interval.high})
    return {"metric": best.primary.title if best else None, **_prediction(proposal), "found": found}
