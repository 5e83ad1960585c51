"""Power before exposure: the sizes are right, the traffic is read right, and the advice is usable."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
import tea_tasting as tt
from scipy.stats import norm
from sqlalchemy import Engine
from tests.measurement.conftest import CONVERSION, ERRORS, NOW, REVENUE, START, TICKETS, Tables

from belay.cells.baseline import Baseline, Traffic
from belay.cells.plan import Phase, Role
from belay.cells.planning import plan_for, shares_at
from belay.domain.actors import agent
from belay.domain.capability import ApprovalRule, CapabilityPolicy, ErrorRates, Limits, WindowRule
from belay.domain.metrics import Guardrail, Primary, PrimaryRule
from belay.domain.oversight import LEAST_OVERSIGHT
from belay.domain.proposal import Proposal, Variant
from belay.domain.scope import Ramp
from belay.domain.stages import DecisionClass, Stage
from belay.measurement.power import measurability
from belay.measurement.sizing import Sizing, days_until, sizings, units_after, units_needed
from belay.warehouse.baseline import read_baselines
from belay.warehouse.errors import WarehouseUnavailableError
from belay.warehouse.traffic import daily_units, read_traffic

DIALECTS = ["duckdb", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
BASELINES = {
    "conversion": Baseline(10_000, 0.05, 0.0475),
    "revenue": Baseline(10_000, 2.0, 60.0, 0.4),
    "tickets": Baseline(10_000, 0.01, 0.0099),
    "errors": Baseline(10_000, 0.02, 0.0004),
}


@pytest.fixture
def policy() -> CapabilityPolicy:
    return CapabilityPolicy(
        id="checkout_wording",
        title="Checkout wording",
        description="",
        owner="ada",
        surface="checkout",
        decision_class=DecisionClass.REVERSIBLE,
        ceiling=Stage.BOUNDED,
        initial_stage=Stage.SUPERVISED,
        ramp=Ramp((100, 500, 2500, 10_000)),
        free_scope=500,
        primary=Primary(CONVERSION, PrimaryRule.SUPERIOR, 0.1, 0.02),
        guardrails=(Guardrail(REVENUE, 0.1), Guardrail(TICKETS, 0.5), Guardrail(ERRORS, 0.1)),
        segments=("device",),
        exposure_filters={"is_bot": "false"},
        window=WindowRule(86_400, 14 * 86_400, 500, 28, 1.0),
        errors=ErrorRates(),
        approval=ApprovalRule(("owner",), 1, ("owner",), 3600, 3600),
        limits=Limits(2, 2, 4, 10, 3600),
        oversight=LEAST_OVERSIGHT,
        suites=(),
        max_data_age_seconds=3600,
        agents=(),
        digest="d" * 64,
    )


def test_every_test_is_sized_for_its_share_of_the_power(policy: CapabilityPolicy) -> None:
    found = sizings(policy)
    assert {sizing.power for sizing in found} == {1 - 0.2 / 4}
    assert [sizing.factor for sizing in found] == [1.0, 0.9, 1.5, 1.1]
    assert found[0].primary
    assert [sizing.alpha for sizing in found] == pytest.approx([0.04] * 4)  # a fifth is kept for other looks
    lenient = replace(policy, primary=replace(policy.primary, rule=PrimaryRule.NON_INFERIOR))
    assert sizings(lenient, 0.01)[0] == Sizing(
        CONVERSION, 0.02, 0.98, pytest.approx(0.008), 0.95, primary=True
    )


def test_sizes_agree_with_tea_tasting() -> None:
    rng = np.random.default_rng(31)
    y = rng.normal(10.0, 3.0, 5_000)
    data = pd.DataFrame({"y": y})
    metric = tt.Mean(
        "y",
        alternative="greater",
        alpha=0.05,
        power=0.95,
        ratio=0.25,
        equal_var=True,
        use_t=False,
        rel_effect_size=0.02,
    )
    [result] = metric.solve_power(data, "n_obs")
    sizing = Sizing(REVENUE, 0.02, 1.0, 0.05, 0.95, primary=True)
    ours = units_needed(sizing, Baseline(5_000, float(y.mean()), float(y.var(ddof=1))), 0.2, 0.8)
    assert ours == pytest.approx(result.n_obs, rel=1e-3)


@pytest.mark.parametrize("treated", [0.5, 0.05])
def test_the_promised_power_is_reached(treated: float) -> None:
    margin, rate = 0.1, 0.05
    sizing = Sizing(CONVERSION, margin, 1 - margin, 0.05, 0.9, primary=False)
    total = units_needed(sizing, Baseline(1, rate, rate * (1 - rate)), treated, 1 - treated)
    rng = np.random.default_rng(32)
    n_t, n_c = round(total * treated), round(total * (1 - treated))
    p_t, p_c = rng.binomial(n_t, rate, 4_000) / n_t, rng.binomial(n_c, rate, 4_000) / n_c
    error = np.sqrt(rate * (1 - rate) * (1 / n_t + (1 - margin) ** 2 / n_c))
    assert ((p_t - (1 - margin) * p_c) / error > norm.isf(0.05)).mean() == pytest.approx(0.9, abs=0.02)


def test_days_and_units_are_inverse() -> None:
    arrivals = np.array([100, 50, 0, 50], dtype=np.int64)
    assert days_until(125, arrivals) == pytest.approx(1.5)
    assert days_until(300, arrivals) == pytest.approx(4 + 100 / 50)
    assert units_after(days_until(300, arrivals), arrivals) == pytest.approx(300)
    assert units_after(days_until(180, arrivals), arrivals) == pytest.approx(180)
    assert days_until(10, np.zeros(3, dtype=np.int64)) == math.inf
    assert days_until(math.inf, arrivals) == math.inf


def test_what_cannot_be_measured_says_what_would_help(policy: CapabilityPolicy) -> None:
    arrivals = np.full(14, 9_000, dtype=np.int64)
    wide = measurability(policy, 2500, shares_at(2500, ["b"]), Traffic(BASELINES, arrivals))
    assert wide.measurable
    assert wide.suggestions == ()
    assert wide.days_needed <= 14
    narrow = measurability(policy, 500, shares_at(500, ["b"]), Traffic(BASELINES, arrivals))
    assert not narrow.measurable
    assert narrow.sentence.startswith("Not measurable within 14.0 days at 5 % of the traffic")
    step, window, effect, *_ = narrow.suggestions
    assert step == f"a bigger step: at 25 % it takes {wide.days_needed:.1f} days"
    assert window == f"a longer window: {narrow.days_needed:.1f} days"
    assert effect.startswith("a larger effect or margin to tell apart: Conversion +")
    json.dumps(narrow.to_document(), allow_nan=False)
    # Following the advice works: at the smallest effect named, the same step becomes measurable.
    smallest = {need.metric: need.smallest * 1.02 for need in narrow.metrics}
    relaxed = replace(
        policy,
        primary=replace(policy.primary, minimum_effect=max(0.1, smallest["conversion"])),
        guardrails=tuple(replace(g, margin=max(g.margin, smallest[g.metric.id])) for g in policy.guardrails),
    )
    assert measurability(relaxed, 500, shares_at(500, ["b"]), Traffic(BASELINES, arrivals)).measurable


def test_only_units_that_take_part_count(policy: CapabilityPolicy) -> None:
    arrivals = np.full(14, 20_000, dtype=np.int64)
    shares = shares_at(2500, ["b"])
    whole = measurability(policy, 2500, shares, Traffic(BASELINES, arrivals))
    half = measurability(policy, 2500, shares, Traffic(BASELINES, arrivals), holdout=5000)
    assert whole.measurable
    assert half.units_needed == whole.units_needed, "as many units, and they take longer to come"
    assert half.days_needed == pytest.approx(2 * whole.days_needed)
    assert [need.days_needed for need in half.metrics] == pytest.approx(
        [2 * need.days_needed for need in whole.metrics]
    )
    assert half.units_expected == whole.units_expected / 2
    assert "280,000 units in the 14 days read; without the holdout's 50 %, 140,000 take part" in half.sentence
    assert "280,000 units in the 14 days read)" in whole.sentence
    # What is planned is what comes to control and treatment in the window, and nobody else.
    for found in (whole, half):
        assert found.planned_units == pytest.approx(found.units_needed, abs=1)
    # The same traffic is too little once half of it is held out, and the advice counts the same way.
    scarce = np.full(14, 12_000, dtype=np.int64)
    assert measurability(policy, 2500, shares, Traffic(BASELINES, scarce)).measurable
    late = measurability(policy, 2500, shares, Traffic(BASELINES, scarce), holdout=5000)
    assert not late.measurable
    assert f"a longer window: {late.days_needed:.1f} days" in late.suggestions


def test_cuped_is_suggested_where_it_would_do(policy: CapabilityPolicy) -> None:
    plain = replace(
        policy,
        primary=replace(policy.primary, minimum_effect=0.2),
        guardrails=(Guardrail(replace(REVENUE, covariate=None), 0.1),),
    )
    arrivals = np.full(14, 5_000, dtype=np.int64)
    baselines = BASELINES | {"revenue": Baseline(10_000, 2.0, 120.0)}
    found = measurability(plain, 2500, shares_at(2500, ["b"]), Traffic(baselines, arrivals))
    assert not found.measurable
    [advice] = [said for said in found.suggestions if "CUPED" in said]
    correlation = float(advice.split(" at ")[1].split(" ")[0])
    helped = baselines | {"revenue": Baseline(10_000, 2.0, 120.0 * (1 - (correlation + 0.01) ** 2))}
    assert measurability(plain, 2500, shares_at(2500, ["b"]), Traffic(helped, arrivals)).measurable


def test_without_exposure_or_without_events(policy: CapabilityPolicy) -> None:
    arrivals = np.full(14, 5_000, dtype=np.int64)
    assert measurability(policy, 0, {}, Traffic(BASELINES, arrivals)).measurable
    full = measurability(policy, 10_000, shares_at(10_000, ["b"]), Traffic(BASELINES, arrivals))
    assert not full.measurable
    assert "cannot be compared without units in both arms" in full.sentence
    silent = BASELINES | {"tickets": Baseline(10_000, 0.0, 0.0)}
    nothing = measurability(policy, 2500, shares_at(2500, ["b"]), Traffic(silent, arrivals))
    assert not nothing.measurable
    assert "Tickets was zero or missing in the 10,000 units read" in nothing.sentence


@pytest.fixture(params=DIALECTS)
def open_shop(request: pytest.FixtureRequest, load: Callable[..., Engine]) -> Callable[[Tables], Engine]:
    def opened(tables: Tables) -> Engine:
        url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
        return load(tables, request.param, url)

    return opened


def test_traffic_and_baselines_are_what_counting_gives(
    open_shop: Callable[[Tables], Engine], make_world: Callable[..., Tables]
) -> None:
    tables = make_world(seed=33, units=500)
    engine, outcomes = open_shop(tables), tables["outcomes"]
    inside = outcomes[(outcomes.event_time >= START) & (outcomes.event_time < NOW)]
    first = inside.groupby("unit_id").event_time.min()
    days = (
        ((first - pd.Timestamp(START)) // pd.Timedelta(days=1)).value_counts().reindex(range(6), fill_value=0)
    )
    assert daily_units(engine, "checkout", START, NOW).tolist() == days.sort_index().tolist()
    assert daily_units(engine, "nowhere", START, NOW).tolist() == [0] * 6

    found = read_baselines(engine, [CONVERSION, REVENUE, ERRORS], "checkout", START, NOW)
    units = inside.groupby("unit_id")
    bought = (units.converted.max() > 0).astype(float)
    assert found["conversion"].mean == pytest.approx(bought.mean())
    assert found["conversion"].variance == pytest.approx(bought.var())
    spent = units.revenue.sum().clip(upper=300.0)
    before = tables["units"].set_index("unit_id").pre_revenue.reindex(spent.index)
    assert found["revenue"].explained == pytest.approx(np.corrcoef(spent, before)[0, 1] ** 2)
    assert found["revenue"].variance == pytest.approx(spent.var() * (1 - found["revenue"].explained))
    errors, views = units.page_errors.sum(), units.page_views.sum()
    ratio = errors.sum() / views.sum()
    assert found["errors"].mean == pytest.approx(ratio)
    assert found["errors"].variance == pytest.approx((errors - ratio * views).var() / views.mean() ** 2)


def test_a_step_is_sized_from_real_traffic(
    load: Callable[..., Engine], make_world: Callable[..., Tables], policy: CapabilityPolicy
) -> None:
    engine = load(make_world(seed=34, units=1500))
    found = measurability(policy, 2500, shares_at(2500, ["b"]), read_traffic(engine, policy, NOW))
    assert found.units_needed > 1500
    assert not found.measurable
    assert re.search(r"1,4\d\d units in the 7 days read", found.sentence)


def test_a_warehouse_that_cannot_be_read(load: Callable[..., Engine], policy: CapabilityPolicy) -> None:
    engine = load({"exposures": pd.DataFrame({"unit_id": ["u"]})}, "sqlite")
    with pytest.raises(WarehouseUnavailableError, match="the metrics of checkout cannot be read"):
        read_traffic(engine, policy, NOW)


def test_the_plan_is_the_policy_before_the_data(policy: CapabilityPolicy) -> None:
    proposal = Proposal(
        "calm-button", policy.id, "", "", (Variant("b", 1), Variant("c", 2)), 0, agent("wren"), "ada"
    )
    phase = Phase(0, START, 500, shares_at(500, ["b", "c"]))
    plan = plan_for(policy, proposal, phase, window=timedelta(days=3), planned_units=8_000)
    assert plan.arms == ("control", "b", "c")
    assert plan.metrics[0].role is Role.PRIMARY
    assert plan.metrics[0].margin == 0.0  # a margin means nothing where superiority is asked
    assert plan.primary_alpha == 0.025
    assert (plan.minimum_end, plan.planned_end) == (START + timedelta(days=1), START + timedelta(days=3))
    assert plan.planned_information("b") == pytest.approx(4 * 8_000 * 0.025 * 0.95 / 0.975)
    json.dumps(plan.to_document(), allow_nan=False)
    assert plan_for(policy, proposal, None).planned_end is None
    with pytest.raises(ValueError, match="must sum to 1"):
        Phase(0, START, 500, {"control": 0.5, "b": 0.6})
