"""Judge each mutant of a session: run the fast tests, the nearest first, and stop at the first that fails.

The tests are collected once. A mutant inside a function is judged by a fork in which that function has the
mutant's code: nothing is imported again, and nothing is written. A mutant elsewhere (a constant, a default, a
decorator) is written into the tree, which is a copy, and judged by a pytest of its own.
"""

from __future__ import annotations

import ast
import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FunctionType

import cosmic_ray.plugins
import pytest
from _pytest.runner import runtestprotocol
from cosmic_ray.mutating import mutate_code, use_mutation
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome, WorkResult

PLUGINS = (
    *("xdist.plugin", "pytest_timeout", "_hypothesis_pytestplugin", "pytest_cov.plugin"),
    "no:cacheprovider",
)
QUIETLY = ["-x", "-q", "--no-header", "--tb=line", *(f"-p{plugin}" for plugin in PLUGINS)]
FAST = ["-m", "not (airflow or browser or postgres or long or slow or data)"]
# In the order of what they cost. Whole ways through a warehouse, which take seconds each, are not among them.
RULES = ["tests/domain"]
THROUGH_THE_LEDGER = ["tests/ledger/test_legality.py", "tests/explain", "tests/oversight", "tests/actuation"]
AT_THE_EDGES = [
    *("tests/gates/test_answers.py", "tests/gates/test_clicks_at_once.py", "tests/gates/test_stop.py"),
    *("tests/gates/test_identity.py", "tests/gates/test_reconcile.py"),
]
SLOWEST = ("test_copying", "test_approvers", "test_invariants")
PATIENCE = 300.0  # seconds; a mutant that never ends is noticed


def existing(paths: list[str]) -> list[str]:
    """Return those paths that there are."""
    return [path for path in paths if Path(path).exists()]


def in_a_function(mutation: MutationSpec) -> bool:
    """Return whether a mutation is in the body of a function, and in nothing that is evaluated at import."""
    line = mutation.start_pos[0]
    for node in ast.walk(ast.parse(mutation.module_path.read_text())):
        if isinstance(node, ast.FunctionDef) and node.body[0].lineno <= line <= (node.end_lineno or line):
            return True
    return False


def functions_of(code: CodeType) -> dict[tuple[str, int], CodeType]:
    """Return the code of every function in a module's code, by its name and its line."""
    found = {}
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            found[inner.co_qualname, inner.co_firstlineno] = inner
            found |= functions_of(inner)
    return found


def put_in(mutation: MutationSpec, mutated: str) -> None:
    """Give every function of the mutated module, where one of it is in use, the mutant's code."""
    name = str(mutation.module_path.resolve())
    codes = functions_of(compile(mutated, name, "exec"))
    for function in gc.get_objects():
        if isinstance(function, FunctionType) and function.__code__.co_filename == name:
            code = codes.get((function.__code__.co_qualname, function.__code__.co_firstlineno))
            if code is not None and code != function.__code__:
                function.__code__ = code


def in_a_fork(judge: Callable[[], bool]) -> bool:
    """Return what ``judge`` says in a process of its own; one that never ends says yes."""
    child = os.fork()
    if child == 0:
        os.setsid()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        noticed = True
        try:
            noticed = judge()
        finally:
            os._exit(noticed)  # no clean-up of what the parent shares
    clock = threading.Timer(PATIENCE, os.killpg, (child, signal.SIGKILL))
    clock.start()
    _, status = os.waitpid(child, 0)
    clock.cancel()
    return status != 0


class Judge:
    """A plugin of pytest that runs mutants instead of tests."""

    def __init__(self, session: Path, worker: int, workers: int) -> None:
        self._db, self._worker, self._workers = session, worker, workers

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Judge one worker's part of what is pending."""
        if in_a_fork(lambda: self._noticed(session, Path("nothing.py"))):
            pytest.exit("the tests fail without a mutant", returncode=1)
        with use_db(self._db, WorkDB.Mode.open) as db:
            pending = sorted(db.pending_work_items, key=lambda item: item.job_id)
            for item in pending[self._worker :: self._workers]:
                db.set_result(item.job_id, self._judged(session, item.mutations[0]))
        return True

    def _judged(self, session: pytest.Session, mutation: MutationSpec) -> WorkResult:
        operator = cosmic_ray.plugins.get_operator(mutation.operator_name)()
        mutated = mutate_code(mutation.module_path.read_text(), operator, mutation.occurrence)
        if mutated is None:
            return WorkResult(worker_outcome=WorkerOutcome.NO_TEST)

        def judge() -> bool:
            put_in(mutation, mutated)
            return self._noticed(session, mutation.module_path)

        if in_a_function(mutation):
            noticed = in_a_fork(judge)
        else:
            with use_mutation(mutation.module_path, operator, mutation.occurrence):
                noticed = self._noticed_anew(mutation.module_path)
        outcome = TestOutcome.KILLED if noticed else TestOutcome.SURVIVED
        line = mutated.splitlines()[mutation.start_pos[0] - 1].strip()
        return WorkResult(WorkerOutcome.NORMAL, None, outcome, line)

    def _noticed(self, session: pytest.Session, module: Path) -> bool:
        """Return whether a test fails: those named after the module first, the slowest of the domain last."""

        def distance(item: pytest.Item) -> int:
            if item.path.stem.startswith(f"test_{module.stem.rstrip('s')}"):
                return 0
            return 2 if item.path.stem in SLOWEST else 1

        items = sorted(session.items, key=distance)
        if "domain" in module.parts:
            items = [item for item in items if "gates" not in item.path.parts]
        for item, following in zip(items, [*items[1:], None], strict=True):
            if any(report.failed for report in runtestprotocol(item, log=False, nextitem=following)):
                return True
        return False

    def _noticed_anew(self, module: Path) -> bool:
        named = f"test_{module.stem.rstrip('s')}*.py"
        near = [str(path) for path in sorted(Path("tests/domain").rglob(named))]
        env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        paths = ["tests/domain/test_values.py", *near] if "domain" in module.parts else AT_THE_EDGES
        for stage in (paths, [*RULES, *THROUGH_THE_LEDGER]):
            command = [sys.executable, "-m", "pytest", *QUIETLY, *FAST, *existing(stage)]
            if subprocess.run(command, env=env, capture_output=True, check=False, timeout=600).returncode:
                return True
        return False


def main(session: Path, worker: int, workers: int) -> int:
    """Collect the tests and judge; return 1 where they fail without any mutant."""
    # Few random cases, and no plugins but those named.
    os.environ |= {"HYPOTHESIS_PROFILE": "mutation", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    paths = existing([*RULES, *THROUGH_THE_LEDGER, *AT_THE_EDGES])
    return int(pytest.main([*QUIETLY, *FAST, *paths], plugins=[Judge(session, worker, workers)]))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
