"""Guard, window, power and counting by hand read the same events and units, whatever was delivered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from tests.measurement.conftest import CONVERSION, ERRORS, REVENUE, START, Tables
from tests.measurement.test_cells import DIALECTS, assert_same, by_hand
from tests.measurement.test_fleet import same
from tests.support import profiles

from belay.cells.plan import MeasurementPlan, Sight
from belay.warehouse.baseline import read_baselines
from belay.warehouse.fleet import read_fleet
from belay.warehouse.look import read_cells

UNTIL = START + timedelta(hours=20)
EXAMPLES = {"laptop": 10, "ci": 60, "nightly": 600}
UNITS = ["u0", "u1", "u2", "u3", "u4", "u5"]

minutes = st.integers(-180, 20 * 60)
lags = st.sampled_from([0, 0, 1, 7, 600])
"""Minutes until an event arrives; the last may be after the look."""
keys = st.one_of(st.none(), st.integers(0, 11))
"""Event ids: few, so that many come again, restamped or as they were; some have none."""
units = st.one_of(st.none(), st.sampled_from(UNITS))
values = st.one_of(st.none(), st.sampled_from([0, 0, 1, 3]))
exposures = st.tuples(keys, st.one_of(st.none(), st.sampled_from(UNITS)), minutes, lags, st.booleans())
outcomes = st.tuples(keys, units, minutes, lags, values, st.sampled_from(["checkout"] * 5 + ["search"]))
"""Each event may be delivered again: ``again`` names one, how much later it says it happened, and arrived."""
again = st.tuples(st.integers(0, 40), st.sampled_from([0, 0, 3]), st.sampled_from([5, 700]))
zones = st.sampled_from([None, "UTC", "Asia/Tokyo", "America/New_York"])
"""How the warehouse stores times: as naive UTC, or as moments of a zone."""
TIMES = ("event_time", "ingested_at")
unit_rows = st.lists(st.tuples(st.sampled_from(UNITS), st.sampled_from([4.0, 9.0])), max_size=4)


def delivered(rows: pd.DataFrame, extra: list[tuple[int, int, int]]) -> pd.DataFrame:
    """Return the events, some of them delivered once more."""
    copies = [
        rows.iloc[[i % len(rows)]].assign(
            event_time=lambda r, m=moved: r.event_time + pd.Timedelta(minutes=m),
            ingested_at=lambda r, m=later: r.ingested_at + pd.Timedelta(minutes=m),
        )
        for i, moved, later in extra
    ]
    return pd.concat([rows, *copies], ignore_index=True)


def times(minute: pd.Series[Any], lag: pd.Series[Any]) -> dict[str, Any]:
    at = pd.to_datetime(START) + pd.to_timedelta(minute, unit="m")
    return {"event_time": at.astype("datetime64[us]"), "ingested_at": (at + pd.to_timedelta(lag, unit="m"))}


def aware(tables: Tables, zone: str | None, dialect: str) -> Tables:
    """Return the same times as moments of ``zone``, as a warehouse stores them; as they are when None."""
    if zone is None:
        return tables

    def moments(rows: pd.DataFrame) -> pd.DataFrame:
        at = {c: rows[c].dt.tz_localize("UTC").dt.tz_convert(zone) for c in TIMES if c in rows}
        text = {c: values.map(lambda moment: moment.isoformat()) for c, values in at.items()}
        return rows.assign(**(text if dialect == "sqlite" else at))

    return {name: moments(rows) for name, rows in tables.items()}


@st.composite
def worlds(draw: Any) -> Tables:
    seen = pd.DataFrame(
        draw(st.lists(exposures, min_size=4, max_size=18)),
        columns=["key", "unit_id", "minute", "lag", "is_bot"],
    )
    did = pd.DataFrame(
        draw(st.lists(outcomes, min_size=4, max_size=25)),
        columns=["key", "unit_id", "minute", "lag", "value", "surface"],
    )
    value = did["value"].astype(float)
    arms = {unit: "b" if i % 2 else "control" for i, unit in enumerate(UNITS)}
    shown_to = [unit if isinstance(unit, str) else None for unit in seen.unit_id]
    shown = pd.DataFrame(
        {
            "event_id": [None if pd.isna(k) else f"x{k:.0f}" for k in seen.key],
            "unit_id": shown_to,
            "optimization": "calm-button",
            "variant": [arms.get(unit or "", "control") for unit in shown_to],
            "surface": "checkout",
            "country": "NL",
            "device": [unit and ("phone" if unit < "u3" else "desktop") for unit in shown_to],
            "is_bot": seen.is_bot & (seen.minute % 5 == 0),
        }
        | times(seen.minute, seen.lag)
    )
    happened = pd.DataFrame(
        {
            "event_id": [None if pd.isna(k) else f"o{k:.0f}" for k in did.key],
            "unit_id": did.unit_id.astype(object).where(did.unit_id.notna(), None),
            "surface": did.surface,
            "converted": value,
            "revenue": 10.0 * value,
            "page_errors": value,
            "page_views": 2.0 + did.minute % 3,
        }
        | times(did.minute, did.lag)
    )
    known = pd.DataFrame(
        [*((unit, 5.0 + i) for i, unit in enumerate(UNITS)), *draw(unit_rows)],
        columns=["unit_id", "pre_revenue"],
    )
    again_seen, again_did = draw(st.lists(again, max_size=4)), draw(st.lists(again, max_size=8))
    return {
        "exposures": delivered(shown, again_seen),
        "outcomes": delivered(happened, again_did),
        "units": known,
    }


def counted_once(tables: Tables) -> Tables:
    """Return what counts: each outcome event once, the first by time, then by arrival; each unit once."""
    rows = tables["outcomes"]
    there = rows[(rows.ingested_at <= UNTIL) & (rows.surface == "checkout")]
    there = there.sort_values(["event_time", "ingested_at"], kind="stable")
    named = there[there.event_id.notna()].drop_duplicates("event_id")
    first = pd.concat([named, there[there.event_id.isna()]])
    each = tables["units"].groupby("unit_id").pre_revenue
    agreed = each.first().where(each.nunique() == 1).rename("pre_revenue").reset_index()
    return tables | {"outcomes": first[first.unit_id.notna()], "units": agreed}


def settled(world: Tables) -> bool:
    """Whether rows that are the same event to the last digit of its times say the same."""
    rows = world["outcomes"]
    ties = rows[rows.event_id.notna()].groupby(
        ["event_id", "surface", "event_time", "ingested_at"], dropna=False
    )
    return bool((ties[["unit_id", "revenue", "page_views"]].nunique(dropna=False) <= 1).to_numpy().all())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_reader_reads_what_counting_by_hand_gives(
    dialect: str,
    request: pytest.FixtureRequest,
    load: Callable[..., Engine],
    make_plan: Callable[..., MeasurementPlan],
) -> None:
    plan = make_plan(filters={"is_bot": "false", "duplicate_events": "drop"}, segments=("device",))
    plan = make_plan(
        filters=plan.filters,
        segments=plan.segments,
        metrics=tuple(planned for planned in plan.metrics if planned.metric in (CONVERSION, REVENUE, ERRORS)),
    )
    url = request.getfixturevalue("postgres_url") if dialect == "postgresql" else None

    @settings(
        max_examples=EXAMPLES.get(profiles.name(), 10),
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
    )
    @given(worlds().filter(settled), zones)
    def agree(tables: Tables, zone: str | None) -> None:
        engine = load(aware(tables, zone, dialect), dialect, url)
        once = counted_once(tables)
        window = read_cells(engine, plan, UNTIL)
        guard = read_fleet(engine, [Sight(plan, UNTIL)]).cells[0]
        expected = by_hand(once, plan, UNTIL)
        if expected.empty:
            assert window.problem is not None
            assert guard.problem is not None
        else:
            known = expected["revenue.x"]
            assert_same(
                window, plan, expected.assign(**{"revenue.x": known.fillna(known.mean()).fillna(0.0)})
            )
            same(guard, window)
        assert guard.reading.duplicate_outcomes == window.reading.duplicate_outcomes
        assert_power(engine, once)
        engine.dispose()

    agree()


def assert_power(engine: Engine, once: Tables) -> None:
    """Power counts the same outcome events: every unit's, exposed or not."""
    rows = once["outcomes"]
    inside = rows[(rows.event_time >= START) & (rows.event_time < UNTIL)]
    found = read_baselines(engine, [REVENUE], "checkout", START, UNTIL, once=True)["revenue"]
    spent = inside.groupby("unit_id").revenue.sum().clip(upper=300.0)
    assert found.units == len(spent)
    if len(spent) > 1 and np.isfinite(found.mean):
        assert found.mean == pytest.approx(spent.mean())


@pytest.mark.parametrize("moved", [0, 2], ids=["delivered again", "restamped"])
def test_a_retry_counts_once_and_the_note_says_so_everywhere(
    load: Callable[..., Engine],
    make_world: Callable[..., Tables],
    make_plan: Callable[..., MeasurementPlan],
    moved: int,
) -> None:
    tables = make_world(seed=11, units=600)
    plan = make_plan(filters={"is_bot": "false", "duplicate_events": "drop"})
    rows = tables["outcomes"]
    retried = rows[rows.unit_id < "unit-00300"].assign(
        event_time=lambda r: r.event_time + pd.Timedelta(seconds=moved),
        ingested_at=lambda r: r.ingested_at + pd.Timedelta(minutes=7),
    )
    until = START + timedelta(days=6)
    clean = read_cells(load(tables), plan, until)
    engine = load(tables | {"outcomes": pd.concat([rows, retried], ignore_index=True)})
    window, guard = read_cells(engine, plan, until), read_fleet(engine, [Sight(plan, until)]).cells[0]
    same(window, clean)
    same(guard, clean)
    start, late = pd.Timestamp(START), pd.Timestamp(until)
    again = retried[
        (retried.ingested_at <= late) & (retried.event_time < late) & (retried.event_time >= start)
    ]
    for cells in (window, guard):
        assert cells.reading.duplicate_outcomes == len(again)
        assert f"{len(again):,} repeated outcome events counted once" in cells.reading.sentences
    known = read_baselines(load(tables), plan_metrics(plan), "checkout", START, until, once=True)
    found = read_baselines(engine, plan_metrics(plan), "checkout", START, until, once=True)
    for name, baseline in known.items():
        assert found[name].units == baseline.units
        assert found[name].mean == pytest.approx(baseline.mean)


def plan_metrics(plan: MeasurementPlan) -> list[Any]:
    return [planned.metric for planned in plan.metrics]
