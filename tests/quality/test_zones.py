"""Quality's verdict is the same in every time zone, for every type of time, in every warehouse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.conftest import has_postgres
from tests.quality.conftest import Warehouse, sound_rows
from tests.quality.test_types import TIMES, store

pytestmark = pytest.mark.long

ZONES = ("UTC", "Asia/Tokyo", "America/New_York")
KINDS = ("duckdb", "sqlite", *(("postgresql",) if has_postgres() else ()))
SUITES = ("exposures", "outcomes")
BY_DAY = {
    "duckdb": {"midnight": "date_trunc('day', event_time)::TIMESTAMP", "date": "event_time::DATE"},
    "postgresql": {"midnight": "date_trunc('day', event_time)", "date": "event_time::date"},
    "sqlite": {
        "midnight": "strftime('%Y-%m-%d 00:00:00.000000', event_time)",
        "date": "strftime('%Y-%m-%d', event_time)",
    },
}
"""What whole days are compared with, and how they are stored as dates."""
ALIKE = {
    "timestamp": "timestamp",
    "aware": "timestamp",
    "seconds": "timestamp",
    "milliseconds": "timestamp",
    "midnight": "midnight",
    "date": "midnight",
}
"""By the type of a table's times: the type whose report, read in UTC, is right for it."""

READ = """
import json, sys
from pathlib import Path
from tests.quality.conftest import Warehouse
found = []
for kind, folder, url in json.loads(sys.argv[1]):
    warehouse = Warehouse.__new__(Warehouse)
    warehouse.kind, warehouse.folder, warehouse.url = kind, Path(folder), url
    found.append(warehouse.run(suites=("exposures", "outcomes")).to_document())
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def places(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> dict[tuple[str, str], Warehouse]:
    """The same sound rows in every warehouse, their times stored as every type."""

    def server() -> str:
        return str(request.getfixturevalue("postgres_url"))

    found = {}
    for kind in KINDS:
        for held in ALIKE:
            warehouse = Warehouse(kind, tmp_path_factory.mktemp(f"{kind}-{held}"), server)
            warehouse.fill(sound_rows())
            form = (TIMES[kind] | BY_DAY[kind]).get(held)
            if form is not None:
                changes = {name: form.replace("event_time", name) for name in ("event_time", "ingested_at")}
                for table in SUITES:
                    store(warehouse, table, changes)
            found[kind, held] = warehouse
    return found


def read_in(zone: str, places: dict[tuple[str, str], Warehouse]) -> dict[tuple[str, str], Any]:
    """Judge each warehouse in a process, and on a server, whose time zone is ``zone``."""
    for (kind, _), warehouse in places.items():
        if kind == "postgresql":
            name = sa.engine.make_url(warehouse.url).database
            with sa.create_engine(warehouse.url, isolation_level="AUTOCOMMIT").connect() as connection:
                connection.exec_driver_sql(f"ALTER DATABASE {name} SET timezone = '{zone}'")
    root = Path(__file__).resolve().parents[2]
    asked = json.dumps([(one.kind, str(one.folder), one.url) for one in places.values()])
    run = subprocess.run(
        [sys.executable, "-c", READ, asked],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        env=os.environ | {"TZ": zone, "PGTZ": zone, "PYTHONPATH": str(root)},
    )
    assert run.returncode == 0, run.stderr[-2_000:]
    return dict(zip(places, json.loads(run.stdout), strict=True))


@pytest.fixture(scope="module")
def right(places: dict[tuple[str, str], Warehouse]) -> dict[tuple[str, str], Any]:
    """What is found in UTC."""
    return read_in("UTC", places)


@pytest.mark.parametrize("zone", ZONES)
def test_quality_says_the_same_in_every_zone_type_and_warehouse(
    places: dict[tuple[str, str], Warehouse], right: dict[tuple[str, str], Any], zone: str
) -> None:
    found = right if zone == "UTC" else read_in(zone, places)
    assert right["duckdb", "timestamp"]["verdict"] == "pass"
    for (kind, held), report in found.items():
        assert report == right[kind, ALIKE[held]], f"{kind}, times as {held}, in {zone}"
        assert report == right["duckdb", ALIKE[held]], f"{kind} beside DuckDB, times as {held}, in {zone}"
