"""A task starts with what it uses: no statistics, suites or pictures are loaded before a gate needs them.

How much a start costs: benchmarks/start.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from belay.services import Services
from belay.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PARSED = """
import json, os, sys
import airflow.sdk.execution_time.task_runner, airflow.dag_processing.dagbag
from benchmarks.start import begin, tasks
seen, loaded = set(sys.modules), {}
import runpy
for file in sorted({file for file, _, _ in tasks()}):
    runpy.run_path(file)
    loaded[os.path.basename(file)] = sorted(set(sys.modules) - seen)
for file, dag, task in tasks():
    if dag == "guard":
        continue  # one look is its whole work, and looking is statistics
    os.environ["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = dag
    loaded[f"{dag}.{task}"] = begin(file, dag, task)
print(json.dumps(loaded))
"""
OF_OPERATORS = {"airflow", "asgiref"}
"""What Airflow's own TriggerDagRunOperator brings."""
ROOMS_OF_A_DAG_FILE = {"domain", "policy", "orchestration", "environment", "files", "settings", "urls"}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """By DAG file and by task: the modules that come in beside what Airflow's task runner has loaded."""
    home = tmp_path_factory.mktemp("start")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BELAY_", "AIRFLOW_"))}
    environment = kept | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "BELAY_HOME": str(home / "belay"),
        "BELAY_POLICIES": str(ROOT / "include" / "capabilities"),
    }
    Services(Settings.from_env({"BELAY_HOME": str(home / "belay")})).ledger.state()  # is there, as it is
    done = subprocess.run(
        [sys.executable, "-c", PARSED], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_start_loads_ours_and_the_standard_library_alone(loaded: dict[str, list[str]]) -> None:
    allowed = {"belay", *OF_OPERATORS, *sys.stdlib_module_names}
    for name, modules in loaded.items():
        tops = {module.split(".")[0] for module in modules if not module.startswith("unusual_prefix_")}
        assert tops <= allowed, f"{name} loads {sorted(tops - allowed)} before its work begins"


def test_a_dag_file_is_built_from_the_policies_alone(loaded: dict[str, list[str]]) -> None:
    for name in ("rollouts.py", "promotions.py", "guard.py", "intake.py"):
        ours = {module for module in loaded[name] if module.startswith("belay.")}
        rooms = {module.split(".")[1] for module in ours - {"belay.gates", "belay.gates.intake"}}
        assert rooms <= ROOMS_OF_A_DAG_FILE, f"{name} loads {sorted(rooms - ROOMS_OF_A_DAG_FILE)}"


def test_no_start_loads_statistics_suites_or_pictures(loaded: dict[str, list[str]]) -> None:
    for name, modules in loaded.items():
        rooms = {module.split(".")[1] for module in modules if module.startswith("belay.")}
        assert not rooms & {"measurement", "quality", "review", "warehouse", "web", "slack", "cli"}, name
