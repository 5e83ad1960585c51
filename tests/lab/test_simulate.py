"""The simulated shop: the same visitors whatever the speed, and the truth that the scenario says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from belay.clock import data_now
from belay_lab.shop.lake import TABLES
from belay_lab.shop.scenario import Scenario
from belay_lab.shop.simulate import TICK, ShopRunsAlreadyError, Storefront, rhythm

Ask = Callable[..., list[tuple[Any, ...]]]
MakeShop = Callable[..., Storefront]
MakeScenario = Callable[..., Scenario]
HOUR = timedelta(hours=1)


def everything(ask: Ask, home: Path) -> list[list[tuple[Any, ...]]]:
    return [ask(home, f"SELECT * FROM {table} ORDER BY ALL") for table in TABLES]


# -- time -----------------------------------------------------------------------------------------


def test_history_comes_before_any_change_and_shows_control_only(make_shop: MakeShop, ask: Ask) -> None:
    shop = make_shop()
    now = shop.open()
    assert now == data_now(shop.home) == shop.scenario.begins + timedelta(days=0.25)
    seen = ask(shop.home, "SELECT DISTINCT surface, optimization, variant FROM exposures ORDER BY surface")
    assert seen == [("checkout", "", "control"), ("search", "", "control")]
    assert shop.open() == now


def test_stopping_and_starting_changes_no_visitor(make_shop: MakeShop, ask: Ask) -> None:
    whole, parted = make_shop("whole"), make_shop("parted")
    until = whole.open() + 6 * HOUR
    whole.run(until=until)
    parted.run(until=until - 3 * HOUR)
    parted.close()
    again = make_shop("parted")
    again.run(until=until)
    assert everything(ask, whole.home) == everything(ask, again.home)


def test_an_hour_that_was_interrupted_is_written_once(make_shop: MakeShop, ask: Ask) -> None:
    shop = make_shop()
    now = shop.open()
    shop.write(now, now + TICK)  # killed here: the clock was not moved
    before = everything(ask, shop.home)
    shop.run(until=now + TICK)
    assert everything(ask, shop.home) == before


def test_the_clock_never_says_more_than_is_written(make_shop: MakeShop, ask: Ask) -> None:
    shop = make_shop()
    until = shop.open() + 4 * HOUR
    told: list[datetime] = []

    def look(now: datetime) -> None:
        told.append(now)
        assert data_now(shop.home) == now
        newest = ask(shop.home, "SELECT max(event_time) FROM outcomes")[0][0].replace(tzinfo=UTC)
        assert now - HOUR < newest < now

    assert shop.run(until=until, progress=look) == until
    assert told == [until - 3 * HOUR, until - 2 * HOUR, until - HOUR, until]


def test_it_stops_when_asked_between_two_hours(make_shop: MakeShop) -> None:
    shop = make_shop()
    told: list[datetime] = []
    start = shop.open()
    end = shop.run(progress=told.append, stop=lambda: len(told) == 2, seconds_per_tick=0.01)
    assert end == start + 2 * HOUR == data_now(shop.home)


def test_two_shops_in_one_home_are_refused(make_shop: MakeShop) -> None:
    first, second = make_shop(), make_shop()
    first.open()
    with pytest.raises(ShopRunsAlreadyError, match="stop it first"):
        second.run(until=first.open() + HOUR)
    first.close()
    second.open()


def test_weeks_and_days_have_a_rhythm() -> None:
    start = datetime(2026, 3, 2, tzinfo=UTC)
    hours = [rhythm(start + i * HOUR) for i in range(24 * 7)]
    assert sum(hours) / len(hours) == pytest.approx(1, abs=0.02)
    assert max(hours) / min(hours) > 3
    assert sum(hours[120:144]) > 1.1 * sum(hours[24:48]), "Saturday is busier than Tuesday"


# -- who sees what --------------------------------------------------------------------------------


def test_flags_change_who_sees_what_from_the_next_hour_on(
    make_shop: MakeShop, serve: Callable[..., None], ask: Ask
) -> None:
    shop = make_shop()
    now = shop.open()
    for epoch, scope in enumerate((0, 2500, 10_000, 0), start=1):
        serve(shop, scope, epoch)
        now = shop.run(until=now + 6 * HOUR)
    rows = ask(
        shop.home,
        "SELECT epoch(event_time)::BIGINT // 21600 AS period, optimization, "
        "avg((variant = 'treatment')::INT) FROM exposures WHERE surface = 'checkout' "
        "GROUP BY ALL ORDER BY period",
    )
    assert [flag for _, flag, _ in rows] == ["", "", "calm-button", "calm-button", ""]
    assert [share for *_, share in rows] == [0, 0, pytest.approx(0.25, abs=0.06), 1, 0]
    assert ask(shop.home, "SELECT DISTINCT optimization FROM exposures WHERE surface = 'search'") == [("",)]


def test_a_unit_stays_in_its_variant(make_shop: MakeShop, serve: Callable[..., None], ask: Ask) -> None:
    shop = make_shop()
    start = shop.open()
    serve(shop, 5000, 1)
    shop.run(until=start + 12 * HOUR)
    shop.close()
    make_shop().run(until=start + 24 * HOUR)
    twice = "SELECT unit_id FROM exposures WHERE optimization != '' GROUP BY 1 HAVING count(*) > 1"
    assert len(ask(shop.home, twice)) > 50, "visitors come back"
    assert ask(shop.home, f"{twice} AND count(DISTINCT variant) > 1") == []


def test_what_is_complete_shows_on_beside_what_climbs_and_the_holdout_sees_neither(
    make_shop: MakeShop, make_scenario: MakeScenario, serve: Callable[..., None], ask: Ask
) -> None:
    scenario = make_scenario(
        surfaces={"checkout": {"visitors_per_day": 60_000, "behaviour": {"conversion": 0.2}}},
        effects={"calm-button": [{"conversion": 0.5}], "short-form": [{"conversion": 0.4}]},
    )
    shop = make_shop(scenario=scenario)
    start = shop.open()
    held = {"holdout": 2000, "holdout_salt": "wording"}
    serve(shop, 10_000, 1, name="short-form", **held)
    serve(shop, 5000, 1, name="calm-button", **held)
    shop.run(until=start + 12 * HOUR)
    seen = ask(
        shop.home,
        "SELECT one.variant, other.variant, avg(converted) FROM exposures one "
        "JOIN exposures other ON one.event_id || '.1' = other.event_id "
        "JOIN outcomes ON right(one.event_id, -2) = right(outcomes.event_id, -2) "
        "WHERE one.optimization = 'calm-button' AND other.optimization = 'short-form' "
        "GROUP BY ALL ORDER BY ALL",
    )
    assert [(one, other) for one, other, _ in seen] == [
        ("control", "treatment"),
        ("holdout", "holdout"),
        ("treatment", "treatment"),
    ]
    one, neither, both = (rate for *_, rate in seen)
    assert one / neither == pytest.approx(1.4, abs=0.12)
    assert both / neither == pytest.approx(2.1, abs=0.18)
    assert ask(shop.home, "SELECT event_id FROM exposures GROUP BY 1 HAVING count(*) > 1") == []


def test_people_keep_their_attributes(make_shop: MakeShop, ask: Ask) -> None:
    shop = make_shop()
    shop.run(until=shop.open() + 24 * HOUR)
    changed = (
        "SELECT unit_id FROM exposures GROUP BY 1 "
        "HAVING count(DISTINCT device) > 1 OR count(DISTINCT country) > 1"
    )
    assert ask(shop.home, changed) == []
    assert ask(shop.home, "SELECT unit_id FROM units GROUP BY 1 HAVING count(*) > 1") == []


# -- the truth ------------------------------------------------------------------------------------


def _rates(ask: Ask, home: Path, more: str = "TRUE") -> dict[str, tuple[float, ...]]:
    rows = ask(
        home,
        "SELECT variant, avg(converted), avg(revenue) FILTER (converted = 1), avg(unsubscribed), count(*) "
        "FROM exposures JOIN outcomes ON right(exposures.event_id, -2) = right(outcomes.event_id, -2) "
        f"WHERE optimization != '' AND {more} GROUP BY 1",
    )
    return {row[0]: row[1:] for row in rows}


def test_effects_are_the_scenarios_for_each_variant(
    make_shop: MakeShop, make_scenario: MakeScenario, serve: Callable[..., None], ask: Ask
) -> None:
    behaviour = {"conversion": 0.3, "revenue": 50, "unsubscribes": 0.1}
    scenario = make_scenario(
        surfaces={"checkout": {"visitors_per_day": 80_000, "behaviour": behaviour}},
        effects={
            "calm-button": [
                {"conversion": 0.2},
                {"variant": "b", "conversion": -0.3, "revenue": 0.4, "unsubscribes": 1.0, "since": 0.1},
            ]
        },
    )
    shop = make_shop(scenario=scenario)
    start = shop.open()
    serve(shop, 6600, 1, ("a", "b"))
    shop.run(until=start + 10 * HOUR)
    rates = _rates(ask, shop.home)
    control, a, b = rates["control"], rates["a"], rates["b"]
    assert control[0] == pytest.approx(0.3, rel=0.05)
    assert a[0] / control[0] == pytest.approx(1.2, abs=0.06)
    assert b[0] / control[0] == pytest.approx(0.7, abs=0.06)
    assert b[1] / control[1] == pytest.approx(1.4, abs=0.12)
    assert a[1] / control[1] == pytest.approx(1.0, abs=0.1)
    assert b[2] / control[2] == pytest.approx(2.0, abs=0.25)
    assert a[2] / control[2] == pytest.approx(1.0, abs=0.15)


def test_an_effect_begins_when_the_scenario_says(
    make_shop: MakeShop, make_scenario: MakeScenario, serve: Callable[..., None], ask: Ask
) -> None:
    scenario = make_scenario(
        surfaces={"checkout": {"visitors_per_day": 40_000, "behaviour": {"conversion": 0.3}}},
        effects={"calm-button": [{"since": 0.5, "conversion": -0.5}]},
    )
    shop = make_shop(scenario=scenario)
    shop.open()
    serve(shop, 5000, 1)
    shop.run(until=scenario.begins + 18 * HOUR)
    noon = "exposures.event_time {} TIMESTAMP '2026-03-02 12:00'"
    before, after = (_rates(ask, shop.home, noon.format(sign)) for sign in ("<", ">="))
    assert before["treatment"][0] / before["control"][0] == pytest.approx(1, abs=0.12)
    assert after["treatment"][0] / after["control"][0] == pytest.approx(0.5, abs=0.1)


EXPLORATION = {"share": 0.4, "items": {"plain": 0.0, "warm": 0.5}}


def test_what_is_tried_by_chance_is_logged_with_its_probability_and_works(
    make_shop: MakeShop, make_scenario: MakeScenario, serve: Callable[..., None], ask: Ask
) -> None:
    surface = {"visitors_per_day": 40_000, "behaviour": {"conversion": 0.3}, "exploration": EXPLORATION}
    shop = make_shop(scenario=make_scenario(surfaces={"checkout": surface}))
    start = shop.open()
    serve(shop, 3000, 1)
    shop.run(until=start + 6 * HOUR)
    per_item = (
        "SELECT item, propensity, count(*) / sum(count(*)) OVER (), avg(converted) FROM decisions "
        "JOIN outcomes ON substr(decisions.event_id, 3) = substr(outcomes.event_id, 3) "
        "GROUP BY ALL ORDER BY 1"
    )
    (_, usual, often, plain), (_, other, seldom, warm) = ask(shop.home, per_item)
    assert (usual, other) == (pytest.approx(0.8), pytest.approx(0.2))
    assert (often, seldom) == (pytest.approx(0.8, abs=0.02), pytest.approx(0.2, abs=0.02))
    assert warm / plain == pytest.approx(1.5, abs=0.1)
    shown = (
        "SELECT count(*) FROM exposures JOIN decisions "
        "ON substr(exposures.event_id, 3) = substr(decisions.event_id, 3) WHERE variant = 'treatment'"
    )
    assert ask(shop.home, shown) == [(0,)], "who sees an optimization was given nothing by chance"


def test_a_surface_that_explores_moves_nobody_elses_visitors(
    make_shop: MakeShop, make_scenario: MakeScenario, ask: Ask
) -> None:
    plain = make_scenario()
    usual = {"visitors_per_day": 2400, "behaviour": {"conversion": 0.2}}
    surfaces = plain.model_dump()["surfaces"] | {"home": usual | {"exploration": EXPLORATION}}
    with_home = make_scenario(surfaces=surfaces)
    shops = [make_shop(name, scenario) for name, scenario in (("without", plain), ("with", with_home))]
    for shop in shops:
        shop.open()
    for table in ("exposures", "outcomes"):
        before, after = (
            ask(shop.home, f"SELECT * FROM {table} WHERE surface != 'home' ORDER BY ALL") for shop in shops
        )
        assert before == after
    assert ask(shops[0].home, "SELECT count(*) FROM decisions") == [(0,)]
    assert ask(shops[1].home, "SELECT DISTINCT surface FROM decisions") == [("home",)]


def test_trying_things_by_chance_changes_only_what_they_do(
    make_shop: MakeShop, make_scenario: MakeScenario, ask: Ask
) -> None:
    """The draws of exploration are its own: the same visitors come, with the same luck."""
    surface = {"visitors_per_day": 2400, "behaviour": {"conversion": 0.2}}
    tried = {"items": {"plain": 0.0, "same": 0.0}, "share": 1.0}
    for name, more in (("without", {}), ("with", {"exploration": tried})):
        make_shop(name, make_scenario(surfaces={"checkout": surface | more})).open()
    homes = [make_shop(name).home for name in ("without", "with")]
    for table in ("exposures", "outcomes", "units"):
        before, after = (ask(home, f"SELECT * FROM {table} ORDER BY ALL") for home in homes)
        assert before == after


FAULTS = {
    "duplicate_events": ("SELECT count(*) / count(DISTINCT event_id) - 1 FROM outcomes", 0.0, 0.2),
    "missing_units": ("SELECT avg((unit_id IS NULL)::INT) FROM outcomes", 0.0, 0.2),
    "impossible_revenue": ("SELECT avg((revenue < 0)::INT) FROM outcomes", 0.0, 0.2),
    "future_times": ("SELECT avg((event_time > ingested_at)::INT) FROM outcomes", 0.0, 0.2),
    "lost_outcomes": ("SELECT 1 - count(*) / (SELECT count(*) FROM exposures) FROM outcomes", 0.0, 0.2),
    "lost_treatment": ("SELECT avg((variant = 'treatment')::INT) FROM exposures", 0.5, 0.444),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_in_the_data_from_its_day_on(
    make_shop: MakeShop, make_scenario: MakeScenario, serve: Callable[..., None], ask: Ask, fault: str
) -> None:
    surface = {
        "visitors_per_day": 20_000,
        "behaviour": {"conversion": 0.2},
        "faults": {"since": 0.5, fault: 0.2},
    }
    shop = make_shop(scenario=make_scenario(surfaces={"checkout": surface}, history_days=0))
    start = shop.open()
    serve(shop, 5000, 1)
    sql, healthy, broken = FAULTS[fault]
    shop.run(until=start + 12 * HOUR)
    assert ask(shop.home, sql)[0][0] == pytest.approx(healthy, abs=0.03)
    for part in (shop.home / "lake").glob("*/2026*.parquet"):
        part.unlink()
    shop.run(until=start + 18 * HOUR)
    assert ask(shop.home, sql)[0][0] == pytest.approx(broken, abs=0.03)


# -- as a process ---------------------------------------------------------------------------------


def test_sigterm_ends_it_after_the_hour_and_it_goes_on_later(
    tmp_path: Path, make_scenario: MakeScenario, ask: Ask
) -> None:
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(yaml.safe_dump(make_scenario().model_dump(mode="json")))
    kept = {k: v for k, v in os.environ.items() if not k.startswith("BELAY_")}
    environment = kept | {"BELAY_HOME": str(tmp_path / "home")}
    run = [sys.executable, "-m", "belay.cli", "storefront", "run", "--scenario", str(scenario)]
    clock = tmp_path / "home" / "clock.json"
    ends: list[datetime] = []
    stood = make_scenario().begins + timedelta(days=0.25)
    for _ in range(2):
        process = subprocess.Popen(
            [*run, "--seconds-per-hour", "600"], env=environment, stdout=subprocess.PIPE, text=True
        )
        deadline = time.monotonic() + 60
        while not clock.exists() or data_now(clock.parent) == stood:  # an hour of this run is not written yet
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)
        assert process.returncode == 0
        assert "shop time" in out
        stood = data_now(clock.parent)
        ends.append(stood)
    assert ends[1] == ends[0] + HOUR
    hours = ask(clock.parent, "SELECT DISTINCT date_trunc('hour', event_time) FROM outcomes")
    assert len(hours) == 8
    assert not list((tmp_path / "home" / "lake").glob("*/.*"))
