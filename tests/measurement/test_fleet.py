"""Reading everything live at once gives what reading each alone gives, in a few statements."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine, event
from tests.measurement.conftest import NOW, START, TICKETS, Tables

from belay.cells.cells import Cells
from belay.cells.plan import MeasurementPlan, Phase, PlannedMetric, Role, Sight
from belay.domain.metrics import PrimaryRule
from belay.measurement.monitor import monitor
from belay.measurement.screen import screen
from belay.warehouse.fleet import read_fleet
from belay.warehouse.look import read_cells

DIALECTS = ["duckdb", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


def several(make_world: Callable[..., Tables], count: int) -> Tables:
    """Several optimizations on two surfaces, some of whose units are the same people."""
    found = []
    for number in range(count):
        tables = make_world(seed=number + 1, units=400 + 40 * number)
        surface = f"surface-{number % 2}"
        tables["exposures"] = tables["exposures"].assign(optimization=f"opt-{number}", surface=surface)
        tables["outcomes"] = tables["outcomes"].assign(surface=surface)
        found.append(tables)
    units = pd.concat([tables["units"] for tables in found]).drop_duplicates("unit_id")
    whole = {
        name: pd.concat([t[name] for t in found], ignore_index=True) for name in ("exposures", "outcomes")
    }
    return whole | {"units": units}


def plans(make_plan: Callable[..., MeasurementPlan], count: int) -> list[MeasurementPlan]:
    made = []
    for number in range(count):
        plan = make_plan(optimization=f"opt-{number}", surface=f"surface-{number % 2}")
        if number == 1:  # another start, another arm that nobody saw, and fewer metrics in another order
            start = START + timedelta(hours=31)
            shares = {"control": 0.4, "b": 0.4, "c": 0.2}
            plan = make_plan(
                optimization="opt-1",
                surface="surface-1",
                arms=("control", "b", "c"),
                phase=Phase(0, start, 5000, shares),
                metrics=(
                    PlannedMetric(TICKETS, Role.PRIMARY, 0.0, PrimaryRule.SUPERIOR, 0.1),
                    plan.metrics[0],
                ),
            )
        made.append(plan)
    return made


def same(one: Cells, other: Cells) -> None:
    assert (one.problem, one.days, one.segments, one.arms) == (
        other.problem,
        other.days,
        other.segments,
        other.arms,
    )
    np.testing.assert_allclose(one.units, other.units)
    assert one.metrics.keys() == other.metrics.keys()
    for name, cells in one.metrics.items():
        np.testing.assert_allclose(cells.mean, other.metrics[name].mean, atol=1e-9)
        np.testing.assert_allclose(cells.scatter, other.metrics[name].scatter, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(cells.events, other.metrics[name].events)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_fleet_reads_what_each_look_reads(
    dialect: str,
    request: pytest.FixtureRequest,
    load: Callable[..., Engine],
    make_world: Callable[..., Tables],
    make_plan: Callable[..., MeasurementPlan],
) -> None:
    url = request.getfixturevalue("postgres_url") if dialect == "postgresql" else None
    engine = load(several(make_world, 4), dialect, url)
    asked = [Sight(plan, NOW - timedelta(hours=7 * k)) for k, plan in enumerate(plans(make_plan, 4))]
    found = read_fleet(engine, asked)
    for sight, cells in zip(asked, found.cells, strict=True):
        alone = read_cells(engine, sight.plan, sight.until)
        same(cells, alone)
        assert monitor(cells, sight.plan).finding is monitor(alone, sight.plan).finding


def test_statements_do_not_grow_with_what_is_live(
    load: Callable[..., Engine],
    make_world: Callable[..., Tables],
    make_plan: Callable[..., MeasurementPlan],
) -> None:
    engine = load(several(make_world, 4))
    sent: list[Any] = []
    event.listen(engine, "before_cursor_execute", lambda *said: sent.append(said[2]))
    counted = []
    for count in (2, 4):
        sent.clear()
        reading = read_fleet(engine, [Sight(plan, NOW) for plan in plans(make_plan, count)])
        catalogue = ("PRAGMA", "SET ", "DESCRIBE")  # what the driver asks, and the types of three tables
        counted.append((reading.statements, sum(not any(word in s for word in catalogue) for s in sent)))
    assert counted[0] == counted[1] == (3, 3)


def test_what_cannot_be_read_is_a_problem_and_not_an_error(
    load: Callable[..., Engine],
    make_world: Callable[..., Tables],
    make_plan: Callable[..., MeasurementPlan],
) -> None:
    tables = several(make_world, 2)
    tables["outcomes"] = tables["outcomes"].drop(columns=["converted"])
    engine = load(tables)
    early = Sight(make_plan(optimization="opt-0", surface="surface-0"), START - timedelta(days=1))
    late = Sight(make_plan(optimization="opt-0", surface="surface-0"), NOW)
    unseen, unreadable = read_fleet(engine, [early, late]).cells
    assert "not started" in (unseen.problem or "")
    assert "cannot be read" in (unreadable.problem or "")


@pytest.mark.parametrize("only", [None, "phone"])
@pytest.mark.parametrize("lift", [{}, {"conversion": -0.3}, {"tickets": 2.0}, {"revenue": -0.15}])
def test_the_screen_finds_what_the_monitor_finds(
    make_plan: Callable[..., MeasurementPlan],
    make_cells: Callable[..., Cells],
    lift: dict[str, float],
    only: str | None,
) -> None:
    plan = make_plan(segments=("device",))
    for days in (1, 3, 6):
        cells = make_cells(plan, lift, days=days, only=only)
        assert screen(cells, plan, harmless=True).finding is monitor(cells, plan).finding
