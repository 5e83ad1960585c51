"""What a change that nobody saw would have done: off-policy evaluation on choices made by chance.

Where the product chooses by chance and logs the probability of what it chose, some units were given what
AI would have chosen. Each choice is weighted by how much more often AI would make it (inverse propensity;
Horvitz and Thompson 1952), and the weights are normalised by their own sum (Swaminathan and Joachims 2015,
the self-normalised estimator): a small bias for a much smaller variance.

Everything is computed from sums by choice and by pair of choices, which serve any number of policies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from belay.cells.choice_log import WD, WY, ChoiceLog, N, W, Y
from belay.cells.documents import to_plain
from belay.cells.plan import SRM_ALPHA
from belay.domain.figures import signed_percent
from belay.domain.metrics import Metric, MetricKind
from belay.measurement.compare import MAX_UNUSABLE, MIN_EVENTS
from belay.measurement.tails import normal_quantile, normal_tail
from belay.measurement.words import amount, interval

Floats = NDArray[np.float64]

MAX_CHOICES = 100
"""Values that one payload may name."""
MAX_SHARE = 0.05
"""Share of all the weight that one choice may carry."""


class UntoldError(ValueError):
    """A payload does not say what AI would choose; the message says what is wrong with it."""


def choices_of(payload: Any, key: str) -> dict[str, float]:
    """Return what AI would choose by a payload, with probabilities that sum to 1.

    Parameters
    ----------
    payload
        A variant's payload; untrusted.
    key
        Where in it the choice stands: one value, or values with weights.

    Raises
    ------
    UntoldError
        When it holds neither.
    """
    if not isinstance(payload, Mapping) or key not in payload:
        raise UntoldError(f"its payload has no {key!r}")
    said = payload[key]
    weights: Mapping[Any, Any] = said if isinstance(said, Mapping) else {_word(said): 1.0}
    if len(weights) > MAX_CHOICES:
        raise UntoldError(f"its payload names {len(weights):,} values; at most {MAX_CHOICES} are weighed")
    found: dict[str, float] = {}
    for value, weight in weights.items():
        found[_word(value)] = found.get(_word(value), 0.0) + _weight(weight)
    total = sum(found.values())
    if not 0 < total < math.inf:
        raise UntoldError("the weights in its payload do not add up to anything")
    return {value: weight / total for value, weight in found.items() if weight > 0}


def _word(value: Any) -> str:
    """Return a choice as the log spells it."""
    word = str(value).lower() if isinstance(value, bool) else str(value)
    if not isinstance(value, str | int | float) or not (word and word.isprintable()):
        raise UntoldError("its payload names something that is no value of a choice")
    return word


def _weight(weight: Any) -> float:
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < math.inf:
        raise UntoldError("a weight in its payload is no number from 0 up")
    return float(weight)


@dataclass(frozen=True, slots=True)
class Shadow:
    """What a policy would have done, by what a log shows of its choices.

    Attributes
    ----------
    value, logged : float
        The metric by the policy, and by the policy that chose; per choice, in the metric's unit.
    effect, low, high : float
        value/logged − 1 and its interval, each side at ``alpha``; NaN where it has no meaning.
    alpha : float
        One-sided error rate of each bound.
    matching : int
        Logged choices that the policy might have made.
    effective_units, effective_events : float
        (Σw)²/Σw² over units, and over choices with the rarer outcome (Kish 1965): what the weights leave.
    largest_share : float
        Share of all the weight that the heaviest choice carries.
    mean_weight, p_weight : float
        Average weight, which is 1 when the logged probabilities are right, and the p-value of that.
    silent : str | None
        Why nothing can be said, in words; None when something can.
    sentence : str
        The same for people.
    """

    value: float
    logged: float
    effect: float
    low: float
    high: float
    alpha: float
    matching: int
    effective_units: float
    effective_events: float
    largest_share: float
    mean_weight: float
    p_weight: float
    silent: str | None
    sentence: str

    def to_document(self) -> dict[str, Any]:
        """Return it as plain data."""
        document: dict[str, Any] = to_plain(self)
        return document


def shadow_of(
    log: ChoiceLog,
    policy: Mapping[str, float],
    metric: Metric,
    *,
    alpha: float,
    minimum_units: float,
    name: str = "it",
) -> Shadow:
    """Return what ``policy`` would have done, relative to the policy that made the log's choices.

    The interval is that of log(value/logged) by the delta method, over units: a unit's choices are not
    independent of each other. With V the value, L the logged one and w = π/p, a unit adds
    Σw(y−Vd)/(VΣwd) − Σ(y−Ld)/(LΣd).

    Parameters
    ----------
    log
        From ``warehouse.choice_log.read_choices``; it must know every choice of the policy.
    policy
        Choice to its probability π; they sum to 1.
    metric
        What the log's y and d are of.
    alpha
        One-sided error rate of each bound.
    minimum_units
        Effective units below which nothing is said.
    name
        What the policy is called in the sentence.
    """
    share = np.array([*(policy.get(choice, 0.0) for choice in log.choices), 0.0])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        figures = _figures(log, share, alpha, proportion=metric.kind is MetricKind.PROPORTION)
    silent = _why_silent(log, policy, figures, minimum_units)
    sentence = f"{metric.title}: unknown, because {silent}."
    if silent is None:
        sentence = (
            f"{metric.title}: {amount(figures['value'], metric)} with {name} against "
            f"{amount(figures['logged'], metric)} as it was, {signed_percent(figures['effect'])} "
            f"({100 * (1 - 2 * alpha):.3g} % interval {interval(figures['low'], figures['high'])}), from "
            f"{figures['matching']:,} choices made by chance that weigh as much as "
            f"{figures['effective_units']:,.0f} units."
        )
    return Shadow(**figures, silent=silent, sentence=sentence)


def _figures(log: ChoiceLog, share: Floats, alpha: float, *, proportion: bool) -> dict[str, Any]:
    weighted = share @ log.sums  # Σ over all choices of w times each part
    weight, choices = weighted[W], log.sums[:, N].sum()
    logged, above = np.float64(log.level), weighted[WY] / weighted[WD]  # V − L: the sums are around L
    value = logged + above
    scale = weighted[WD] * value
    added = _factors(log, {WY: share / scale, WD: -above * share / scale, Y: -1.0 / (log.size * logged)})
    spread = math.sqrt(max(_squares(log, added) * log.units / max(log.units - 1, 1), 0.0))
    ratio = value / logged if logged > 0 and value > 0 else math.nan
    reach = np.exp(normal_quantile(alpha) * spread)
    rarer = _kish(share @ log.events[:, 0::2], share**2 @ log.events[:, 1::2])
    drift = math.sqrt(max(_squares(log, _factors(log, {W: share, N: -1.0})), 0.0))
    return {
        "value": float(value),
        "logged": float(logged),
        "effect": float(ratio - 1.0),
        "low": float(ratio / reach - 1.0),
        "high": float(ratio * reach - 1.0),
        "alpha": alpha,
        "matching": int(log.sums[share > 0, N].sum()),
        "effective_units": float(_kish(weight, _squares(log, _factors(log, {W: share})))),
        "effective_events": float(np.min(rarer if proportion else rarer[0])),
        "largest_share": float(np.max(share * log.largest) / weight),
        "mean_weight": float(weight / choices),
        "p_weight": 2.0 * normal_tail(abs(weight - choices) / drift) if drift > 0 else 1.0,
    }


def _factors(log: ChoiceLog, by_sum: Mapping[int, Any]) -> Floats:
    """Return factors on a unit's sums, by choice and sum; 0 where none is given."""
    factors = np.zeros_like(log.sums)
    for part, value in by_sum.items():
        factors[:, part] = value
    return factors


def _squares(log: ChoiceLog, factors: Floats) -> float:
    """Return Σ over units of (Σ of ``factors`` times the unit's sums)²."""
    return float(np.einsum("ai,abij,bj->", factors, log.products, factors))


def _kish(total: Any, squares: Any) -> Floats:
    """Return the effective number, (Σw)²/Σw² (Kish 1965)."""
    found: Floats = np.where(np.asarray(squares) > 0, np.square(total) / squares, 0.0)
    return found


def _why_silent(
    log: ChoiceLog, policy: Mapping[str, float], figures: Mapping[str, Any], minimum_units: float
) -> str | None:
    never = [choice for i, choice in enumerate(log.choices) if policy.get(choice) and not log.sums[i, N]]
    share, mean = figures["largest_share"], figures["mean_weight"]
    units, events = figures["effective_units"], figures["effective_events"]
    if not log.decisions:
        return "no choice was logged"
    if log.unusable > MAX_UNUSABLE * log.decisions:
        lost = f"{log.unusable:,} of {log.decisions:,} logged choices"
        return f"{lost} lack a unit, a value or a probability above 0 and up to 1"
    if never:
        return f"{_shown(never)} was never chosen"
    if log.broken > MAX_UNUSABLE * log.values:
        return f"{100 * log.broken / log.values:.0f} % of the values are missing or no finite numbers"
    if not (math.isfinite(log.level) and log.level > 0):
        return "the value of what was chosen is not positive, so a relative effect has no meaning"
    if share > MAX_SHARE:
        return (
            f"one choice carries {100 * share:.0f} % of all the weight; at most {100 * MAX_SHARE:.0f} % may"
        )
    if units < minimum_units:
        return f"its choices weigh as much as {units:,.0f} units, {minimum_units:,.0f} are needed"
    if events < MIN_EVENTS:
        return f"too few events: as many as {events:,.1f} by weight, {MIN_EVENTS:.0f} needed"
    if figures["p_weight"] < SRM_ALPHA:
        return f"the logged probabilities are not those it chose by: weights average {mean:.3g} instead of 1"
    if not all(math.isfinite(figures[bound]) for bound in ("effect", "low", "high")):
        return "its value is not positive, or the values are too large to add up"
    return None


def _shown(choices: list[str]) -> str:
    """Return names that others wrote as they can stand in a sentence."""
    first = choices[0] if len(choices[0]) <= 40 else f"{choices[0][:39]}…"
    return f"“{first}”" + (f" and {len(choices) - 1} more" if len(choices) > 1 else "")
