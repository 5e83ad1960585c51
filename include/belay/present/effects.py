"""What a review found, for somebody who decides: one line a metric, and what needs thought.

Figures keep the sign of the metric as people know it: fewer support requests is a minus.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from belay.domain.criteria import Standing
from belay.domain.figures import in_percent, short_percent, signed_percent, with_interval
from belay.domain.vocabulary import Finding

MARKS: Mapping[str, str] = {
    Finding.HARMLESS: "✅",
    Finding.HARMFUL: "❌",
    Finding.UNKNOWN: "❔",
    Standing.MET: "✅",
    Standing.NOT_MET: "❌",
}
"""Findings of a metric and standings of a criterion as signs; shape tells them apart without colour."""
_CLOSE = 0.5
"""From this share of its margin on, a metric is said to come close to its limit."""


@dataclass(frozen=True, slots=True)
class EffectLine:
    """One metric (or one criterion of a record) as a person reads it.

    Attributes
    ----------
    title, role, finding : str
        What it is, and what its figures show.
    effect : str
        The effect with its interval, or a criterion's own sentence.
    likely, worst, allowed : str
        The effect, the end of its interval on the side of harm, and the margin there; empty where there is
        none.
    """

    title: str
    role: str
    finding: str
    effect: str
    likely: str = ""
    worst: str = ""
    allowed: str = ""

    @property
    def mark(self) -> str:
        """The finding as a sign."""
        return MARKS.get(self.finding, MARKS[Finding.UNKNOWN])

    @property
    def figures(self) -> str:
        """What is known of it: ``most likely +8.0 %, at worst +2.0 %, allowed −20 %``."""
        if not self.likely:
            return self.effect
        said = [f"most likely {self.likely}", f"at worst {self.worst}"]
        if self.allowed:
            said.append(f"allowed {self.allowed}")
        return ", ".join(said)


def effect_lines(review: Mapping[str, Any]) -> tuple[EffectLine, ...]:
    """Return what a review shows as lines: a step's metrics, the primary first, or a record's criteria."""
    criteria = (
        EffectLine(
            title=str(line["name"]).replace("_", " "),
            role="criterion",
            finding=str(line["standing"]),
            effect=str(line["sentence"]),
        )
        for line in review.get("criteria", ())
    )
    metrics = review.get("metrics", ())
    several = len({line.get("arm") for line in metrics}) > 1
    return (*(_effect(line, several=several) for line in metrics), *criteria)


def thoughts(review: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what needs thought before a yes: margins nearly used, wide intervals, wrong predictions."""
    lines = [line for line in review.get("metrics", ()) if line.get("effect") is not None]
    doubtful = [line for line in lines if line.get("finding") == Finding.UNKNOWN]
    shown = [line for line in lines if line not in doubtful]
    return (*_not_shown(doubtful), *_used_most(shown), *_wide(shown), *_unlike_predicted(review))


def relative(effect: float | None, low: float | None, high: float | None) -> str:
    """Return a relative effect with its interval: ``+3.1 % (−0.4 % to +6.6 %)``."""
    if effect is None:
        return "unknown"
    if low is None or high is None:
        return signed_percent(effect)
    return with_interval(effect, low, high)


def _effect(line: Mapping[str, Any], *, several: bool) -> EffectLine:
    title, effect = str(line.get("title", "")), line.get("effect")
    worst, margin = _worst(line), line.get("margin")
    return EffectLine(
        title=f"{title} ({line['arm']})" if several else title,
        role=str(line.get("role", "")),
        finding=str(line.get("finding", Finding.UNKNOWN)),
        effect=relative(effect, line.get("low"), line.get("high")),
        likely="" if effect is None else signed_percent(effect),
        worst="not known" if worst is None else signed_percent(worst),
        allowed="" if not margin else f"{'+' if _fewer(line) else '−'}{short_percent(abs(margin))}",
    )


def _fewer(line: Mapping[str, Any]) -> bool:
    """Return whether fewer is better."""
    return str(line.get("direction", "increase")) == "decrease"


def _worst(line: Mapping[str, Any]) -> float | None:
    """Return the end of the interval on the side of harm."""
    worst: float | None = line.get("high") if _fewer(line) else line.get("low")
    return worst


def _used(line: Mapping[str, Any]) -> float:
    """Return which share of its margin a metric uses at worst; 0 where it has none or cannot do harm."""
    worst, margin = _worst(line), line.get("margin")
    if not margin or worst is None:
        return 0.0
    harm = worst if _fewer(line) else -worst
    return max(0.0, harm / abs(float(margin)))


def _not_shown(lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Name each metric that is not shown to be safe."""
    for line in lines:
        used = _used(line)
        worst = f": at worst {used:.1f} times what is allowed" if used > 1 else ""
        yield f"{line['title']} is not shown to be safe yet{worst}"


def _used_most(lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Name the metric that comes closest to its limit."""
    most = max(lines, key=_used, default=None)
    if most is not None and (used := _used(most)):
        close = "comes close to" if used >= _CLOSE else "is closest to"
        yield f"{most['title']} {close} its limit: at worst {in_percent(used)} of what is allowed"


def _wide(lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Name what is known only roughly: an interval wider than the margin that it is held against."""
    for line in lines:
        low, high, margin = line.get("low"), line.get("high"), line.get("margin")
        if low is not None and high is not None and margin and high - low > abs(margin):
            yield f"{line['title']} is known only roughly: {signed_percent(low)} to {signed_percent(high)}"


def _unlike_predicted(review: Mapping[str, Any]) -> Iterator[str]:
    """Say where what was found is outside what the agent predicted."""
    told = review.get("predicted") or {}
    predicted, found = told.get("prediction"), told.get("found")
    if not predicted or not found or found.get("effect") is None:
        return
    if predicted["low"] <= found["effect"] <= predicted["high"]:
        return
    side = "less" if found["effect"] < predicted["low"] else "more"
    expected = with_interval(predicted["effect"], predicted["low"], predicted["high"])
    effect = signed_percent(found["effect"])
    yield f"The agent predicted {expected}; found was {effect}, {side} than predicted"
