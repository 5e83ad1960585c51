"""Part files that disagree about a column's type are never read as the first one without a word."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from belay.warehouse.connection import open_warehouse
from belay.warehouse.examine import examine_tables
from belay.warehouse.freshness import watermark
from belay.warehouse.parts import disagreements
from belay_lab.shop.lake import Lake

AT = datetime(2026, 3, 2, 10)  # noqa: DTZ001 - naive UTC, as stored


def lake_with(home: Path, *parts: dict[str, pa.Array]) -> Lake:
    lake = Lake(home)
    lake.create()
    for number, part in enumerate(parts):
        pq.write_table(pa.table(part), home / "lake" / "outcomes" / f"part-{number}.parquet")
    return lake


def told(url: str) -> list[str]:
    return [remark.sentence for remark in examine_tables(open_warehouse(url), ["outcomes"])]


def test_decimals_of_a_later_part_stay_decimals_and_are_told(tmp_path: Path) -> None:
    lake = lake_with(tmp_path, {"page_views": pa.array([3])}, {"page_views": pa.array([1.5])})
    with open_warehouse(lake.url).connect() as connection:
        values = connection.execute(sa.text("SELECT page_views FROM outcomes ORDER BY 1")).scalars().all()
        assert values == [1.5, 3]
        (found,) = disagreements(connection, "outcomes")
    assert found.widened
    assert str(found) == (
        "the part files of outcomes differ: outcomes.page_views is integer in empty.parquet "
        "and double in part-1.parquet"
    )
    assert told(lake.url) == [str(found)]


def test_texts_and_times_are_what_the_lake_declares(tmp_path: Path) -> None:
    aware = pa.array([AT], pa.timestamp("us", tz="Asia/Tokyo"))
    part = {
        "unit_id": pa.array([7]),
        "surface": pa.array(["checkout"]),
        "event_time": aware,
        "ingested_at": aware,
    }
    lake = lake_with(tmp_path, part)
    pq.write_table(pa.table(part), tmp_path / "lake" / "exposures" / "part.parquet")
    engine = open_warehouse(lake.url)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT unit_id FROM outcomes")).scalars().all() == ["7"]
    assert watermark(engine, "checkout") == AT
    assert "outcomes.unit_id is text in empty.parquet and integer in part-0.parquet" in told(lake.url)[0]


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        (pa.array([1]), pa.array([1.5]), "integer in a.parquet and double in b.parquet"),
        (
            pa.array([Decimal("1.50")]),
            pa.array([Decimal("1.5555")]),
            "decimal(2) in a.parquet and decimal(4) in b.parquet",
        ),
        (pa.array([1]), pa.array(["1"]), "integer in a.parquet and text in b.parquet"),
    ],
)
def test_a_view_that_forces_the_first_part_on_all_is_wrong(
    tmp_path: Path, first: pa.Array, second: pa.Array, says: str
) -> None:
    for name, values in (("a", first), ("b", second)):
        pq.write_table(pa.table({"revenue": values}), tmp_path / f"{name}.parquet")
    path = tmp_path / "w.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"CREATE VIEW outcomes AS SELECT * FROM read_parquet('{tmp_path}/*.parquet')")
    (remark,) = examine_tables(open_warehouse(f"duckdb:///{path}"), ["outcomes"])
    assert remark.wrong
    assert remark.sentence == (
        f"the part files of outcomes differ: outcomes.revenue is {says}; "
        "the view reads all parts as the first (say union_by_name = true)"
    )


def test_parts_of_one_meaning_agree(tmp_path: Path) -> None:
    parts = [
        {"page_views": pa.array([1], pa.int32()), "event_time": pa.array([AT], pa.timestamp("ns"))},
        {"page_views": pa.array([1], pa.uint8()), "event_time": pa.array([AT], pa.timestamp("ms"))},
        {"page_views": pa.nulls(1), "event_time": pa.nulls(1)},
    ]
    assert told(lake_with(tmp_path, *parts).url) == []
