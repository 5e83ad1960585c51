"""What a cycle of the guard costs, by the number of live optimizations, beside one query an optimization.

    python benchmarks/guard.py                      # 10, 100 and 1,000 live optimizations, 10 metrics each
    python benchmarks/guard.py --live 1000

Each surface has one change that climbs and nine that are complete and hold back 2 %; 2,000 units a surface,
two exposures a unit and change, seven days. *First* is a cycle in which everything is news, *next* one in
which nothing is. The baseline reads the same data with the look of the measurement window, one optimization
after the other; of 1,000 it reads 50 and the time is scaled.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

START = datetime(2026, 3, 2, tzinfo=UTC)
DAYS, UNITS, METRICS, EACH, SAMPLE = 7, 2_000, 10, 10, 50
"""Days, units a surface, metrics a change, changes a surface, optimizations that the baseline reads."""
KINDS = ("proportion", "mean", "rare_count", "ratio", "mean")


def policies(folder: Path, surfaces: int) -> None:
    """Write a capability for each surface, with ten metrics."""
    import shutil

    shutil.copytree(Path(__file__).resolve().parents[1] / "include" / "capabilities", folder)
    for file in folder.glob("[!_]*.yaml"):
        file.unlink()
    names = [f"m{i}" for i in range(METRICS)]
    catalogue = yaml.safe_load((folder / "_metrics.yaml").read_text())
    catalogue["sources"]["outcomes"]["columns"] = [*names, "views"]
    catalogue["metrics"] = {
        name: {
            "title": f"Metric {i}",
            "kind": KINDS[i % len(KINDS)],
            "unit": "u",
            "direction": "increase",
            "value": f"outcomes.{name}",
            **({"denominator": "outcomes.views"} if KINDS[i % len(KINDS)] == "ratio" else {}),
        }
        for i, name in enumerate(names)
    }
    (folder / "_metrics.yaml").write_text(yaml.safe_dump(catalogue))
    for number in range(surfaces):
        document = {
            "title": f"Capability {number}",
            "description": "For the benchmark.",
            "owner": "dana",
            "surface": f"surface{number}",
            "decision_class": "reversible",
            "initial_stage": "supervised",
            "primary": {"metric": "m0", "minimum_effect": 0.05},
            "guardrails": dict.fromkeys(names[1:], 0.2),
            "segments": ["device"],
            "max_data_age": "9d",
        }
        (folder / f"capability{number}.yaml").write_text(yaml.safe_dump(document))


def lake(home: Path, live: int) -> None:
    """Write seven days of exposures and outcomes."""
    import duckdb

    surfaces, span = max(live // EACH, 1), DAYS * 86_400_000
    moment = f"timestamp '2026-03-02' + to_milliseconds((hash(i * 7 + 1) % {span})::bigint)"
    change, unit = f"(i % {live})", f"(hash(i) % {UNITS})"
    climbs = f"({change} // {surfaces} = 0)"
    arm = f"hash({unit} * 1000003 + {change}) % 10000"
    shown = (
        f"case when {arm} < (case when {climbs} then 2500 else 9800 end) then 'treatment' else 'control' end"
    )
    values = {
        "proportion": "(hash(i + {n}) % 100 < 20)::int",
        "mean": "(hash(i + {n}) % 1000) / 10.0",
        "rare_count": "(hash(i + {n}) % 1000 < 8)::int",
        "ratio": "(hash(i + {n}) % 10 < 3)::int",
    }
    columns = ", ".join(f"{values[KINDS[n % len(KINDS)]].format(n=n + 20)} as m{n}" for n in range(METRICS))
    files = {
        "exposures": f"""select 'x' || i as event_id,
            'u' || {unit} || '-' || ({change} % {surfaces}) as unit_id,
            'change-' || {change} as optimization, {shown} as variant,
            'surface' || ({change} % {surfaces}) as surface, {moment} as event_time,
            {moment} + interval 1 minute as ingested_at,
            case when hash({unit}) % 3 = 0 then 'desktop' else 'phone' end as device, 'DE' as country,
            'new' as visitor, false as is_bot from range({live * UNITS * 2}) t(i)""",
        "outcomes": f"""select 'o' || i as event_id, 'u' || {unit} || '-' || (i % {surfaces}) as unit_id,
            'surface' || (i % {surfaces}) as surface, {moment} as event_time,
            {moment} + interval 1 minute as ingested_at, {columns}, 1 + (hash(i + 5) % 6)::int as views
            from range({surfaces * UNITS * 4}) t(i)""",
        "units": "select 'u' || i as unit_id, 1.0 as pre_revenue, 1 as pre_visits from range(10) t(i)",
    }
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        for name, query in files.items():
            part = home / f"{name}.parquet"
            connection.execute(f"copy ({query}) to '{part}'")
            connection.execute(f"create view {name} as select * from read_parquet('{part}')")


def go_live(belay, live: int) -> None:  # type: ignore[no-untyped-def]
    """Write the ledger as if every change had climbed to where it is."""
    from tests.support.live import append_anyway

    from belay.actuation.flag_writer import served_flag
    from belay.domain import events as e
    from belay.domain.actors import agent
    from belay.domain.proposal import Proposal, Variant
    from belay.domain.rules.steps import proposal_digest
    from belay.oversight.active_policy import adopt_first_policy

    surfaces = max(live // EACH, 1)
    found = belay.policies().capabilities
    if len(found) != surfaces:
        raise SystemExit("\n".join(map(str, belay.policies().errors)))
    for policy in found.values():
        adopt_first_policy(belay, policy)
    events: list[e.Event] = []
    for number in range(live):
        policy, name = found[f"capability{number % surfaces}"], f"change-{number}"
        complete = number // surfaces > 0
        scope, held = (10_000, 200) if complete else (2500, 0)
        proposal = Proposal(
            name,
            policy.id,
            name,
            "It helps.",
            (Variant("treatment", {"label": name}),),
            {"label": "old"},
            agent("copywriter"),
            "dana",
        )
        events += [
            e.Proposed(name, policy.id, policy.surface, proposal, proposal_digest(proposal)),
            e.StepStarted(name, 1, f"{name}__step1", 0, scope, policy.digest, last=complete),
            e.WideningIntended(name, 1, f"{name}.1", 0, scope, 1, holdback=held),
            e.ScopeConfirmed(name, scope, 1, "flagd", START),
        ]
        if complete:
            events.append(e.OptimizationEnded(name, e.Outcome.COMPLETED, "it climbed its whole ramp"))
    append_anyway(belay, events)
    known = belay.ledger.state().optimizations
    belay.flags.apply_all(served_flag(one, one.scope, 1) for one in known.values())


def measure(live: int) -> None:
    """Build a world with ``live`` optimizations, and print what a cycle costs."""
    from belay.clock import set_data_now
    from belay.guard.cycle import guard
    from belay.guard.live import everything_live, sights_of
    from belay.measurement.monitor import monitor
    from belay.services import Services
    from belay.settings import Settings
    from belay.warehouse.look import read_cells

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        policies(home / "capabilities", max(live // EACH, 1))
        lake(home, live)
        set_data_now(home, START + timedelta(days=DAYS))
        environment = {"BELAY_HOME": folder, "BELAY_POLICIES": str(home / "capabilities")}
        belay = Services(Settings.from_env(environment))
        go_live(belay, live)
        began = time.perf_counter()
        first = guard(belay, "benchmark")
        took = time.perf_counter() - began
        began = time.perf_counter()
        after = guard(belay, "benchmark")
        again = time.perf_counter() - began
        if first.read != live or first.problems or first.blind:
            raise SystemExit(f"not everything was read: {first}")
        shown, _ = everything_live(belay, belay.ledger.state())
        until = {one.known.surface: START + timedelta(days=DAYS) for one in shown}
        sights = sights_of(belay, shown[:SAMPLE], until)
        began = time.perf_counter()
        for sight in sights:
            monitor(read_cells(belay.warehouse, sight.plan, sight.until), sight.plan)
        alone = (time.perf_counter() - began) / len(sights) * live
        belay.ledger.close()
    print(
        f"| {live:,} | {first.statements} | {took:.1f} s | {after.statements} | {again:.2f} s | "
        f"{5 * live:,} | {alone:.1f} s | {alone / took:.1f} × |",
        flush=True,
    )


def main() -> None:
    """Measure each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--live", type=int, action="append", help="live optimizations; several times")
    sizes = parser.parse_args().live or [10, 100, 1000]
    print("| live | statements, first | cycle, first | statements, next | cycle, next | ", end="")
    print("statements one by one | one by one | ratio |\n" + "| ---: " * 8 + "|", flush=True)
    for size in sizes:
        measure(size)


if __name__ == "__main__":
    main()
