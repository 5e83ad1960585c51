"""A time means the same whatever its type, its warehouse, and the time zone of machine and session."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url
from tests.conftest import has_postgres
from tests.measurement.conftest import shop

ZONES = (
    "Asia/Tokyo",
    pytest.param("UTC", marks=pytest.mark.long),
    pytest.param("America/New_York", marks=pytest.mark.long),
)
TYPES = ("timestamp", "timestamptz", "date", "seconds", "milliseconds")
TIMES = ("event_time", "ingested_at")
WAREHOUSES = ("duckdb", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgres))
ROOT = Path(__file__).resolve().parents[2]


def world(grain: str) -> dict[str, pd.DataFrame]:
    """Return a shop whose times are whole days, seconds or milliseconds, so that every type can hold them."""
    tables = shop(units=300)
    for name in ("exposures", "outcomes"):
        for column in TIMES:
            tables[name][column] = tables[name][column].dt.floor(grain)
    return tables


GRAIN = {"timestamp": "ms", "timestamptz": "ms", "date": "D", "seconds": "s", "milliseconds": "ms"}


def stored(values: pd.Series[Any], kind: str, warehouse: str) -> pd.Series[Any]:
    """Return times as a warehouse of ``kind`` stores them."""
    match kind:
        case "timestamptz" if warehouse == "sqlite":
            return values.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo").map(lambda at: at.isoformat())
        case "timestamptz":
            return values.dt.tz_localize("UTC")
        case "date" if warehouse == "sqlite":
            return values.dt.strftime("%Y-%m-%d")
        case "date":
            return values.dt.date
        case "seconds":
            return values.astype("datetime64[s]").astype("int64")
        case "milliseconds":
            return values.astype("datetime64[ms]").astype("int64")
        case _:
            return values


def fill(url: str, tables: dict[str, pd.DataFrame], kind: str) -> None:
    """Write ``tables`` with their times stored as ``kind``."""
    warehouse = make_url(url).get_backend_name()
    written = {
        name: rows.assign(**{c: stored(rows[c], kind, warehouse) for c in TIMES if c in rows})
        for name, rows in tables.items()
    }
    if warehouse == "duckdb":
        import duckdb

        with duckdb.connect(str(make_url(url).database)) as connection:
            for name, rows in written.items():
                connection.register("source", rows)
                connection.execute(f"CREATE TABLE {name} AS SELECT * FROM source")
        return
    types: dict[str, Any] = {"is_bot": sa.Boolean()}
    if warehouse == "postgresql":
        times = {"timestamptz": sa.DateTime(timezone=True), "date": sa.Date(), "timestamp": sa.DateTime()}
        types |= {column: times[kind] for column in TIMES if kind in times}
    engine = sa.create_engine(url)
    for name, rows in written.items():
        known = {column: held for column, held in types.items() if column in rows}
        rows.to_sql(name, engine, index=False, if_exists="replace", dtype=known)
    engine.dispose()


def read_in(zone: str, urls: list[str]) -> list[dict[str, Any]]:
    """Read each warehouse in a process whose time zone is ``zone``."""
    run = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("read.py")), *urls],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"TZ": zone, "PGTZ": zone, "PYTHONPATH": str(ROOT)},
    )
    assert run.returncode == 0, run.stderr[-2_000:]
    found: list[dict[str, Any]] = json.loads(run.stdout)
    return found


def same(one: Any, other: Any) -> bool:
    """Whether two documents say the same, figures to a billionth."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return bool(one == other)


Figures = dict[tuple[str, str], dict[str, Any]]
"""What was read, by warehouse and type."""


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What naive UTC timestamps give in UTC, by the grain of the times."""
    folder = tmp_path_factory.mktemp("expected")
    grains = sorted(set(GRAIN.values()))
    urls = [f"duckdb:///{folder / grain}.duckdb" for grain in grains]
    for grain, url in zip(grains, urls, strict=True):
        fill(url, world(grain), "timestamp")
    return dict(zip(grains, read_in("UTC", urls), strict=True))


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> dict[Any, str]:
    """The same world in every warehouse and type; on Postgres in a database of its own."""
    folder = tmp_path_factory.mktemp("places")
    found = {(w, kind): f"{w}:///{folder / kind}.{w}" for w in ("duckdb", "sqlite") for kind in TYPES}
    if has_postgres():
        server = request.getfixturevalue("postgres_url")
        for kind in TYPES:
            name = f"zone_{uuid4().hex}"
            with sa.create_engine(server, isolation_level="AUTOCOMMIT").connect() as connection:
                connection.exec_driver_sql(f"CREATE DATABASE {name}")
            url = make_url(server).set(database=name).render_as_string(hide_password=False)
            found["postgresql", kind] = url
    for (_, kind), url in found.items():
        fill(url, world(GRAIN[kind]), kind)
    return found


@pytest.fixture(scope="module", params=ZONES)
def read(request: pytest.FixtureRequest, places: dict[Any, str]) -> Figures:
    """Everything read in one zone: of the machine, and of every session of the server."""
    for (warehouse, _), url in places.items():
        if warehouse == "postgresql":
            with sa.create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
                name = make_url(url).database
                connection.exec_driver_sql(f"ALTER DATABASE {name} SET timezone = '{request.param}'")
    return dict(zip(places, read_in(request.param, list(places.values())), strict=True))


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("warehouse", WAREHOUSES)
def test_a_time_means_the_same_in_every_zone_type_and_warehouse(
    read: Figures, expected: dict[str, dict[str, Any]], warehouse: str, kind: str
) -> None:
    if (warehouse, kind) not in read:
        pytest.skip("no PostgreSQL server binary: install postgresql")
    found, right = read[warehouse, kind], expected[GRAIN[kind]]
    assert right["look"]["problem"] is None
    assert found["look"]["problem"] is None
    for part in right:
        assert same(found[part], right[part]), f"{part} differs"
