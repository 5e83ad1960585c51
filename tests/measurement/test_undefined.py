"""Guards that an undefined quotient is unknown, per arm, and that a verdict's interval says what it says."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.measurement.conftest import CONVERSION, ERRORS, NOW, REVENUE, START, TICKETS, metric

from belay.cells.cells import ALL, Cells, MetricCells, Segment
from belay.cells.plan import MeasurementPlan, Phase, PlannedMetric, Role
from belay.cells.reading import Reading
from belay.domain.figures import signed_percent as relative
from belay.domain.metrics import Direction, MetricKind, PrimaryRule
from belay.measurement.decision import decide_effects
from belay.measurement.effects import Conclusion, Effect
from belay.measurement.findings import Finding
from belay.measurement.monitor import monitor
from belay.measurement.screen import screen
from belay.measurement.strata import contrast, pieces, quotient
from belay.measurement.words import amount, interval

Floats = NDArray[np.float64]
MANY_DIGITS = re.compile(r"\d{8,}|\d[\d,]{14,}")
VIEWS = metric("ctr", MetricKind.RATIO, "clicks", denominator="views", unit="per 1,000")


def planned(rule: PrimaryRule = PrimaryRule.SUPERIOR) -> MeasurementPlan:
    guard = Role.GUARDRAIL, 0.05, PrimaryRule.NON_INFERIOR
    return MeasurementPlan(
        capability="checkout_wording",
        optimization="calm-button",
        surface="checkout",
        arms=("control", "b"),
        phase=Phase(0, START, 5000, {"control": 0.5, "b": 0.5}),
        metrics=(
            PlannedMetric(CONVERSION, Role.PRIMARY, 0.0, rule, 0.1),
            PlannedMetric(REVENUE, *guard),
            PlannedMetric(TICKETS, Role.GUARDRAIL, 0.5, PrimaryRule.NON_INFERIOR),
            PlannedMetric(ERRORS, *guard),
            PlannedMetric(VIEWS, *guard),
        ),
        segments=("device",),
        filters={},
        alpha=0.05,
        power=0.8,
        primary_alpha=0.05,
        minimum_units=10,
        minimum_end=START,
        planned_end=NOW,
        looks=12,
        planned_units=4000,
        policy="0" * 64,
    )


def cells_of(seed: int, days: int, n: Floats, lift: float, kinds: list[str]) -> Cells:
    """Draw cells with ``n`` units by day and arm; ``kinds`` says what is wrong with each metric."""
    rng, plan, metrics = np.random.default_rng(seed), planned(), {}
    for one, kind in zip(plan.metrics, kinds, strict=True):
        size = 1 + (one.metric.kind is MetricKind.RATIO) + (one.metric.covariate is not None)
        mean, scatter = np.zeros((days, 2, size)), np.zeros((days, 2, size, size))
        events = np.zeros((days, 2))
        for d in range(days):
            for a in range(2):
                units = int(n[d, a])
                if not units:
                    continue
                y = (rng.random(units) < 0.2 * (1 + lift * a)).astype(float)
                values = [y * (kind != "zero")] + [rng.poisson(3, units) + 1.0] * (size - 1)
                if kind == "constant":
                    values[0] = np.ones(units)
                if size > 1 and one.metric.kind is MetricKind.RATIO:
                    if kind == "no denominator" or (kind == "none in b" and a):
                        values[1] = np.zeros(units)
                    if kind == "rounding in b" and a:
                        values[1] = np.full(units, 1e-17)
                table = np.stack(values, axis=-1)
                mean[d, a] = table.mean(axis=0)
                centred = table - mean[d, a]
                scatter[d, a] = centred.T @ centred
                events[d, a] = (values[0] != 0).sum()
        both = np.stack([mean, mean]), np.stack([scatter, scatter]), np.stack([events, events])
        metrics[one.metric.id] = MetricCells(
            *both,
            ratio=one.metric.kind is MetricKind.RATIO,
            covariate=one.metric.covariate is not None,
            rows=10,
        )
    strata = tuple((START + timedelta(days=d)).date() for d in range(days))
    segments = (Segment(ALL, ALL), Segment("device", "phone"))
    return Cells(NOW, plan.arms, strata, segments, np.stack([n, n]), metrics, Reading())


def says_so(effect: Effect) -> bool:
    """Whether the interval that is told says what the conclusion says."""
    low, high = effect.low, effect.high
    if effect.direction is Direction.DECREASE:
        low, high = -high, -low
    match effect.conclusion:
        case Conclusion.WORSE:
            return high < 0 and interval(effect.low, effect.high) in effect.sentence
        case Conclusion.SUPERIOR:
            return low > 0 and interval(effect.low, effect.high) in effect.sentence
        case Conclusion.NON_INFERIOR:
            return low > -effect.margin and interval(effect.low, effect.high) in effect.sentence
        case Conclusion.NO_BENEFIT:
            return high < effect.minimum_effect and interval(effect.low, effect.high) in effect.sentence
    return True


KINDS = ["fine", "fine", "zero", "constant", "none in b", "no denominator", "rounding in b"]


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    days=st.integers(1, 5),
    lift=st.sampled_from([-0.9, -0.4, -0.1, 0.0, 0.1, 0.6]),
    kinds=st.lists(st.sampled_from(KINDS), min_size=5, max_size=5),
    data=st.data(),
)
def test_whatever_the_cells_undefined_is_unknown_and_a_verdict_has_its_interval(
    seed: int, days: int, lift: float, kinds: list[str], data: st.DataObject
) -> None:
    sizes = st.sampled_from([0, 1, 2, 40, 400, 900])
    drawn = data.draw(st.lists(st.tuples(sizes, sizes), min_size=days, max_size=days))
    cells, plan = cells_of(seed, days, np.array(drawn, dtype=np.float64), lift, kinds), planned()
    watched, found = monitor(cells, plan), decide_effects(cells, plan)
    for document in (watched.to_document(), found.to_document()):
        json.dumps(document, allow_nan=False)
    assert (screen(cells, plan, harmless=True).finding is Finding.HARMFUL) is bool(watched.harms)
    totals = cells.units[0].sum(axis=0)
    for effect in (*watched.effects, *watched.segments, *found.effects, *found.segments):
        assert not MANY_DIGITS.search(effect.sentence), effect.sentence
        assert says_so(effect), effect.sentence
        kind = kinds[[m.metric.id for m in plan.metrics].index(effect.metric)]
        undefined = effect.metric in {"errors", "ctr"} and kind in KINDS[4:]
        if undefined or not totals.all():
            assert effect.conclusion is Conclusion.INCONCLUSIVE
            assert effect.finding is Finding.UNKNOWN
            assert effect.silent


@pytest.mark.parametrize("kind", ["none in b", "rounding in b"])
def test_a_ratio_without_a_denominator_in_one_arm_says_which_and_of_what(kind: str) -> None:
    n = np.full((6, 2), 900.0)
    cells = cells_of(1, 6, n, 0.0, ["fine", "fine", "fine", kind, kind])
    for found in (monitor(cells, planned()).effects, decide_effects(cells, planned()).effects):
        errors = next(effect for effect in found if effect.metric == "errors")
        assert errors.sentence == "Errors: unknown, because no page_views in b: the ratio is undefined."
        assert math.isnan(errors.treatment)


def test_a_quotient_without_a_denominator_is_no_number() -> None:
    assert np.isnan(quotient(np.array([0.0, 3.0, -3.0]), np.array([0.0, 0.0, -1.0]))).all()
    n = np.array([[400.0, 0.0], [0.0, 400.0]])  # no day has both arms
    found = contrast(pieces(n, np.ones((2, 2, 1)), np.ones((2, 2, 1, 1))).total())
    assert np.isnan(found.treatment)
    assert np.isnan(found.z_null)


def test_errors_where_control_has_none_are_harm_all_the_same() -> None:
    n = np.full((3, 2), 900.0)
    cells = cells_of(2, 3, n, 0.0, ["fine"] * 5)
    errors = cells.metrics["errors"]
    mean, events, scatter = errors.mean.copy(), errors.events.copy(), errors.scatter.copy()
    mean[:, :, 0, 0], events[:, :, 0] = 0.0, 0.0
    scatter[:, :, 0, 0, :] = scatter[:, :, 0, :, 0] = 0.0
    silent = replace(errors, mean=mean, events=events, scatter=scatter)
    found = monitor(replace(cells, metrics=cells.metrics | {"errors": silent}), planned())
    effect = next(e for e in found.effects if e.metric == "errors")
    assert effect.conclusion is Conclusion.WORSE
    assert not MANY_DIGITS.search(effect.sentence)


@pytest.mark.parametrize(
    ("value", "said"),
    [(1e300, "over +1,000,000 %"), (0.00031, "+0.03 %"), (-0.0002, "−0.02 %"), (0.0, "+0.0 %")],
)
def test_relative_effects_are_printed_in_short_and_never_lose_their_sign(value: float, said: str) -> None:
    assert relative(value) == said


def test_large_amounts_are_printed_in_short() -> None:
    assert amount(1.2345678901234567e17, ERRORS) == "1.23e+20 per 1,000"


Draw = Callable[..., Cells]


def test_where_the_split_moves_with_the_rate_values_are_called_stratified(
    make_plan: Callable[..., MeasurementPlan], make_cells: Draw
) -> None:
    plan = make_plan(segments=())
    cells = make_cells(plan, {}, units=4000, days=2)
    tilt = np.array([[0.2, 1.8], [1.8, 0.2]])
    conversion = cells.metrics["conversion"]
    level = np.array([3.0, 1.0])[None, :, None, None]
    moved = replace(
        conversion,
        mean=conversion.mean * level,
        scatter=conversion.scatter * tilt[None, :, :, None, None] * level[..., None],
        events=conversion.events * tilt[None] * level[..., 0],
    )
    units = cells.units * tilt[None]
    found = decide_effects(replace(cells, units=units, metrics=cells.metrics | {"conversion": moved}), plan)
    assert "in control, stratified by day (raw " in found.effects[0].sentence
