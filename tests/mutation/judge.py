"""Judge each mutant of a session: run the fast tests, the nearest first, and stop at the first that fails.

Runs in a copy of the tree, which is mutated. Each mutant is judged by a fork that has everything imported
but Belay and its tests.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from pathlib import Path

import cosmic_ray.plugins
import pytest
from cosmic_ray.mutating import use_mutation
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome, WorkResult

PLUGINS = (
    "xdist.plugin",
    "pytest_timeout",
    "_hypothesis_pytestplugin",
    "pytest_cov.plugin",
    "no:cacheprovider",
)
QUIETLY = ["-x", "-q", "--no-header", "--tb=line", *(f"-p{plugin}" for plugin in PLUGINS)]
FAST = ["-m", "not (airflow or browser or postgres or long or slow or data)"]
PRELOADED = (
    *PLUGINS[:-1],
    *(
        "hypothesis.stateful",
        "hypothesis.strategies",
        "sqlalchemy.orm",
        "msgspec",
        "yaml",
        "pydantic",
        "jinja2",
    ),
    *("numpy", "scipy.stats", "requests", "zoneinfo", "statistics", "concurrent.futures", "psycopg"),
)

# In the order of what a mutant costs. What takes some seconds a test, and asks no rule that a shorter one
# leaves out (whole ways through a warehouse), is not among them.
FOLDERS = ("domain", "ledger", "oversight", "actuation", "gates", "guard")
RULES = ("tests/domain",)
THROUGH_THE_LEDGER = ("tests/ledger/test_legality.py", "tests/explain", "tests/oversight", "tests/actuation")
AT_THE_EDGES = (
    "tests/gates/test_answers.py",
    "tests/gates/test_clicks_at_once.py",
    "tests/gates/test_stop.py",
)
PATIENCE = 300.0  # seconds; a mutant that never ends is noticed


def stages(module: Path) -> list[list[str]]:
    """Return the paths to give to one run of pytest after another, the cheapest first."""
    names = [f"tests/{folder}/**/test_{module.stem.rstrip('s')}*.py" for folder in FOLDERS]
    nearest = [str(path) for name in names for path in sorted(Path().glob(name))]
    if "domain" in module.parts:
        return [["tests/domain/test_values.py", *nearest], *existing(RULES, THROUGH_THE_LEDGER)]
    return [nearest, *existing(THROUGH_THE_LEDGER, AT_THE_EDGES, RULES)]


def existing(*wanted: tuple[str, ...]) -> list[list[str]]:
    """Return what there is of each stage's paths."""
    return [[path for path in stage if Path(path).exists()] for stage in wanted]


def is_noticed(module: Path) -> bool:
    """Return whether a test fails, with this module mutated."""
    return any(pytest.main([*QUIETLY, *FAST, *stage]) not in {0, 5} for stage in stages(module) if stage)


def in_a_fork(module: Path, output: Path) -> bool:
    """Return what ``is_noticed`` says in a process of its own; one that never ends counts as noticed."""
    child = os.fork()
    if child == 0:
        os.setsid()
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        noticed = True
        try:
            noticed = is_noticed(module)
        finally:
            os._exit(noticed)  # no clean-up of what the parent shares
    clock = threading.Timer(PATIENCE, os.killpg, (child, signal.SIGKILL))
    clock.start()
    _, status = os.waitpid(child, 0)
    clock.cancel()
    return status != 0


def judge(mutation: MutationSpec, output: Path) -> WorkResult:
    """Apply one mutation, ask the tests, take it back."""
    operator = cosmic_ray.plugins.get_operator(mutation.operator_name)()
    with use_mutation(mutation.module_path, operator, mutation.occurrence) as (_, mutated):
        if mutated is None:
            return WorkResult(worker_outcome=WorkerOutcome.NO_TEST)
        noticed = in_a_fork(mutation.module_path, output)
        line = mutated.splitlines()[mutation.start_pos[0] - 1].strip()
    outcome = TestOutcome.KILLED if noticed else TestOutcome.SURVIVED
    return WorkResult(WorkerOutcome.NORMAL, output.read_text()[-2_000:], outcome, line)


def main(session: Path, worker: int, workers: int) -> int:
    """Judge one worker's part of what is pending; return 1 where the tests fail without any mutant."""
    # Few random cases, and no plugins but those named: half a second less for each mutant.
    os.environ |= {"HYPOTHESIS_PROFILE": "mutation", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    for name in PRELOADED:
        importlib.import_module(name)
    output = session.with_name(f"output-{worker}.txt")
    unmutated = "--no-baseline" in sys.argv or not in_a_fork(
        Path("include/belay/actuation/nothing.py"), output
    )
    if not unmutated:
        print(output.read_text()[-4_000:], "\nthe tests fail without a mutant", sep="")
        return 1
    sys.dont_write_bytecode = True
    with use_db(session, WorkDB.Mode.open) as db:
        for item in sorted(db.pending_work_items, key=lambda item: item.job_id)[worker::workers]:
            db.set_result(item.job_id, judge(item.mutations[0], output))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
