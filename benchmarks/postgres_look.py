"""What a look costs on Postgres while a window is young: 1, 5 and 100 % of the events, beside DuckDB.

    python benchmarks/postgres_look.py                       # 10 million events
    python benchmarks/postgres_look.py --events 1000000

Starts a PostgreSQL server of its own on loopback, loads the events of ``look_cost.py`` there and into
DuckDB, in order of time, and takes the same look on both, over tables and over views of them, when 1, 5 and
100 % of the events are inside the window. Fails where the youngest look takes more than 1.5 times the oldest.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import look_cost
from look_cost import DAYS, START, UNTIL

SHARES = (0.01, 0.05, 1.0)
LIMIT = 1.5
"""How much longer than the look at everything a young look may take."""
COLUMNS = {
    "exposures": "event_id text, unit_id text, optimization text, variant text, surface text, "
    "event_time timestamp, ingested_at timestamp, device text, country text, visitor text, is_bot boolean",
    "outcomes": "event_id text, unit_id text, surface text, event_time timestamp, ingested_at timestamp, "
    "converted integer, revenue double precision, support_tickets integer, unsubscribed integer, "
    "page_errors integer, page_views integer",
    "units": "unit_id text, pre_revenue double precision, pre_visits integer",
}


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Run a PostgreSQL server on a free port of loopback, with its own data folder; yield its URL."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3]))
    on_path = shutil.which("postgres")
    if not found and not on_path:
        raise SystemExit("no PostgreSQL server binary: install postgresql")
    binaries = found[-1].parent if found else Path(str(on_path)).parent
    as_user = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
    home = folder / "postgres"
    home.mkdir()
    if as_user:
        shutil.chown(home, as_user)
        folder.chmod(0o755)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = str(home / "data")
    make = [str(binaries / "initdb"), "-D", data, "-U", "belay", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run(make, check=True, capture_output=True, user=as_user, cwd=home)
    settings = ["listen_addresses=127.0.0.1", "fsync=off", "shared_buffers=512MB", "max_wal_size=4GB"]
    command = [str(binaries / "postgres"), "-D", data, "-p", str(port), "-k", str(home)]
    command += [part for each in settings for part in ("-c", each)]
    with (home / "log").open("wb") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log, user=as_user, cwd=home)
    try:
        ready = [str(binaries / "pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-U", "belay"]
        deadline = time.monotonic() + 60
        while subprocess.run(ready, check=False, capture_output=True).returncode != 0:
            if running.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("PostgreSQL did not start")
            time.sleep(0.1)
        yield f"postgresql+psycopg://belay@127.0.0.1:{port}/postgres"
    finally:
        running.send_signal(signal.SIGINT)  # its fast shutdown
        running.wait(timeout=60)


def load(folder: Path, url: str) -> None:
    """Copy the events to Postgres, in order of time, as a warehouse that is loaded day by day holds them."""
    import duckdb
    import psycopg

    plain = url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(plain, autocommit=True) as target, duckdb.connect() as source:
        for name, columns in COLUMNS.items():
            target.execute(f"CREATE TABLE {name} ({columns})")
            wanted = ", ".join(part.split()[0] for part in columns.split(", "))
            order = "" if name == "units" else "ORDER BY event_time"
            part, file = folder / f"{name}.parquet", folder / f"{name}.csv"
            source.execute(f"COPY (SELECT {wanted} FROM '{part}' {order}) TO '{file}' (HEADER false)")
            with (
                file.open("rb") as rows,
                target.cursor().copy(f"COPY {name} FROM STDIN (FORMAT csv)") as copy,
            ):
                while block := rows.read(1 << 20):
                    copy.write(block)
            file.unlink()
            if name != "units":
                target.execute(f"CREATE INDEX ON {name} (event_time)")
            target.execute(f"ANALYZE {name}")
        target.execute("CREATE SCHEMA views")
        for name in COLUMNS:
            target.execute(f"CREATE VIEW views.{name} AS SELECT * FROM public.{name}")


def seconds(url: str, share: float, repeats: int) -> tuple[float, int]:
    """Return what the best of some looks at the youngest ``share`` of the window takes, and its units."""
    from belay.warehouse.connection import open_warehouse
    from belay.warehouse.look import read_cells

    engine, plan = open_warehouse(url), look_cost.plan()
    until = START + timedelta(days=DAYS * share) if share < 1 else UNTIL
    best = float("inf")
    units = 0
    for _ in range(repeats):
        began = time.perf_counter()
        cells = read_cells(engine, plan, until)
        best = min(best, time.perf_counter() - began)
        if cells.problem:
            raise SystemExit(f"the look failed: {cells.problem}")
        units = sum(cells.totals.values())
    engine.dispose()
    return best, units


def main() -> None:
    """Parse the command line, measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=2)
    asked = parser.parse_args()
    print(f"{asked.events:,} events, {asked.events // look_cost.EVENTS_PER_UNIT:,} units")
    slow = []
    with tempfile.TemporaryDirectory(prefix="belay-postgres-look-") as name:
        folder = Path(name)
        look_cost.build(folder, asked.events)
        with server(folder) as url:
            load(folder, url)
            beside = {
                share: seconds(f"duckdb:///{folder / 'warehouse.duckdb'}", share, asked.repeats)
                for share in SHARES
            }
            for kind, where in (("tables", url), ("views", f"{url}?options=-csearch_path%3Dviews")):
                found = {share: seconds(where, share, asked.repeats) for share in SHARES}
                for share, (took, units) in found.items():
                    duck = beside[share][0]
                    print(
                        f"  {kind:7} {100 * share:4.0f} % of the window: {units:9,} units, "
                        f"Postgres {took:7.2f} s, DuckDB {duck:6.2f} s, {took / duck:5.1f} x"
                    )
                ratio = found[SHARES[0]][0] / found[1.0][0]
                print(f"  {kind:7} the look at 1 % takes {ratio:.2f} x the look at everything")
                slow += [kind] if ratio > LIMIT else []
    if slow:
        raise SystemExit(f"too slow while the window is young, over {' and '.join(slow)}")


if __name__ == "__main__":
    main()
