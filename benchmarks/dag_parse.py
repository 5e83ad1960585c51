"""What parsing costs: seconds to build the DAGs of 10, 100 and 1,000 capabilities, beside hand-written ones.

    python benchmarks/dag_parse.py
    python benchmarks/dag_parse.py --sizes 10 100

Generated: dags/rollouts.py over so many policy files. Hand-written: one Python file that spells out DAGs of
the same size (the same seven operators, form, tags, links and documentation), so it reads no policy and
checks nothing. One DAG: what a task pays when it starts, where only its own DAG is built. Each figure is
the median of fresh processes and leaves out importing Airflow, which all of them pay alike; the first parse
of a process is counted, as the DAG processor and every task pay it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
POLICIES = REPOSITORY / "include" / "capabilities"

PARSE = """
import json, runpy, sys, time
import airflow.sdk, belay.orchestration.rollout_dag, belay.policy.load  # what every one of them imports
began = time.perf_counter()
found = runpy.run_path(sys.argv[1])
seconds = time.perf_counter() - began
dags = {value.dag_id: value for value in found.values() if isinstance(value, airflow.sdk.DAG)}
print(json.dumps([seconds, len(dags), sum(len(dag.tasks) for dag in dags.values())]))
"""

HAND_WRITTEN_HEAD = '''
from datetime import timedelta
from airflow.sdk import DAG, chain
from belay.orchestration.approval import SlackApprovalSensor
from belay.orchestration.form import form
from belay.orchestration.operators import (
    AdmitOperator, NextOperator, QualityOperator, ReviewOperator, WidenOperator)
from belay.orchestration.window import MeasurementWindowSensor
DOC = """{doc}"""
ARGS = {{"owner": "carla", "retries": 4, "retry_delay": timedelta(seconds=5)}}
'''
HAND_WRITTEN_DAG = """
with DAG(
    "rollout__{name}", dag_display_name="Rollout: {name}", description="Takes one step.", doc_md=DOC,
    schedule=None, catchup=False, max_active_runs=2,
    tags={{"belay", "rollout", "reversible", "surface:{name}"}},
    default_args=ARGS, owner_links={{"carla": "mailto:carla@shop.example"}}, params=form("{name}"),
) as dag_{name}:
    chain(
        AdmitOperator(task_id="admit"),
        QualityOperator(task_id="quality"),
        MeasurementWindowSensor(task_id="window", poll=timedelta(seconds=5)),
        ReviewOperator(task_id="review"),
        SlackApprovalSensor(task_id="approval", recheck=timedelta(seconds=300)),
        WidenOperator(task_id="widen"),
        NextOperator(task_id="next", trigger_dag_id="rollout__{name}"),
    )
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 1000], help="capabilities")
    parser.add_argument("--repeat", type=int, default=3, help="processes a figure")
    asked = parser.parse_args()
    print(f"{'capabilities':>12} {'generated':>11} {'hand-written':>13} {'ratio':>6} {'one DAG':>9}")
    for size in asked.sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            names = write(folder, size)
            rollouts = REPOSITORY / "dags" / "rollouts.py"
            generated = median(folder, rollouts, size, asked.repeat)
            by_hand = median(folder, folder / "by_hand.py", size, asked.repeat)
            one = median(folder, rollouts, 1, asked.repeat, only=f"rollout__{names[-1]}")
        ratio = generated / by_hand
        print(f"{size:>12,} {generated:>9.2f} s {by_hand:>11.2f} s {ratio:>6.2f} {one:>7.3f} s", flush=True)


def write(folder: Path, size: int) -> list[str]:
    """Write ``size`` policies, and a Python file with DAGs of the same size; return their names."""
    policies = folder / "include" / "capabilities"
    policies.mkdir(parents=True)
    for shared in POLICIES.glob("_*.yaml"):
        shutil.copy(shared, policies)
    text = (POLICIES / "checkout_wording.yaml").read_text()
    names = [f"capability_{number:04}" for number in range(size)]
    for name in names:
        own = text.replace("surface: checkout", f"surface: {name}")
        (policies / f"{name}.yaml").write_text(own.replace("Checkout wording", f"Capability {name}"))
    head = HAND_WRITTEN_HEAD.format(doc=documentation(policies, names[0]))
    (folder / "by_hand.py").write_text(head + "".join(HAND_WRITTEN_DAG.format(name=name) for name in names))
    return names


def documentation(policies: Path, name: str) -> str:
    from belay.policy.describe import describe
    from belay.policy.load import load_policies

    return describe(load_policies(policies).capabilities[name])


def median(folder: Path, file: Path, expected: int, repeat: int, *, only: str | None = None) -> float:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("BELAY_", "AIRFLOW_"))}
    environment |= {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "BELAY_POLICIES": str(folder / "include" / "capabilities"),
    }
    if only:
        environment["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = only
    seconds = []
    for _ in range(repeat):
        command = [sys.executable, "-c", PARSE, str(file)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        took, dags, tasks = json.loads(done.stdout.splitlines()[-1])
        assert (dags, tasks) == (expected, expected * 7), f"{file} built {dags} DAGs of {tasks} tasks"
        seconds.append(took)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
