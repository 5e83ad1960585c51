"""Sound data passes whatever types a warehouse stores it in, and what cannot be read is named by column."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.quality.conftest import SUITES, Warehouse, failed, sound_rows

from belay.domain.gates import Verdict

TIMES = {
    "duckdb": {
        "aware": "event_time AT TIME ZONE 'UTC'",
        "seconds": "epoch(event_time)::BIGINT",
        "milliseconds": "epoch_ms(event_time)",
    },
    "postgresql": {
        "aware": "event_time AT TIME ZONE 'UTC'",
        "seconds": "extract(epoch FROM event_time)::bigint",
        "milliseconds": "(extract(epoch FROM event_time) * 1000)::bigint",
    },
    "sqlite": {
        "aware": "strftime('%Y-%m-%dT%H:%M:%S+09:00', event_time, '+9 hours')",
        "seconds": "CAST(strftime('%s', event_time) AS INTEGER)",
        "milliseconds": "CAST(strftime('%s', event_time) AS INTEGER) * 1000",
    },
}


def store(warehouse: Warehouse, table: str, changes: dict[str, str]) -> None:
    """Let ``table`` hold each column as the expression says."""
    if warehouse.kind == "duckdb":
        import duckdb

        replaced = ", ".join(f"{form} AS {column}" for column, form in changes.items())
        parts = warehouse.folder / "lake" / table / "*.parquet"
        with duckdb.connect(str(warehouse.folder / "warehouse.duckdb")) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(
                f"CREATE OR REPLACE VIEW {table} AS "
                f"SELECT * REPLACE ({replaced}) FROM read_parquet('{parts}', union_by_name = true)"
            )
        return
    engine = sa.create_engine(warehouse.url)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO stored")
        names = [column["name"] for column in sa.inspect(connection).get_columns("stored")]
        read = ", ".join(f"{changes.get(name, name)} AS {name}" for name in names)
        connection.exec_driver_sql(f"CREATE TABLE {table} AS SELECT {read} FROM stored")
        connection.exec_driver_sql("DROP TABLE stored")
    engine.dispose()


@pytest.mark.parametrize("kind", ["aware", "seconds", "milliseconds"])
def test_times_of_every_type_are_judged_alike(warehouse: Warehouse, kind: str) -> None:
    warehouse.fill(sound_rows())
    right = warehouse.run(suites=("exposures", "outcomes"))
    form = TIMES[warehouse.kind][kind]
    times = {name: form.replace("event_time", name) for name in ("event_time", "ingested_at")}
    for table in ("exposures", "outcomes"):
        store(warehouse, table, times)
    if warehouse.kind == "postgresql":
        name = sa.engine.make_url(warehouse.url).database
        with sa.create_engine(warehouse.url, isolation_level="AUTOCOMMIT").connect() as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'")
    found = warehouse.run(suites=("exposures", "outcomes"))
    assert failed(found) == {}
    assert found.to_document() == right.to_document()


IN_A_ZONE = """
import sys
from pathlib import Path
from tests.quality.conftest import Warehouse
print(Warehouse("duckdb", Path(sys.argv[1]), str).run(suites=("outcomes",)).sentence)
"""


def test_aware_parquet_is_judged_alike_west_of_greenwich(lake: Warehouse) -> None:
    lake.fill(sound_rows())
    store(lake, "outcomes", {"event_time": TIMES["duckdb"]["aware"]})
    run = subprocess.run(
        [sys.executable, "-c", IN_A_ZONE, str(lake.folder)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[2],
        env=os.environ | {"TZ": "America/New_York"},
    )
    assert run.stdout.strip().endswith("checks passed on 2,800 rows")


OTHER_TYPES = {
    "duckdb": {
        "exposures": {"variant": "variant::ENUM('control', 'treatment')"},
        "outcomes": {
            "converted": "converted = 1",
            "page_views": "page_views::UTINYINT",
            "page_errors": "page_errors::USMALLINT",
            "revenue": "revenue::DECIMAL(12, 2)",
        },
    },
    "postgresql": {
        "exposures": {"variant": "variant::mood", "surface": "surface::place"},
        "outcomes": {
            "converted": "converted = 1",
            "page_views": "page_views::smallint",
            "page_errors": "page_errors::bigint",
            "revenue": "revenue::numeric(12, 2)",
        },
    },
    "sqlite": {
        "exposures": {"variant": "CAST(variant AS VARCHAR)"},
        "outcomes": {"converted": "converted = 1", "page_views": "CAST(page_views AS TINYINT)"},
    },
}


def test_enumerations_small_and_unsigned_numbers_and_booleans_are_what_they_say(warehouse: Warehouse) -> None:
    warehouse.fill(sound_rows())
    if warehouse.kind == "postgresql":
        with sa.create_engine(warehouse.url).begin() as connection:
            connection.exec_driver_sql("CREATE TYPE mood AS ENUM ('control', 'treatment')")
            connection.exec_driver_sql("CREATE TYPE place AS ENUM ('checkout', 'home')")
    for table, changes in OTHER_TYPES[warehouse.kind].items():
        store(warehouse, table, changes)
    report = warehouse.run()
    assert failed(report) == {}
    assert report.verdict is Verdict.PASS
    wrong = warehouse.run(shares={"control": 0.5, "blue": 0.5})
    assert "exposures.planned-variants" in failed(wrong)


@pytest.mark.postgres
def test_a_materialized_view_is_a_table_like_others(tmp_path: Path, request: Any) -> None:
    warehouse = Warehouse("postgresql", tmp_path, lambda: request.getfixturevalue("postgres_url"))
    warehouse.fill(sound_rows())
    with sa.create_engine(warehouse.url).begin() as connection:
        connection.exec_driver_sql("ALTER TABLE outcomes RENAME TO outcomes_base")
        connection.exec_driver_sql("CREATE MATERIALIZED VIEW outcomes AS SELECT * FROM outcomes_base")
    assert warehouse.run().verdict is Verdict.PASS


def test_a_time_that_does_not_say_which_is_named(warehouse: Warehouse) -> None:
    warehouse.fill(sound_rows())
    store(warehouse, "outcomes", {"event_time": "20260302"})
    report = warehouse.run(suites=SUITES)
    assert report.verdict is Verdict.HOLD
    sentence = failed(report)["outcomes.times"].sentence
    assert sentence.startswith(
        "outcomes.event_time holds numbers from 20260302 to 20260302, which count neither"
    )


def test_parts_that_differ_are_told_and_hold_where_a_type_is_forced_on_them(lake: Warehouse) -> None:
    import duckdb
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = sound_rows()
    lake.fill(rows)
    part = lake.folder / "lake" / "outcomes" / "part.parquet"
    table = pq.read_table(part)
    index = table.schema.get_field_index("revenue")
    whole = table.column("revenue").to_pandas().round().astype("int64")
    pq.write_table(table.set_column(index, "revenue", pa.array(whole)), part)
    widened = lake.run(suites=("outcomes",))
    assert widened.verdict is Verdict.PASS
    assert "outcomes.revenue is double in empty.parquet and integer in part.parquet" in widened.sentence
    with duckdb.connect(str(lake.folder / "warehouse.duckdb")) as connection:
        connection.execute(
            f"CREATE OR REPLACE VIEW outcomes AS SELECT * FROM read_parquet('{part.parent}/*.parquet')"
        )
    forced = lake.run(suites=("outcomes",))
    assert forced.verdict is Verdict.FAIL
    assert "reads all parts as the first" in failed(forced)["outcomes.parts-agree"].sentence
