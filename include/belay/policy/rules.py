"""What must hold inside one capability file beyond the form of each value.

Every rule speaks about what is there: a field that is missing or malformed is reported elsewhere, and
rules that need it stay silent.
"""

from __future__ import annotations

from collections.abc import Callable

from belay.domain.metrics import Direction, PrimaryRule
from belay.domain.scope import FULL_SCOPE
from belay.domain.stages import DecisionClass, Stage
from belay.policy.autonomy_rules import criteria_errors, lease_errors
from belay.policy.catalogue import unresolved
from belay.policy.checked import Checked, Found
from belay.policy.errors import Path, PolicyError, did_you_mean
from belay.policy.files import CapabilityFile
from belay.policy.ladder import looser
from belay.policy.people_rules import (
    agents_errors,
    calendar_errors,
    escalation_errors,
    owner_errors,
    quorum_errors,
    roles_errors,
)
from belay.policy.shared import LADDER, METRICS

DUPLICATE_EVENTS = "duplicate_events"
"""A filter that is no column: ``drop`` counts an event id once."""

_MANKIND = 8_500_000_000
"""More units than this cannot come."""

_NOT_SEGMENTS = frozenset(
    {"event_id", "unit_id", "optimization", "variant", "surface", "event_time", "ingested_at"}
)
"""Columns of exposures that say who, what and when, and so are no segments."""


def capability_errors(checked: Checked) -> list[PolicyError]:
    """Return everything that breaks a rule, rule by rule."""
    return [error for rule in _RULES for error in rule(checked)]


def ceiling_of(file: CapabilityFile) -> Stage | None:
    """Return the ceiling: the one written, or the decision class's."""
    return file.ceiling or (file.decision_class.ceiling if file.decision_class else None)


def _stages(c: Checked) -> Found:
    kind, ceiling, initial = c.file.decision_class, c.file.ceiling, c.file.initial_stage
    if kind and ceiling and ceiling.rank > kind.ceiling.rank:
        problem = f"the ceiling is above what a {kind} decision may ever reach"
        yield c.document.error(
            ("ceiling",), str(ceiling), problem, f"write {kind.ceiling} or lower, or leave it out"
        )
    if initial is None:
        return
    lowest = ceiling_of(c.file)
    if kind and lowest and lowest.rank > kind.ceiling.rank:
        lowest = kind.ceiling
    if lowest and initial.rank > lowest.rank:
        problem = f"the initial stage is above the ceiling {lowest}" + (
            " (a human_only decision is never taken by AI)" if kind is DecisionClass.HUMAN_ONLY else ""
        )
        yield c.document.error(("initial_stage",), str(initial), problem, f"write {lowest} or lower")
    elif initial.rank > Stage.SUPERVISED.rank:
        problem = "more autonomy than supervised is earned, never declared"
        yield c.document.error(
            ("initial_stage",), str(initial), problem, "write observe, suggest or supervised"
        )


_SURELY_PERCENT = 100
"""A bare number up to this may be meant as percent; that far down, basis points are written as ``0.5 %``."""


def _hundredfold(c: Checked) -> Found:
    """Basis points that were meant as percent would be a hundredth of it, and nobody would notice."""
    ramp = c.document.value.get("ramp")
    bare = isinstance(ramp, list) and all(isinstance(step, int) for step in ramp)
    if c.file.ramp and bare and max(c.file.ramp) <= _SURELY_PERCENT:
        meant, tiny = c.file.ramp, c.file.ramp
        points = [step * 100 for step in meant]
        problem = f"basis points are meant here, so the ramp would end at {max(tiny) / 100:g} %"
        percent = ", ".join(f"{step} %" for step in meant)
        really = ", ".join(f"{step / 100:g} %" for step in tiny)
        right = f"write {points}, or [{percent}]; if so little is meant: [{really}]"
        yield c.document.error(("ramp",), ..., problem, right)
    holdback, autonomy = c.file.holdback, c.file.autonomy
    shares = {
        ("free_scope",): c.file.free_scope,
        ("holdback", "share"): holdback.share if holdback else None,
        ("autonomy", "holdout"): autonomy.holdout if autonomy else None,
    }
    for path, value in shares.items():
        if value and value <= _SURELY_PERCENT // 2 and isinstance(_raw(c, path), int):
            problem = f"basis points are meant here, so this is {value / 100:g} %"
            right = f"write {value * 100} or '{value} %'; if so little is meant: '{value / 100:g} %'"
            yield c.document.error(path, value, problem, right)
    effect = c.file.primary.minimum_effect if c.file.primary else None
    if effect is not None and effect > 1:
        problem = f"an effect of {effect * 100:g} % would have to more than double the metric"
        right = f"effects are shares: write {effect / 100:g} for {effect:g} %"
        yield c.document.error(("primary", "minimum_effect"), effect, problem, right)


def _raw(c: Checked, path: Path) -> object:
    value: object = c.document.value
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _ramp(c: Checked) -> Found:
    steps = c.file.ramp or []
    for index in range(1, len(steps)):
        if steps[index] <= steps[index - 1]:
            right = f"every step must be above the one before: {sorted(set(steps))}"
            problem = f"the ramp does not increase: {steps[index]} after {steps[index - 1]}"
            yield c.document.error(("ramp", index), steps[index], problem, right)


def _window(c: Checked) -> Found:
    window = c.file.window
    if window is None or window.maximum is None:
        return
    if window.minimum is not None and window.minimum > window.maximum:
        problem = "the window's minimum is longer than its maximum"
        yield c.document.error(("window", "minimum"), ..., problem, "make it shorter, or the maximum longer")
    if c.file.max_data_age is not None and c.file.max_data_age >= window.maximum:
        problem = "data may be older than the whole window, so no guardrail could fire in time"
        yield c.document.error(("max_data_age",), ..., problem, "write a time well below window.maximum")
    limits, ramp = c.file.limits, c.file.ramp
    if limits and limits.max_variants and window.minimum_units and ramp:
        needed = window.minimum_units * limits.max_variants * FULL_SCOPE / min(ramp)
        if needed > _MANKIND:
            most = int(_MANKIND * min(ramp) / FULL_SCOPE / limits.max_variants)
            problem = (
                f"the first step, {min(ramp) / 100:g} % shared by {limits.max_variants} variants, would take "
                f"{needed:,.0f} units: more than there are people, so the window could never pass"
            )
            yield c.document.error(
                ("window", "minimum_units"), window.minimum_units, problem, f"write at most {most:,}"
            )


def _primary(c: Checked) -> Found:
    primary = c.file.primary
    if primary is None:
        return
    if primary.metric is not None:
        yield from _metric(c, ("primary", "metric"), primary.metric)
    given = isinstance(c.document.value["primary"], dict) and "rule" in c.document.value["primary"]
    superior = primary.rule is PrimaryRule.SUPERIOR or not given
    if superior and primary.margin is not None:
        problem = "a margin cannot apply to a primary metric that must be superior"
        yield c.document.error(
            ("primary", "margin"), primary.margin, problem, "remove it, or write rule: non_inferior"
        )
    if primary.metric in c.shared.metrics:
        yield from _can_fire(c, ("primary", "margin"), primary.metric, primary.margin)


def _guardrails(c: Checked) -> Found:
    for name, margin in (c.file.guardrails or {}).items():
        path = ("guardrails", name)
        yield from _metric(c, path, name)
        if c.file.primary and name == c.file.primary.metric:
            problem = "the primary metric is guarded already, so this guardrail could never fire first"
            yield c.document.error(path, margin, problem, "remove it, or guard another metric")
        elif name in c.shared.metrics:
            yield from _can_fire(c, path, name, margin)


def _can_fire(c: Checked, path: Path, name: str | None, margin: float | None) -> Found:
    """A margin that swallows any loss, or an outcome window that never ends in time, guards nothing."""
    metric = c.shared.metrics[name or ""]
    if margin is not None and margin >= 1 and metric.direction is Direction.INCREASE:
        problem = f"it can never fire: {metric.id} cannot fall by more than {margin * 100:g} %"
        right = f"margins are shares below 1: write {margin / 100:g} for {margin:g} %"
        yield c.document.error(path, margin, problem, right)
    longest = c.file.window.maximum if c.file.window else None
    if longest and metric.outcome_days and metric.outcome_days * 86_400 > longest:
        problem = (
            f"it can never fire: outcomes of {metric.id} count for {metric.outcome_days:g} days, "
            f"and the window ends after {longest / 86_400:g}"
        )
        right = "make window.maximum longer, or choose a metric with shorter outcome_days"
        yield c.document.error(path[:1] if path[0] == "primary" else path, ..., problem, right)


def _metric(c: Checked, path: Path, name: str) -> Found:
    if whole := c.shared.whole(METRICS):
        yield from whole
    elif broken := c.shared.one(METRICS, name):
        yield from broken
    elif name not in c.shared.metrics:
        right = did_you_mean(name, c.shared.metrics, "metrics")
        yield c.document.error(path, name, f"metric {name!r} is not in {METRICS}", right)


def _columns(c: Checked) -> Found:
    columns = c.shared.columns.get("exposures")
    if columns is None:
        if c.file.segments or c.file.exposure_filters:
            yield from c.shared.whole(METRICS)
        return
    segments = c.file.segments or []
    for index, name in enumerate(segments):
        path: Path = ("segments", index)
        if name not in columns - _NOT_SEGMENTS:
            right = did_you_mean(name, columns - _NOT_SEGMENTS, "segments")
            yield c.document.error(path, name, f"exposures has no segment column {name!r}", right)
        elif name in segments[:index]:
            yield c.document.error(path, name, f"segment {name!r} is given twice", "remove one")
    for name, value in (c.file.exposure_filters or {}).items():
        if name == DUPLICATE_EVENTS:
            if value != "drop":
                yield c.document.error(("exposure_filters", name), value, "unknown word", "write drop")
        elif name not in columns:
            right = did_you_mean(name, [*columns, DUPLICATE_EVENTS], "columns")
            yield c.document.error(
                ("exposure_filters", name), value, f"exposures has no column {name!r}", right
            )


def _shadow(c: Checked) -> Found:
    """Choice and odds are columns of one declared source."""
    shadow = c.file.shadow
    if shadow is None:
        return
    if not c.shared.columns:
        yield from c.shared.whole(METRICS)
        return
    choice, propensity = shadow.choice, shadow.propensity
    unknown = [
        *unresolved(c.shared, c.document, ("shadow",), "choice", choice),
        *unresolved(c.shared, c.document, ("shadow",), "propensity", propensity),
    ]
    yield from unknown
    if unknown or choice is None or propensity is None:
        return
    path: Path = ("shadow", "propensity")
    if choice == propensity:
        problem, right = "what was chosen is not the probability of it", "name the column that holds the odds"
        yield c.document.error(path, propensity, problem, right)
    elif choice.partition(".")[0] != propensity.partition(".")[0]:
        problem, right = "choice and propensity are in different sources", "use columns of one source"
        yield c.document.error(path, propensity, problem, right)


def _oversight(c: Checked) -> Found:
    if whole := c.shared.whole(LADDER):
        yield from whole
    elif c.shared.table is not None:
        yield from looser(c.file.oversight, c.shared.table, c.document, LADDER)


def _suites(c: Checked) -> Found:
    for index, name in enumerate(c.file.suites or []):
        if c.suites is not None and name not in c.suites:
            right = did_you_mean(name, c.suites, "suites")
            yield c.document.error(
                ("suites", index), name, f"there is no suite {name!r} in expectations/", right
            )


_RULES: tuple[Callable[[Checked], Found], ...] = (
    owner_errors,
    _stages,
    _ramp,
    _hundredfold,
    _window,
    _primary,
    _guardrails,
    _columns,
    _shadow,
    roles_errors,
    escalation_errors,
    calendar_errors,
    agents_errors,
    quorum_errors,
    _oversight,
    _suites,
    lease_errors,
    criteria_errors,
)
