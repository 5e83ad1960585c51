"""What the start of a task costs: CPU and memory of each gate beside a trivial task of the same Airflow.

    python benchmarks/start.py
    python benchmarks/start.py --repeat 11 --limit 1.25

A process of its own a figure, as a Kubernetes pod or a Celery worker starts one: it imports Airflow's task
runner, parses the DAG file as the runner does (one DAG wanted, by the parsing context), imports what the
task's own methods import, opens a ledger and reads its state: all that happens before a gate begins its work.
The trivial task does the first two alone. CPU is user and system time of the process, memory its largest
resident set, both from the kernel (wait4); medians, in turn, so that a busy machine slows all alike.

The work itself comes on top, and loads what it needs: NumPy and SciPy where there are effects to judge. The
guard is no gate: a look is its whole work, so its start has the statistics; it is not held to the limit.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import json
import os
import statistics
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TRIVIAL = """
from airflow.sdk import DAG, BaseOperator

class Trivial(BaseOperator):
    def execute(self, context):
        return 1

with DAG("trivial", schedule=None):
    Trivial(task_id="trivial")
"""
CAPABILITY = "checkout_wording"
ROLLOUT = ("admit", "quality", "window", "review", "approval", "widen", "next")
PROMOTION = ("admit", "quality", "record", "review", "approval", "promote")
Task = tuple[str, str, str]
"""DAG file, DAG and task."""


def tasks() -> list[Task]:
    """Return every task of a rollout, of a promotion and of the DAGs that watch."""
    dags = ROOT / "dags"
    return [
        *((str(dags / "rollouts.py"), f"rollout__{CAPABILITY}", task) for task in ROLLOUT),
        *((str(dags / "promotions.py"), f"promotion__{CAPABILITY}", task) for task in PROMOTION),
        (str(dags / "guard.py"), "guard", "guard"),
        (str(dags / "intake.py"), "intake", "waiting"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=7, help="processes a figure")
    parser.add_argument("--limit", type=float, help="fail above this ratio of CPU")
    parser.add_argument("--begin", nargs=3, metavar=("FILE", "DAG", "TASK"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.begin:
        print(json.dumps(begin(*asked.begin)))
        return
    with tempfile.TemporaryDirectory() as name:
        worst = compared(Path(name), asked.repeat)
    if asked.limit and worst > asked.limit:
        sys.exit(f"a task starts at {worst:.2f} times a trivial one; the limit is {asked.limit:g}")


def compared(home: Path, repeat: int) -> float:
    """Print each task's start beside the trivial one's; return the largest ratio of CPU."""
    (home / "trivial.py").write_text(TRIVIAL)
    trivial = (str(home / "trivial.py"), "trivial", "trivial")
    everything = [trivial, *tasks()]
    environment = environment_of(home)
    for task in everything:  # bytecode, the ledger and Airflow's files are made once, and not counted
        measured(task, environment)
    figures: dict[Task, list[tuple[float, float]]] = {task: [] for task in everything}
    for _ in range(repeat):
        for task in everything:
            figures[task].append(measured(task, environment))
    found = {
        task: (statistics.median(cpu for cpu, _ in each), statistics.median(size for _, size in each))
        for task, each in figures.items()
    }
    alone, _ = found[trivial]
    print(f"{'task':<42} {'CPU':>8} {'ratio':>6} {'memory':>8}")
    for (_, dag, task), (cpu, size) in found.items():
        print(f"{f'{dag}.{task}':<42} {cpu:>6.2f} s {cpu / alone:>6.2f} {size:>5.0f} MB", flush=True)
    return max(cpu for (_, dag, _), (cpu, _) in found.items() if dag != "guard") / alone


def environment_of(home: Path) -> dict[str, str]:
    """Return an environment with an empty Airflow and an empty ledger in ``home``."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BELAY_", "AIRFLOW_", "PYTHONDONTWRITEBYTECODE"))
    }
    return kept | {
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "BELAY_HOME": str(home / "belay"),
        "BELAY_POLICIES": str(ROOT / "include" / "capabilities"),
    }


def measured(task: Task, environment: Mapping[str, str]) -> tuple[float, float]:
    """Return the CPU seconds and the megabytes of one start."""
    command = [sys.executable, str(Path(__file__).resolve()), "--begin", *task]
    wanted = {**environment, "_AIRFLOW_PARSING_CONTEXT_DAG_ID": task[1]}
    nowhere = os.open(os.devnull, os.O_WRONLY)
    files = [(os.POSIX_SPAWN_DUP2, nowhere, 1), (os.POSIX_SPAWN_DUP2, nowhere, 2)]
    _, status, used = os.wait4(os.posix_spawn(command[0], command, wanted, file_actions=files), 0)
    os.close(nowhere)
    assert status == 0, f"{task[1]}.{task[2]} did not start: run {' '.join(command)}"
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def begin(file: str, dag_id: str, task_id: str) -> list[str]:
    """Start a task as Airflow's runner does, up to its work; return the modules that this loaded."""
    importlib.import_module("airflow.sdk.execution_time.task_runner")
    from airflow.dag_processing.dagbag import BundleDagBag

    before = set(sys.modules)
    bag = BundleDagBag(
        dag_folder=file,
        safe_mode=False,
        load_op_links=False,
        bundle_path=Path(file).parent,
        bundle_name="start",
    )
    task = bag.dags[dag_id].task_dict[task_id]
    if dag_id == "trivial":
        return sorted(set(sys.modules) - before)
    for module in imports_of(type(task)):
        importlib.import_module(module)
    from belay.orchestration.runtime import services

    services().ledger.state()
    return sorted(set(sys.modules) - before)


def imports_of(operator: type[Any]) -> Iterator[str]:
    """Yield the modules of ours that an operator's own methods import when they run."""
    for base in operator.__mro__:
        if base.__module__.startswith("belay."):
            for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(base)))):
                if isinstance(node, ast.ImportFrom) and node.module:
                    yield node.module


if __name__ == "__main__":
    main()
