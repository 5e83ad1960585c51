"""What one look costs: seconds and memory on DuckDB, beside pandas and tea-tasting on the same files.

    python benchmarks/look_cost.py                # 1 and 10 million events
    python benchmarks/look_cost.py --large        # and 100 million, Belay only

Half of the events are exposures, half outcomes, ten a unit, in no order. Belay's look answers more than
the others are asked for: it splits by exposure day and two segments, leaves out bots and late
events, counts outcomes only after a unit's first exposure, and audits what it left out. pandas computes
the same per-unit values and sums by day, arm and segment; tea-tasting the same per-unit values and
means, ratio and CUPED by arm. Each runs in a process of its own; memory is that process's peak.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from belay.cells.plan import MeasurementPlan

START = datetime(2026, 1, 1)  # noqa: DTZ001 - naive UTC, as stored
UNTIL = START + timedelta(days=15)
DAYS = 14
EVENTS_PER_UNIT = 10
PER_UNIT_SQL = """
with first as (
  select unit_id, min(event_time) as first_at, arg_min(variant, event_time) as variant
  from exposures where optimization = 'calm-button' and not is_bot group by unit_id),
kept as (
  select f.unit_id, f.variant,
         max(case when o.converted > 0 then 1 else 0 end) as converted,
         least(coalesce(sum(o.revenue), 0), 200.0) as revenue,
         max(case when o.support_tickets > 0 then 1 else 0 end) as tickets,
         coalesce(sum(o.page_errors), 0) as errors, coalesce(sum(o.page_views), 0) as views
  from first f left join outcomes o on o.unit_id = f.unit_id and o.event_time >= f.first_at
  group by f.unit_id, f.variant)
select k.*, coalesce(u.pre_revenue, 0) as pre_revenue, 1.0 as one
from kept k left join units u using (unit_id)
"""


def build(folder: Path, events: int) -> None:
    """Write a lake of ``events`` events and its catalogue; the same for the same size."""
    import duckdb

    units, half, span = events // EVENTS_PER_UNIT, events // 2, DAYS * 86_400_000
    unit = f"'unit-' || lpad((hash(i) % {units})::varchar, 9, '0')"
    moment = f"timestamp '2026-01-01' + to_milliseconds((hash(i * 7 + 1) % {span})::bigint)"
    who = f"hash(hash(i) % {units} + 11)"
    files = {
        "exposures": f"""select 'x' || i as event_id, {unit} as unit_id, 'calm-button' as optimization,
            case when {who} % 10000 < 500 then 'b' else 'control' end as variant, 'checkout' as surface,
            {moment} as event_time, {moment} + interval 1 minute as ingested_at,
            case when {who} % 3 = 0 then 'desktop' else 'phone' end as device,
            ['NL', 'DE', 'FR', 'UK'][1 + ({who} % 4)::int] as country, 'new' as visitor,
            hash(i + 77) % 100 = 0 as is_bot from range({half}) t(i)""",
        "outcomes": f"""select 'o' || i as event_id, {unit} as unit_id, 'checkout' as surface,
            {moment} + interval 10 minute as event_time, {moment} + interval 12 minute as ingested_at,
            (hash(i + 1) % 1000 < 20)::int as converted,
            case when hash(i + 1) % 1000 < 20 then 5.0 + hash(i + 2) % 9000 / 100.0 else 0.0 end as revenue,
            (hash(i + 3) % 1000 < 2)::int as support_tickets, 0 as unsubscribed,
            (hash(i + 4) % 100 = 0)::int as page_errors, 1 + (hash(i + 5) % 6)::int as page_views
            from range({half}) t(i)""",
        "units": f"""select 'unit-' || lpad(i::varchar, 9, '0') as unit_id,
            hash(i + 6) % 4000 / 100.0 as pre_revenue, 1 as pre_visits from range({units}) t(i)""",
    }
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        for name, query in files.items():
            part = folder / f"{name}.parquet"
            connection.execute(f"copy ({query}) to '{part}'")
            connection.execute(f"create view {name} as select * from read_parquet('{part}')")


def plan() -> MeasurementPlan:
    """Return what a look is asked: four metrics, two segments, the bots left out."""
    from belay.cells.plan import MeasurementPlan, Phase, PlannedMetric, Role
    from belay.domain.metrics import Direction, Metric, MetricKind, PrimaryRule

    def metric(name: str, kind: MetricKind, value: str, **more: object) -> Metric:
        return Metric(name, name, kind, "", Direction.INCREASE, "outcomes", value, **more)  # type: ignore[arg-type]

    metrics = (
        metric("conversion", MetricKind.PROPORTION, "converted"),
        metric("revenue", MetricKind.MEAN, "revenue", cap=200.0, covariate="pre_revenue"),
        metric("tickets", MetricKind.RARE_COUNT, "support_tickets"),
        metric("errors", MetricKind.RATIO, "page_errors", denominator="page_views"),
    )
    return MeasurementPlan(
        capability="checkout_wording",
        optimization="calm-button",
        surface="checkout",
        arms=("control", "b"),
        phase=Phase(0, START, 500, {"control": 0.95, "b": 0.05}),
        metrics=tuple(
            PlannedMetric(m, Role.GUARDRAIL if i else Role.PRIMARY, 0.02, PrimaryRule.NON_INFERIOR)
            for i, m in enumerate(metrics)
        ),
        segments=("device", "country"),
        filters={"is_bot": "false"},
        alpha=0.05,
        power=0.8,
        primary_alpha=0.05,
        minimum_units=1000,
        minimum_end=None,
        planned_end=UNTIL,
        looks=14,
        planned_units=None,
        policy="",
    )


def with_belay(folder: Path) -> Callable[[], object]:
    """Return one look, the way the window takes it: read, and monitored for harm in every segment."""
    from belay.measurement.monitor import monitor
    from belay.warehouse.connection import open_warehouse
    from belay.warehouse.look import read_cells

    asked = plan()
    engine = open_warehouse(f"duckdb:///{folder / 'warehouse.duckdb'}")

    def look() -> object:
        cells = read_cells(engine, asked, UNTIL)
        if cells.problem:
            raise SystemExit(f"the look failed: {cells.problem}")
        return cells.totals, monitor(cells, asked)

    return look


def with_pandas(folder: Path) -> Callable[[], object]:
    """Return the same values and sums in pandas."""
    import pandas as pd

    def look() -> object:
        columns = ["unit_id", "variant", "event_time", "device", "country", "is_bot"]
        exposures = pd.read_parquet(folder / "exposures.parquet", columns=columns)
        exposures = exposures[~exposures.is_bot].sort_values("event_time")
        first = exposures.groupby("unit_id", sort=False).first()
        values = ["converted", "revenue", "support_tickets", "page_errors", "page_views"]
        outcomes = pd.read_parquet(folder / "outcomes.parquet", columns=["unit_id", "event_time", *values])
        joined = outcomes.merge(
            first[["event_time"]], left_on="unit_id", right_index=True, suffixes=("", "_1")
        )
        joined = joined[joined.event_time >= joined.event_time_1]
        sums = joined.groupby("unit_id")[values].sum()
        before = pd.read_parquet(folder / "units.parquet").set_index("unit_id").pre_revenue
        per_unit = first.join(sums).join(before).fillna(dict.fromkeys(values, 0.0))
        per_unit["converted"] = (per_unit.converted > 0).astype(float)
        per_unit["support_tickets"] = (per_unit.support_tickets > 0).astype(float)
        per_unit["revenue"] = per_unit.revenue.clip(upper=200.0)
        pairs = {
            "converted": per_unit.converted,
            "revenue": per_unit.revenue,
            "tickets": per_unit.support_tickets,
            "errors": per_unit.page_errors,
            "views": per_unit.page_views,
            "pre": per_unit.pre_revenue,
        }
        for a, b in (("revenue", "revenue"), ("revenue", "pre"), ("pre", "pre"), ("errors", "errors")):
            pairs[f"{a}.{b}"] = (pairs[a] - pairs[a].mean()) * (pairs[b] - pairs[b].mean())
        for a, b in (("errors", "views"), ("views", "views")):
            pairs[f"{a}.{b}"] = (pairs[a] - pairs[a].mean()) * (pairs[b] - pairs[b].mean())
        keys = [per_unit.event_time.dt.floor("D"), per_unit.variant, per_unit.device, per_unit.country]
        return pd.DataFrame(pairs).groupby(keys).agg(["sum", "count"])

    return look


def with_tea_tasting(folder: Path) -> Callable[[], object]:
    """Return tea-tasting's analysis, pushed down to the same DuckDB files."""
    import duckdb
    import tea_tasting as tt

    connection = duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True)
    experiment = tt.Experiment(
        conversion=tt.Mean("converted"),
        revenue=tt.Mean("revenue", "pre_revenue"),
        tickets=tt.Mean("tickets"),
        errors=tt.RatioOfMeans("errors", "views"),
    )

    def look() -> object:
        return experiment.analyze(connection.sql(PER_UNIT_SQL), control="control")

    return look


WAYS = {"belay": with_belay, "pandas": with_pandas, "tea-tasting": with_tea_tasting}


def child(way: str, folder: Path, repeats: int) -> None:
    """Take looks in this process; print seconds (wall and CPU) and the first look's peak in MB."""
    look = WAYS[way](folder)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds, cpu, peak = [], [], 0.0
    for _ in range(repeats):
        started, used = time.perf_counter(), time.process_time()
        look()
        seconds.append(time.perf_counter() - started)
        cpu.append(time.process_time() - used)
        peak = peak or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = {"first": seconds[0], "best": min(seconds), "cpu": min(cpu), "idle_mb": before, "peak_mb": peak}
    print(json.dumps(found))


def measure(way: str, folder: Path, repeats: int) -> dict[str, float] | None:
    """Run ``child`` in a process of its own; None when it fails (out of memory, say)."""
    command = [sys.executable, __file__, "--child", way, "--folder", str(folder), "--repeats", str(repeats)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"  {way}: failed ({(done.stderr.strip().splitlines() or ['killed'])[-1]})")
        return None
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def compare(events: int, ways: list[str]) -> None:
    """Print one block of the table."""
    print(f"\n{events:,} events, {events // EVENTS_PER_UNIT:,} units")
    with tempfile.TemporaryDirectory(prefix="belay-look-") as name:
        folder = Path(name)
        build(folder, events)
        found = {way: measure(way, folder, 3 if way == "belay" else 1) for way in ways}
    ours = found["belay"]
    if ours is None:
        raise SystemExit(1)
    for way, cost in found.items():
        if cost is None:
            continue
        ratio = "" if way == "belay" else f"   {cost['cpu'] / ours['cpu']:.1f} x the CPU time, "
        ratio += "" if way == "belay" else f"{cost['peak_mb'] / ours['peak_mb']:.1f} x the memory of Belay"
        print(
            f"  {way:12} first look {cost['first']:7.2f} s, best {cost['best']:7.2f} s, "
            f"CPU {cost['cpu']:7.2f} s, peak {cost['peak_mb']:7,.0f} MB "
            f"({cost['idle_mb']:,.0f} before){ratio}"
        )


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--large", action="store_true", help="also 100 million events, Belay only (6 GB of disk)"
    )
    parser.add_argument("--small", action="store_true", help="1 million events only")
    parser.add_argument("--child", choices=list(WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--repeats", type=int, default=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        child(asked.child, asked.folder, asked.repeats)
        return
    compare(1_000_000, list(WAYS))
    if not asked.small:
        compare(10_000_000, list(WAYS))
    if asked.large:
        compare(100_000_000, ["belay"])


if __name__ == "__main__":
    main()
