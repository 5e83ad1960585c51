"""A small world of exposures and outcomes, in any of the three warehouses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from belay.cells.cells import Cells, MetricCells, Reading, Segment
from belay.cells.plan import MeasurementPlan, Phase, PlannedMetric, Role
from belay.domain.metrics import Direction, Metric, MetricKind, PrimaryRule
from belay.warehouse.connection import open_warehouse

START = datetime(2026, 3, 2, 6, 0)  # noqa: DTZ001 - naive UTC, as stored
NOW = START + timedelta(days=6)

Tables = dict[str, pd.DataFrame]

TYPES: dict[str, Any] = {
    "event_time": sa.DateTime(),
    "ingested_at": sa.DateTime(),
    "is_bot": sa.Boolean(),
    "converted": sa.Integer(),
    "revenue": sa.Float(),
}


def metric(name: str, kind: MetricKind, value: str, **changes: Any) -> Metric:
    settings: dict[str, Any] = {"title": name.capitalize(), "unit": "%", "direction": Direction.INCREASE}
    return Metric(id=name, kind=kind, source="outcomes", value=value, **(settings | changes))


CONVERSION = metric("conversion", MetricKind.PROPORTION, "converted")
REVENUE = metric("revenue", MetricKind.MEAN, "revenue", unit="EUR", cap=300.0, covariate="pre_revenue")
TICKETS = metric(
    "tickets", MetricKind.RARE_COUNT, "support_tickets", unit="per 1,000", direction=Direction.DECREASE
)
ERRORS = metric(
    "errors",
    MetricKind.RATIO,
    "page_errors",
    unit="per 1,000",
    denominator="page_views",
    direction=Direction.DECREASE,
)


@pytest.fixture
def make_plan() -> Callable[..., MeasurementPlan]:
    """Return a plan; every field can be changed."""

    def build(**changes: Any) -> MeasurementPlan:
        guard = Role.GUARDRAIL, 0.05, PrimaryRule.NON_INFERIOR
        phase = changes.pop("phase", Phase(0, START, 5000, {"control": 0.5, "b": 0.5}))
        settings: dict[str, Any] = {
            "capability": "checkout_wording",
            "optimization": "calm-button",
            "surface": "checkout",
            "arms": ("control", "b"),
            "phase": phase,
            "metrics": (
                PlannedMetric(CONVERSION, Role.PRIMARY, 0.0, PrimaryRule.SUPERIOR, 0.1),
                PlannedMetric(REVENUE, *guard),
                PlannedMetric(TICKETS, Role.GUARDRAIL, 0.5, PrimaryRule.NON_INFERIOR),
                PlannedMetric(ERRORS, *guard),
            ),
            "segments": ("device", "country"),
            "filters": {"is_bot": "false"},
            "alpha": 0.05,
            "power": 0.8,
            "primary_alpha": 0.05,
            "minimum_units": 100,
            "minimum_end": START + timedelta(days=1),
            "planned_end": START + timedelta(days=6),
            "looks": 12,
            "planned_units": 4000,
            "policy": "0" * 64,
        }
        return MeasurementPlan(**(settings | changes))

    return build


@pytest.fixture
def make_world() -> Callable[..., Tables]:
    """Return exposures, outcomes and units of a shop, drawn from a seed."""
    return shop


def shop(
    seed: int = 1, units: int = 1500, share: float = 0.5, lift: float = 0.0, *, widen: bool = False
) -> Tables:
    rng = np.random.default_rng(seed)
    ids = np.array([f"unit-{i:05d}" for i in range(units)])
    bucket = rng.random(units)
    device = rng.choice(["phone", "desktop"], units, p=[0.7, 0.3])
    country = rng.choice(["NL", "DE", None], units, p=[0.6, 0.3, 0.1])
    visits = rng.poisson(2.0, units) + 1
    who = np.repeat(np.arange(units), visits)
    offset = rng.uniform(0, 6 * 86_400, who.size).round(3)
    time = pd.to_datetime(START) + pd.to_timedelta(offset, unit="s").round("us")
    limit = np.where(widen & (offset > 3 * 86_400), 2 * share, share)
    variant = np.where(bucket[who] < limit, "b", "control")
    exposures = pd.DataFrame(
        {
            "event_id": [f"x{i}" for i in range(who.size)],
            "unit_id": ids[who],
            "optimization": "calm-button",
            "variant": variant,
            "surface": "checkout",
            "event_time": time,
            "ingested_at": time + pd.Timedelta(seconds=30),
            "device": device[who],
            "country": country[who],
            "visitor": "new",
            "is_bot": rng.random(who.size) < 0.02,
        }
    )
    late = rng.uniform(-3600, 2 * 86_400, who.size).round(3)
    happened = time + pd.to_timedelta(late, unit="s").round("us")
    chance = 0.15 * np.where(variant == "b", 1 + lift, 1.0)
    bought = rng.random(who.size) < chance
    pre = rng.gamma(2.0, 20.0, units)
    outcomes = pd.DataFrame(
        {
            "event_id": [f"o{i}" for i in range(who.size)],
            "unit_id": ids[who],
            "surface": "checkout",
            "event_time": happened,
            "ingested_at": happened + pd.Timedelta(seconds=45),
            "converted": bought.astype(int),
            "revenue": np.where(bought, rng.lognormal(3.0, 1.0, who.size) + pre[who], 0.0),
            "support_tickets": rng.binomial(1, 0.01, who.size),
            "unsubscribed": 0,
            "page_errors": rng.binomial(3, 0.05, who.size),
            "page_views": rng.integers(1, 9, who.size),
        }
    )
    return {
        "exposures": exposures,
        "outcomes": outcomes,
        "units": pd.DataFrame({"unit_id": ids, "pre_revenue": pre, "pre_visits": 1}),
    }


@pytest.fixture
def make_cells() -> Callable[..., Cells]:
    """Return cells drawn from a seed without a warehouse; ``lift`` maps metrics to relative effects."""
    return draw_cells


def draw_cells(
    plan: MeasurementPlan,
    lift: dict[str, float] | None = None,
    *,
    units: int = 2000,
    days: int = 6,
    seed: int = 1,
    only: str | None = None,
    fade: float = 0.0,
    until: datetime | None = None,
) -> Cells:
    """Draw ``units`` a day split as the phase asks; ``only`` limits the effect to one device."""
    rng, effects = np.random.default_rng(seed), lift or {}
    assert plan.phase is not None
    shares = [plan.phase.shares[arm] for arm in plan.arms]
    arm = rng.choice(len(plan.arms), (days, units), p=shares)
    phone = rng.random((days, units)) < 0.7
    reach = (arm > 0) & (phone if only == "phone" else ~phone if only == "desktop" else True)
    strength = np.exp(-fade * np.arange(days))[:, None] * reach
    members = [np.ones_like(phone), ~phone, phone][: 3 if plan.segments else 1]
    segments = (Segment("all", "all"), Segment("device", "desktop"), Segment("device", "phone"))
    segments = segments[: len(members)]

    def counted(weights: Any) -> Any:
        return np.array(
            [[[(weights[d] * m[d] * (arm[d] == a)).sum() for a in range(len(plan.arms))] for d in range(days)]
             for m in members]
        )  # fmt: skip

    n = counted(np.ones((days, units)))
    metrics = {}
    for planned in plan.metrics:
        rate = 0.02 if planned.metric.kind is MetricKind.RARE_COUNT else 0.2
        happened = rng.random((days, units)) < rate * (1 + effects.get(planned.metric.id, 0.0) * strength)
        y = happened * (
            rng.lognormal(3, 0.5, happened.shape) if planned.metric.kind is MetricKind.MEAN else 1.0
        )
        values = [y] + [rng.poisson(4, y.shape) + 1.0] * (planned.metric.kind is MetricKind.RATIO)
        covariate = planned.metric.covariate is not None
        values += [rng.standard_normal(y.shape)] * covariate
        mean = np.stack([counted(v) for v in values], axis=-1) / np.maximum(n, 1)[..., None]
        products = np.stack([np.stack([counted(v * w) for w in values], axis=-1) for v in values], axis=-1)
        scatter = products - n[..., None, None] * mean[..., :, None] * mean[..., None, :]
        ratio = planned.metric.kind is MetricKind.RATIO
        metrics[planned.metric.id] = MetricCells(
            mean,
            scatter,
            counted(y != 0),
            ratio=ratio,
            covariate=planned.metric.covariate is not None,
            rows=10,
        )
    dates = tuple((START + timedelta(days=d)).date() for d in range(days))
    reading = Reading(rows=units * days, units=units * days)
    return Cells(until or NOW, plan.arms, dates, segments, n, metrics, reading)


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Callable[..., sa.Engine]]:
    """Write tables into a warehouse of one dialect and open it as Belay does."""
    engines: list[sa.Engine] = []

    def write(tables: Tables, dialect: str = "duckdb", url: str | None = None) -> sa.Engine:
        if dialect == "duckdb":
            engine = open_warehouse(_duckdb(tables, tmp_path))
        else:
            path = tmp_path / "warehouse.sqlite"
            path.touch()
            engine = open_warehouse(url or f"sqlite:///{path}")
            for name, rows in tables.items():
                known = {column: TYPES[column] for column in rows.columns if column in TYPES}
                kept = {c: t for c, t in known.items() if _fits(rows[c], t)}
                rows.to_sql(name, engine, index=False, if_exists="replace", dtype=kept)
        engines.append(engine)
        return engine

    yield write
    for engine in engines:
        engine.dispose()


def _fits(values: pd.Series[Any], wanted: Any) -> bool:
    if isinstance(wanted, sa.DateTime):  # moments with a zone, and times as text, keep their own type
        return values.dtype.kind == "M" and getattr(values.dtype, "tz", None) is None
    return isinstance(wanted, sa.Boolean) or pd.api.types.is_numeric_dtype(values)


def _duckdb(tables: Tables, folder: Path) -> str:
    import duckdb

    path = folder / "warehouse.duckdb"
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        for name, rows in tables.items():
            part = folder / name / "part-0.parquet"
            part.parent.mkdir(exist_ok=True)
            rows.to_parquet(part)
            files = str(folder / name / "*.parquet")
            connection.execute(f"create view {name} as select * from read_parquet('{files}')")
    return f"duckdb:///{path}"
