"""The lake: Parquet part files that only ever appear whole, and a DuckDB catalogue of views over them."""

from __future__ import annotations

import glob
import os
import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa

TABLES = ("exposures", "outcomes", "units", "decisions")

CATALOGUE = "warehouse.duckdb"


def schemas() -> dict[str, pa.Schema]:
    """Return the columns of every table of the lake; times are UTC."""
    import pyarrow as pa

    moment = pa.timestamp("us")
    return {
        "exposures": pa.schema(
            {
                "event_id": pa.string(),
                "unit_id": pa.string(),
                "optimization": pa.string(),
                "variant": pa.string(),
                "surface": pa.string(),
                "event_time": moment,
                "ingested_at": moment,
                "device": pa.string(),
                "country": pa.string(),
                "visitor": pa.string(),
                "is_bot": pa.bool_(),
            }
        ),
        "outcomes": pa.schema(
            {
                "event_id": pa.string(),
                "unit_id": pa.string(),
                "surface": pa.string(),
                "event_time": moment,
                "ingested_at": moment,
                "converted": pa.int32(),
                "revenue": pa.float64(),
                "support_tickets": pa.int32(),
                "unsubscribed": pa.int32(),
                "page_errors": pa.int32(),
                "page_views": pa.int32(),
            }
        ),
        "units": pa.schema({"unit_id": pa.string(), "pre_revenue": pa.float64(), "pre_visits": pa.int32()}),
        "decisions": pa.schema(
            {
                "event_id": pa.string(),
                "unit_id": pa.string(),
                "surface": pa.string(),
                "item": pa.string(),
                "propensity": pa.float64(),
                "event_time": moment,
                "ingested_at": moment,
                "is_bot": pa.bool_(),
            }
        ),
    }


class Lake:
    """The Parquet files of a home folder, and the catalogue that queries read."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "lake"

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the catalogue."""
        return f"duckdb:///{self.home / CATALOGUE}"

    def create(self) -> None:
        """Make the folders, an empty part of each table, and the catalogue; what is there stays.

        The catalogue holds views only, so that many processes can open it read-only while parts are
        added. It is made under another name and renamed: nobody opens half a catalogue. One that reads
        another folder, because the home was moved, is made anew.
        """
        for table, schema in schemas().items():
            # Beside the parts of others too: with it a view has every column that is declared.
            if not (self.folder / table / "empty.parquet").exists():
                self.write(table, "empty", schema.empty_table())
        import duckdb

        catalogue = self.home / CATALOGUE
        with tempfile.TemporaryDirectory(dir=self.home) as scratch:
            made = Path(scratch) / CATALOGUE
            with duckdb.connect(str(made)) as connection:
                for table in TABLES:
                    connection.execute(f"CREATE VIEW {self._view(table)}")
            if not catalogue.exists() or _views_of(catalogue) != _views_of(made):
                made.replace(catalogue)

    def _view(self, table: str) -> str:
        """Return the view of a table: types that fit all its parts, texts and times as they are declared.

        Figures are not cast: a number with decimals stays one, and a check of types says that it is there.
        """
        import pyarrow as pa

        casts = {
            field.name: "VARCHAR" if pa.types.is_string(field.type) else "TIMESTAMP"
            for field in schemas()[table]
            if pa.types.is_string(field.type) or pa.types.is_timestamp(field.type)
        }
        declared = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in casts.items())
        parts = f"{glob.escape(str(self.folder / table))}/*.parquet".replace("'", "''")
        read = f"read_parquet('{parts}', union_by_name = true)"
        return f"{table} AS SELECT * REPLACE ({declared}) FROM {read}"  # noqa: S608 - our own path

    def write(self, table: str, part: str, rows: pa.Table) -> Path:
        """Add a part file; it appears under its name when it is whole. The same part again replaces it."""
        import pyarrow.parquet as pq

        folder = self.folder / table
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix=".", suffix=".tmp")
        os.close(handle)
        temporary, final = Path(name), folder / f"{part}.parquet"
        try:
            pq.write_table(rows.cast(schemas()[table]), temporary)
            temporary.replace(final)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return final


def _views_of(catalogue: Path) -> list[str]:
    """Return the views of a catalogue, in the order of the tables; empty when it cannot be read."""
    import duckdb

    try:
        with duckdb.connect(str(catalogue), read_only=True) as connection:
            asked = connection.execute("SELECT view_name, sql FROM duckdb_views() WHERE NOT internal")
            found = dict(asked.fetchall())
    except duckdb.Error:
        return []
    return [found.get(table, "") for table in TABLES]


def load_tables(engine: sa.Engine, rows: dict[str, list[dict[str, Any]]]) -> None:
    """Create the lake's tables in a SQLite or PostgreSQL database, and insert ``rows``.

    Real tables with the same columns as the lake's views: what a warehouse without Parquet holds.
    """
    import sqlalchemy as sa

    kinds: dict[str, Any] = {
        "string": sa.Text,
        "timestamp[us]": sa.DateTime,
        "bool": sa.Boolean,
        "int32": sa.Integer,
        "double": sa.Float(53),
    }
    metadata = sa.MetaData()
    tables = {
        name: sa.Table(name, metadata, *(sa.Column(f.name, kinds[str(f.type)]) for f in schema))
        for name, schema in schemas().items()
    }
    metadata.create_all(engine)
    with engine.begin() as connection:
        for name, table in tables.items():
            if rows.get(name):
                connection.execute(sa.insert(table), rows[name])


def naive(moment: datetime) -> datetime:
    """Return a time as the lake stores it: UTC, without a zone."""
    from datetime import UTC

    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
