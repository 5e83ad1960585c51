"""A small shop's data, sound unless a test breaks it, in each kind of warehouse."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from belay.quality.report import Check, QualityReport
from belay.quality.run import run_suites
from belay_lab.shop.lake import Lake, load_tables, schemas

EXPECTATIONS = Path(__file__).resolve().parents[2] / "expectations"
SUITES = ("exposures", "outcomes", "units")
SHIPPED = (*SUITES, "decisions")
SINCE = datetime(2026, 3, 1)  # noqa: DTZ001 - naive UTC, as stored
UNTIL = datetime(2026, 3, 8)  # noqa: DTZ001 - as above
SHARES = {"control": 0.9, "treatment": 0.1}

Rows = dict[str, list[dict[str, Any]]]


def sound_rows(count: int = 2_800, seed: int = 1) -> Rows:
    """Seven days with the same traffic every day; each unit comes once."""
    rng = np.random.default_rng(seed)
    rows: Rows = {"exposures": [], "outcomes": [], "units": [], "decisions": []}
    step = (UNTIL - SINCE) / count
    for number in range(count):
        at = SINCE + step * number + timedelta(seconds=1)
        event = {"surface": "checkout", "event_time": at, "ingested_at": at + timedelta(seconds=30)}
        unit = f"u{number}"
        rows["exposures"].append(
            {
                "event_id": f"e{number}",
                "unit_id": unit,
                "optimization": "opt-1",
                "variant": "treatment" if number % 10 == 0 else "control",
                "device": "mobile" if number % 3 else "desktop",
                "country": "SE",
                "visitor": "new",
                "is_bot": number % 50 == 0,
            }
            | event
        )
        converted = int(rng.random() < 0.2)
        rows["outcomes"].append(
            {
                "event_id": f"o{number}",
                "unit_id": unit,
                "converted": converted,
                "revenue": round(converted * float(rng.lognormal(3)), 2),
                "support_tickets": 0,
                "unsubscribed": 0,
                "page_errors": 0,
                "page_views": 3,
            }
            | event
        )
        chosen = {
            "event_id": f"d{number}",
            "unit_id": unit,
            "item": "plain",
            "propensity": 0.5,
            "is_bot": False,
        }
        rows["decisions"].append(chosen | event)
        rows["units"].append({"unit_id": unit, "pre_revenue": 10.0, "pre_visits": 2})
    return rows


class Warehouse:
    """Rows in one kind of warehouse."""

    def __init__(self, kind: str, folder: Path, postgres_url: Callable[[], str]) -> None:
        self.kind = kind
        self.folder = folder
        if kind == "duckdb":
            self.url = f"duckdb:///{folder / 'warehouse.duckdb'}"
        elif kind == "sqlite":
            self.url = f"sqlite:///{folder / 'warehouse.sqlite'}"
        else:
            self.url = _own_database(postgres_url())

    def fill(self, rows: Rows) -> None:
        if self.kind == "duckdb":
            import pyarrow as pa

            lake = Lake(self.folder)
            lake.create()
            for name, schema in schemas().items():
                columns = {field.name: [row.get(field.name) for row in rows[name]] for field in schema}
                lake.write(name, "part", pa.table(columns, schema=schema))
            return
        engine = sa.create_engine(self.url)
        with engine.begin() as connection:
            for name in SHIPPED:
                connection.execute(sa.text(f"DROP TABLE IF EXISTS {name}"))
        load_tables(engine, rows)
        engine.dispose()

    def run(self, **changes: Any) -> QualityReport:
        asked: dict[str, Any] = {
            "folder": EXPECTATIONS,
            "surface": "checkout",
            "optimization": "opt-1",
            "since": SINCE,
            "until": UNTIL,
            "now": UNTIL,
            "shares": SHARES,
        }
        return run_suites(self.url, changes.pop("suites", SUITES), **(asked | changes))


def _own_database(url: str) -> str:
    """Create a database for one test on the server of ``url``."""
    name = f"quality_{uuid.uuid4().hex}"
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return sa.engine.make_url(url).set(database=name).render_as_string(hide_password=False)


def failed(report: QualityReport) -> dict[str, Check]:
    """The checks that did not pass although they applied."""
    return {check.id: check for check in report.checks if check.finding in {"failed", "unknown"}}


def is_plain(value: Any) -> bool:
    """Whether ``value`` is JSON as everybody reads it."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_plain(item) for key, item in value.items())
    if isinstance(value, list):
        return all(is_plain(item) for item in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, str | int | bool)


@pytest.fixture
def lake(tmp_path: Path) -> Warehouse:
    return Warehouse("duckdb", tmp_path, str)


@pytest.fixture(params=["duckdb", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    return Warehouse(request.param, tmp_path, lambda: request.getfixturevalue("postgres_url"))
