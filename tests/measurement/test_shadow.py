"""What a change that nobody saw would have done: as counted by hand, and as often right as it says."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.stats import norm
from sqlalchemy import Engine
from tests.measurement.conftest import CONVERSION, ERRORS, NOW, REVENUE, START, TICKETS, Tables

from belay.cells.choice_log import ChoiceLog
from belay.domain.capability import ShadowRule
from belay.domain.metrics import Metric, MetricKind
from belay.measurement.shadow import MAX_CHOICES, Shadow, UntoldError, choices_of, shadow_of
from belay.warehouse.choice_log import LogPlan, read_choices
from belay.warehouse.errors import WarehouseUnavailableError

Floats = NDArray[np.float64]
DIALECTS = ["duckdb", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
RULE = ShadowRule("decisions", "item", "propensity", "item", {"is_bot": "false"})
ODDS = {"plain": 0.7, "by name": 0.2, "it's 100 % \\ new": 0.1}
ITEMS = tuple(ODDS)
PLAN = LogPlan(RULE, CONVERSION, "checkout", START, NOW, ITEMS)
EVEN = dict.fromkeys(ITEMS, 1 / 3)
NEW = {"it's 100 % \\ new": 1.0}


def draw(
    seed: int = 1,
    units: int = 600,
    rates: Mapping[str, float] | None = None,
    odds: Mapping[str, float] = ODDS,
) -> Tables:
    """Units that come once to four times, see an item by its odds, and act by the item's rate."""
    rng = np.random.default_rng(seed)
    items, rate = list(odds), rates or {item: 0.3 + 0.1 * i for i, item in enumerate(odds)}
    visits = rng.integers(1, 5, units)
    who = np.repeat(np.arange(units), visits)
    count = who.size
    offset = np.sort(rng.uniform(0, 6 * 86_400, count)).round(3)
    at = pd.to_datetime(START) + pd.to_timedelta(offset, unit="s").round("us")
    item = rng.choice(items, count, p=list(odds.values()))
    keen = rng.normal(0, 0.05, units)[who]
    bought = rng.random(count) < np.array([rate[name] for name in item]) + keen
    ids = np.array([f"unit-{i:05d}" for i in who])
    later = at + pd.to_timedelta(rng.uniform(0, 3600, count).round(3), unit="s").round("us")
    decisions = pd.DataFrame(
        {
            "event_id": [f"d{i}" for i in range(count)],
            "unit_id": ids,
            "surface": "checkout",
            "item": item,
            "propensity": [odds[name] for name in item],
            "event_time": at,
            "ingested_at": at + pd.Timedelta(seconds=30),
            "is_bot": rng.random(count) < 0.05,
        }
    )
    outcomes = pd.DataFrame(
        {
            "event_id": [f"o{i}" for i in range(count)],
            "unit_id": ids,
            "surface": "checkout",
            "event_time": later,
            "ingested_at": later + pd.Timedelta(seconds=45),
            "converted": bought.astype(int),
            "revenue": np.where(bought, rng.lognormal(3.0, 1.0, count) + 40 * (item == items[-1]), 0.0),
            "support_tickets": rng.binomial(1, 0.1, count),
            "page_errors": rng.binomial(3, 0.2 + 0.1 * (item == items[0])),
            "page_views": rng.integers(1, 9, count),
        }
    )
    return {"decisions": decisions, "outcomes": outcomes}


@pytest.fixture(params=DIALECTS)
def read(request: pytest.FixtureRequest, load: Callable[..., Engine]) -> Callable[..., ChoiceLog]:
    def choices(tables: Tables, plan: LogPlan = PLAN) -> ChoiceLog:
        url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
        return read_choices(load(tables, request.param, url), plan)

    return choices


def by_hand(tables: Tables, plan: LogPlan = PLAN) -> pd.DataFrame:
    """One row a choice: its unit, item, probability, and what followed, computed row by row."""
    decisions, outcomes, metric = tables["decisions"], tables["outcomes"], plan.metric
    made = decisions[(~decisions.is_bot) & (decisions.event_time >= plan.since)]
    made = made[(made.event_time < plan.until) & (made.ingested_at <= plan.until)]
    made = made.assign(at=made.event_time.dt.floor("ms"))
    seen = outcomes[(outcomes.event_time < plan.until) & (outcomes.ingested_at <= plan.until)]
    seen = seen.assign(at=seen.event_time.dt.floor("ms"))
    rows = []
    for unit, mine in made.groupby("unit_id"):
        did = seen[seen.unit_id == unit]
        for choice in mine.itertuples():
            later = mine["at"][mine["at"] > choice.at]
            end = later.min() if len(later) else plan.until
            if metric.outcome_days is not None:
                end = min(end, choice.at + timedelta(days=metric.outcome_days))
            here = did[(did["at"] >= choice.at) & (did["at"] < end)]
            y = here[metric.value].sum()
            if metric.kind in {MetricKind.PROPORTION, MetricKind.RARE_COUNT}:
                y = float((here[metric.value] > 0).any())
            y = min(y, metric.cap) if metric.cap else y
            d = here[metric.denominator].sum() if metric.denominator else 1.0
            rows.append((unit, choice.item, choice.propensity, y, d))
    return pd.DataFrame(rows, columns=["unit", "item", "p", "y", "d"])


def plainly(rows: pd.DataFrame, policy: Mapping[str, float], alpha: float) -> dict[str, float]:
    """The estimator as the papers write it, row by row: self-normalised weights, delta method over units."""
    w = rows.item.map(policy).fillna(0.0).to_numpy() / rows.p.to_numpy()
    y, d, unit = rows.y.to_numpy(), rows.d.to_numpy(), rows.unit.to_numpy()
    value, logged = (w * y).sum() / (w * d).sum(), y.sum() / d.sum()
    each = w * (y - value * d) / (w * y).sum() - (y - logged * d) / y.sum()
    units = pd.Series(each).groupby(unit).sum().to_numpy()
    se = math.sqrt((units**2).sum() * units.size / (units.size - 1))
    z = float(norm.isf(alpha))
    per_unit = pd.Series(w).groupby(unit).sum().to_numpy()
    drift = pd.Series(w - 1.0).groupby(unit).sum().to_numpy()
    happened = y != 0
    return {
        "value": value,
        "logged": logged,
        "effect": value / logged - 1,
        "low": math.exp(math.log(value / logged) - z * se) - 1,
        "high": math.exp(math.log(value / logged) + z * se) - 1,
        "matching": float((w > 0).sum()),
        "effective_units": per_unit.sum() ** 2 / (per_unit**2).sum(),
        "events": w[happened].sum() ** 2 / (w[happened] ** 2).sum(),
        "others": w[~happened].sum() ** 2 / (w[~happened] ** 2).sum() if (~happened).any() else 0.0,
        "largest_share": w.max() / w.sum(),
        "mean_weight": w.mean(),
        "p_weight": 2 * norm.sf(abs(drift.sum()) / math.sqrt((drift**2).sum())),
    }


def estimated(
    log: ChoiceLog, policy: Mapping[str, float], metric: Metric = CONVERSION, **rule: Any
) -> Shadow:
    return shadow_of(log, policy, metric, **({"alpha": 0.05, "minimum_units": 50} | rule))


@pytest.mark.parametrize("metric", [CONVERSION, REVENUE, TICKETS, ERRORS], ids=lambda metric: metric.id)
def test_it_is_what_the_formula_gives_row_by_row(load: Callable[..., Engine], metric: Metric) -> None:
    plan, tables = replace(PLAN, metric=metric), draw(2)
    log, rows = read_choices(load(tables), plan), by_hand(tables, plan)
    for policy in (EVEN, NEW, {"plain": 0.5, "by name": 0.5}):
        found, expected = estimated(log, policy, metric), plainly(rows, policy, 0.05)
        events, others = expected.pop("events"), expected.pop("others")
        proportion = metric.kind is MetricKind.PROPORTION
        expected["effective_events"] = min(events, others) if proportion else events
        for name, value in expected.items():
            assert getattr(found, name) == pytest.approx(value, rel=1e-9, abs=1e-9), name


def test_every_warehouse_gives_the_same(read: Callable[..., ChoiceLog]) -> None:
    """With outcomes of half a day, late arrivals, bots, two choices in one moment, names full of signs."""
    tables, plan = draw(3, units=250), replace(PLAN, metric=replace(REVENUE, outcome_days=0.5))
    decisions = tables["decisions"]
    decisions.loc[3, "ingested_at"] = NOW + timedelta(hours=1)
    twin = decisions.iloc[[10, 20]].assign(event_id=["t1", "t2"], item="plain", propensity=0.7)
    tables["decisions"] = pd.concat([decisions, twin], ignore_index=True)
    log = read(tables, plan)
    rows = by_hand(tables, plan)
    assert (log.decisions, log.unusable, log.units) == (len(rows), 0, rows.unit.nunique())
    for policy in (EVEN, NEW):
        found, expected = estimated(log, policy, plan.metric), plainly(rows, policy, 0.05)
        for name in ("value", "logged", "low", "high", "mean_weight", "p_weight", "effective_units"):
            assert getattr(found, name) == pytest.approx(expected[name], rel=1e-9, abs=1e-9), name


def test_repeated_events_count_once(read: Callable[..., ChoiceLog]) -> None:
    tables, plan = draw(4, units=150), replace(PLAN, metric=REVENUE, once=True)
    clean = read(tables, plan)
    twice = {name: pd.concat([rows, rows], ignore_index=True) for name, rows in tables.items()}
    again = read(twice, plan)
    np.testing.assert_allclose(again.products, clean.products, rtol=1e-9, atol=1e-6)
    assert again.decisions == clean.decisions


def test_large_offsets_do_not_cancel(load: Callable[..., Engine]) -> None:
    tables, plan = draw(5), replace(PLAN, metric=replace(REVENUE, cap=None))
    tables["outcomes"]["revenue"] += 1e7  # its variance is a hundred-billionth of its square
    found = estimated(read_choices(load(tables), plan), EVEN, plan.metric)
    expected = plainly(by_hand(tables, plan), EVEN, 0.05)
    assert (found.high - found.low) == pytest.approx(expected["high"] - expected["low"], rel=1e-5)


def test_a_policy_like_the_logs_own_changes_nothing(load: Callable[..., Engine]) -> None:
    found = estimated(read_choices(load(draw(6)), PLAN), ODDS)
    assert found.effect == pytest.approx(0.0, abs=1e-12)
    assert found.mean_weight == pytest.approx(1.0, abs=1e-12)


def test_the_sentence_says_what_by_what(load: Callable[..., Engine]) -> None:
    found = estimated(read_choices(load(draw(7, units=2500)), PLAN), NEW, minimum_units=500, name="treatment")
    assert found.silent is None
    assert found.sentence.startswith("Conversion: ")
    for part in ("with treatment against", "as it was, +", "(90 % interval +", "choices made by chance"):
        assert part in found.sentence
    assert found.to_document()["effect"] == found.effect


# -- when nothing can be said ------------------------------------------------------------------------


def _rare(tables: Tables) -> None:
    """Hardly anybody acts where AI would have acted."""
    tables["outcomes"]["converted"] = (np.arange(len(tables["outcomes"])) % 40 == 0).astype(int)


def _heavy(tables: Tables) -> None:
    tables["decisions"].loc[5, ["item", "propensity", "is_bot"]] = [ITEMS[2], 1e-5, False]


def _wrong(tables: Tables) -> None:
    tables["decisions"]["propensity"] = 0.5


def _lost(tables: Tables) -> None:
    tables["decisions"].loc[::20, "propensity"] = np.nan
    tables["decisions"].loc[1, "propensity"] = 1.5


def _broken(tables: Tables) -> None:
    tables["outcomes"]["converted"] = tables["outcomes"]["converted"].where(
        np.arange(len(tables["outcomes"])) % 10 > 0
    )


def _nothing(tables: Tables) -> None:
    tables["outcomes"]["converted"] = 0


def _all(tables: Tables) -> None:
    times = tables["decisions"]["event_time"]
    tables["outcomes"] = tables["outcomes"].assign(converted=1, event_time=times, ingested_at=times)


def _empty(tables: Tables) -> None:
    tables["decisions"] = tables["decisions"].iloc[:0]


def _text(tables: Tables) -> None:
    tables["decisions"]["propensity"] = "often"


@pytest.mark.parametrize(
    ("spoil", "policy", "says"),
    [
        (None, {"green": 1.0}, "“green” was never chosen"),
        (None, {"green": 0.5, "g" * 200: 0.5}, "“green” and 1 more was never chosen"),
        (_rare, NEW, "too few events"),
        (_heavy, NEW, "one choice carries"),
        (_wrong, EVEN, "the logged probabilities are not those it chose by: weights average 0.6"),
        (_lost, NEW, "lack a unit, a value or a probability above 0 and up to 1"),
        (_broken, NEW, "10 % of the values are missing"),
        (_nothing, NEW, "is not positive"),
        (_all, NEW, "too few events"),
        (_empty, NEW, "no choice was logged"),
        (_text, NEW, "lack a unit, a value or a probability"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_cannot_be_told_says_why(
    read: Callable[..., ChoiceLog], spoil: Any, policy: Mapping[str, float], says: str
) -> None:
    tables = draw(8, units=400)
    if spoil:
        spoil(tables)
    choices = tuple(dict.fromkeys([*ITEMS, *policy]))
    found = estimated(read(tables, replace(PLAN, choices=choices)), policy)
    assert says in (found.silent or ""), found.silent
    assert found.sentence == f"Conversion: unknown, because {found.silent}."


def test_too_few_units_is_unknown(load: Callable[..., Engine]) -> None:
    found = estimated(read_choices(load(draw(9)), PLAN), NEW, minimum_units=5000)
    assert "5,000 are needed" in (found.silent or "")


def test_a_log_that_is_not_there_is_said(load: Callable[..., Engine]) -> None:
    tables = draw(10, units=20)
    with pytest.raises(
        WarehouseUnavailableError, match=r"decisions and outcomes cannot be read: .*decisions"
    ):
        read_choices(load({"outcomes": tables["outcomes"]}), PLAN)


# -- what AI would choose ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "policy"),
    [
        ("blue", {"blue": 1.0}),
        (7, {"7": 1.0}),
        (True, {"true": 1.0}),
        ({"a": 1, "b": 3, "c": 0}, {"a": 0.25, "b": 0.75}),
        ({1: 0.5, "1": 0.5, 2: 1.0}, {"1": 0.5, "2": 0.5}),
    ],
)
def test_a_payload_says_what_ai_would_choose(said: Any, policy: Mapping[str, float]) -> None:
    assert choices_of({"item": said, "more": 1}, "item") == policy


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ("blue", "has no 'item'"),
        ({"colour": "blue"}, "has no 'item'"),
        ({"item": ["blue"]}, "no value of a choice"),
        ({"item": None}, "no value of a choice"),
        ({"item": "blue\0"}, "no value of a choice"),
        ({"item": ""}, "no value of a choice"),
        ({"item": {}}, "do not add up"),
        ({"item": {"a": 0}}, "do not add up"),
        ({"item": {"a": -1, "b": 2}}, "no number from 0 up"),
        ({"item": {"a": math.nan}}, "no number from 0 up"),
        ({"item": {"a": True}}, "no number from 0 up"),
        ({"item": {"a": 1e308, "b": 1e308}}, "do not add up"),
        ({"item": {str(i): 1 for i in range(MAX_CHOICES + 1)}}, "at most 100"),
    ],
)
def test_a_payload_that_does_not_say_it(payload: Any, says: str) -> None:
    with pytest.raises(UntoldError, match=says):
        choices_of(payload, "item")


# -- as often right as it says -----------------------------------------------------------------------


def summed(item: NDArray[np.int64], unit: NDArray[np.int64], p: Floats, y: Floats, choices: int) -> ChoiceLog:
    """The log's sums from arrays: what the warehouse adds up, for thousands of logs."""
    level, units = y.mean(), int(unit.max()) + 1
    hit, place = np.where(y != 0, 1.0, 0.0), unit * (choices + 1) + item

    def added(where: NDArray[np.int64], values: list[Floats], size: int) -> Floats:
        return np.stack([np.bincount(where, value, size) for value in values], axis=-1)

    parts = [1 / p, 1 / p, (y - level) / p, np.ones_like(p), y - level]
    table = added(place, parts, units * (choices + 1)).reshape(units, choices + 1, 5)
    events = added(item, [hit / p, hit / p**2, (1 - hit) / p, (1 - hit) / p**2], choices + 1)
    largest = np.zeros(choices + 1)
    np.maximum.at(largest, item, 1 / p)
    flat = table.reshape(units, -1)
    products = (flat.T @ flat).reshape(choices + 1, 5, choices + 1, 5).transpose(0, 2, 1, 3)
    names = tuple(str(i) for i in range(choices))
    return ChoiceLog(
        names, y.size, 0, units, y.size, 0, level, float(y.size), table.sum(axis=0), products, events, largest
    )


@pytest.mark.parametrize(
    ("choices", "target", "units", "effect"),
    [
        (4, "even", 1500, 0.0),
        (4, "one", 6000, 0.0),
        (4, "one", 6000, 0.4),
        pytest.param(8, "even", 2500, 0.5, marks=pytest.mark.long),
    ],
)
def test_the_interval_covers_as_often_as_it_says(
    choices: int, target: str, units: int, effect: float
) -> None:
    """A/A and A/B on 600 simulated logs each, units with one to three choices that resemble each other."""
    rng = np.random.default_rng([19, choices, units, int(10 * effect)])
    odds = np.array([0.55, *(0.45 / (choices - 1),) * (choices - 1)])
    odds[1], odds[-1] = odds[1] * 1.4, odds[-1] - 0.4 * odds[1]
    rate = 0.15 * (1 + effect * (np.arange(choices) == choices - 1))
    policy = np.full(choices, 1 / choices) if target == "even" else np.eye(choices)[choices - 1]
    truth = (policy @ rate) / (odds @ rate) - 1
    below = above = spoke = 0
    for _ in range(600):
        unit = np.repeat(np.arange(units), rng.integers(1, 4, units))
        item = rng.choice(choices, unit.size, p=odds)
        keen = rng.lognormal(-0.08, 0.4, units)[unit]
        y = (rng.random(unit.size) < rate[item] * keen).astype(float)
        log = summed(item, unit, odds[item], y, choices)
        found = estimated(log, {str(i): share for i, share in enumerate(policy)})
        if found.silent is None:
            spoke += 1
            below += found.high < truth
            above += found.low > truth
    assert spoke > 590
    assert 0.87 <= 1 - (below + above) / spoke <= 0.93, (below, above, spoke)
    assert max(below, above) / spoke <= 0.085


def test_units_that_resemble_themselves_are_no_independent_choices() -> None:
    """Counting choices as independent would cover too seldom: the units are what varies."""
    rng, units, odds = np.random.default_rng(23), 800, np.array([0.5, 0.5])
    naive = clustered = 0
    for _ in range(400):
        unit = np.repeat(np.arange(units), 6)
        item = np.repeat(rng.choice(2, units, p=odds), 6)  # a product that chooses once and remembers
        y = (rng.random(unit.size) < np.clip(rng.beta(0.6, 2.4, units), 0, 1)[unit]).astype(float)
        log = summed(item, unit, odds[item], y, 2)
        apart = summed(item, np.arange(unit.size), odds[item], y, 2)
        clustered += estimated(log, {"1": 1.0}).low <= 0 <= estimated(log, {"1": 1.0}).high
        naive += estimated(apart, {"1": 1.0}).low <= 0 <= estimated(apart, {"1": 1.0}).high
    assert 0.86 <= clustered / 400 <= 0.94
    assert naive / 400 < 0.75


def test_wrong_probabilities_are_found_and_right_ones_are_believed() -> None:
    rng, odds = np.random.default_rng(29), np.array([0.6, 0.3, 0.1])
    alarms = missed = 0
    for _ in range(500):
        item = rng.choice(3, 4000, p=odds)
        y = (rng.random(4000) < 0.2).astype(float)
        unit = np.arange(4000)
        alarms += "not those" in (estimated(summed(item, unit, odds[item], y, 3), {"2": 1.0}).silent or "")
        said = np.array([0.6, 0.25, 0.15])[item]
        missed += "not those" not in (estimated(summed(item, unit, said, y, 3), {"2": 1.0}).silent or "")
    assert alarms <= 3, "at a level of 0.001"
    assert missed == 0


# -- a recorded log ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def impressions() -> pd.DataFrame:
    """Open Bandit's impressions (BELAY_DATA)."""
    folder = Path(os.environ.get("BELAY_DATA") or Path(__file__).parents[3] / "shared" / "data")
    file = folder / "open_bandit" / "obd_small.parquet"
    if not file.is_file():
        reason = f"no recorded experiments in {folder}: set BELAY_DATA"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return pd.read_parquet(file)


def lake_of(rows: pd.DataFrame) -> Tables:
    """Each impression a unit and a choice; its click a millisecond later."""
    at = pd.to_datetime(rows.timestamp, utc=True, format="ISO8601").dt.tz_localize(None)
    common = {"unit_id": [f"u{i}" for i in range(len(rows))], "surface": "home"}
    decisions = pd.DataFrame(common).assign(
        event_id=common["unit_id"],
        item=rows.item_id.to_numpy(),
        propensity=rows.propensity_score.to_numpy(),
        event_time=at.to_numpy(),
        ingested_at=at.to_numpy(),
    )
    outcomes = pd.DataFrame(common).assign(
        event_id=common["unit_id"],
        converted=rows.click.to_numpy(),
        event_time=(at + pd.Timedelta(milliseconds=1)).to_numpy(),
        ingested_at=(at + pd.Timedelta(seconds=1)).to_numpy(),
    )
    return {"decisions": decisions, "outcomes": outcomes}


@pytest.mark.data
@pytest.mark.parametrize(
    ("campaign", "items", "clicks", "why"),
    [
        ("all", 80, 38, "weigh as much as 340 units, 500 are needed"),
        ("men", 34, 46, "too few events: as many as 15.1 by weight, 25 needed"),
        ("women", 46, 46, "one choice carries 69 % of all the weight"),
    ],
)
def test_open_bandit_the_recommenders_log_tells_what_random_choice_got(
    impressions: pd.DataFrame,
    load: Callable[..., Engine],
    campaign: str,
    items: int,
    clicks: int,
    why: str,
) -> None:
    """Thompson sampling's log with its probabilities, beside what uniform choice got in the same week."""
    own = impressions[impressions.campaign == campaign]
    random, rows = own[own.policy == "random"], own[own.policy == "bts"]
    assert (len(random), int(random.click.sum()), random.item_id.nunique()) == (10_000, clicks, items)
    names = tuple(str(item) for item in sorted(random.item_id.unique()))
    since, until = pd.Timestamp("2019-11-24"), pd.Timestamp("2019-12-02")
    rule = ShadowRule("decisions", "item", "propensity", "item")
    plan = LogPlan(rule, CONVERSION, "home", since.to_pydatetime(), until.to_pydatetime(), names)
    log = read_choices(load(lake_of(rows)), plan)
    found = estimated(log, dict.fromkeys(names, 1 / items), alpha=0.025, minimum_units=500)
    assert (log.decisions, log.units, found.logged) == (10_000, 10_000, rows.click.mean())
    truth = (clicks / 10_000) / found.logged - 1
    assert found.low <= truth <= found.high, (found.low, truth, found.high)
    assert found.p_weight > 0.05, "the logged probabilities are those it chose by"
    # And none is called shown: ten thousand impressions of a policy so unlike it are too few.
    assert why in (found.silent or ""), found.silent
