"""Mutate the rules at random places and tell which mutants no fast test notices: `make mutate`.

The tree is copied, a seeded sample of Cosmic Ray's mutants is drawn, and each is judged in the copy by
``tests.mutation.judge``; the session is kept in ``.mutation/``, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from cosmic_ray.commands import init
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome, WorkItem, WorkResult

HERE = Path.cwd()
FOLDER = HERE / ".mutation"
SESSION = FOLDER / "session.sqlite"
ROOMS = ("domain", "actuation", "oversight")

# A flip that a reader would call a fault. Left out are those that fail at import or for any argument (an
# order of things that have none, another arithmetic), which would only flatter the figure, and `==` for
# `is`, which is the same for enumerations.
FAULTS = re.compile(
    r"core/(ReplaceComparisonOperator_("
    r"Eq_NotEq|NotEq_Eq|Lt_LtE|Lt_GtE|LtE_Lt|LtE_Gt|Gt_GtE|Gt_LtE|GtE_Gt|GtE_Lt|Is_IsNot|IsNot_Is)"
    r"|ReplaceBinaryOperator_(Add_Sub|Sub_Add|Mul_Div|Div_Mul|BitOr_BitAnd|BitAnd_BitOr)"
    r"|ReplaceUnaryOperator_Delete_(Not|USub)|AddNot|NumberReplacer|ReplaceTrueWithFalse|ReplaceFalseWithTrue"
    r"|ReplaceAndWithOr|ReplaceOrWithAnd|ReplaceBreakWithContinue|ReplaceContinueWithBreak"
    r"|ZeroIterationForLoop|ExceptionReplacer)"
)


def without_effect(source: str) -> set[int]:
    """Return the lines that hold types or the heads of functions, which no test can tell apart."""
    lines: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.AnnAssign):
            lines.update(range(node.annotation.lineno, (node.annotation.end_lineno or 0) + 1))
        if isinstance(node, ast.FunctionDef):
            lines.update(range(node.lineno, node.body[0].lineno))
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            lines.add(node.lineno)
    return lines


def is_fault(mutation: MutationSpec, idle: dict[Path, set[int]]) -> bool:
    """Return whether a mutation is one that a test could notice."""
    if not FAULTS.fullmatch(mutation.operator_name):
        return False
    path = Path(mutation.module_path)
    if path not in idle:
        idle[path] = without_effect(path.read_text())
    # A default or a decorator is in a head too, and is told apart: it is a number or a boolean.
    types = re.search("_BitOr_|_Mul_|_Div_|AddNot", mutation.operator_name)
    return types is None or mutation.start_pos[0] not in idle[path]


def draw(session: WorkDB, size: int, seed: int) -> None:
    """Leave a random sample of the mutants to be judged, and mark all others as skipped."""
    idle: dict[Path, set[int]] = {}

    def place(item: WorkItem) -> tuple[str, tuple[int, int], str, int]:
        mutation = item.mutations[0]
        return str(mutation.module_path), mutation.start_pos, mutation.operator_name, mutation.occurrence

    candidates = sorted((i for i in session.work_items if is_fault(i.mutations[0], idle)), key=place)
    drawn = {item.job_id for item in random.Random(seed).sample(candidates, min(size, len(candidates)))}
    skipped = WorkResult(worker_outcome=WorkerOutcome.SKIPPED, output="not in the sample")
    session.set_multiple_results([i.job_id for i in session.work_items if i.job_id not in drawn], skipped)
    print(f"{len(drawn)} of {len(candidates)} mutants drawn with seed {seed}")


def copy_tree(worker: int) -> Path:
    """Copy what git knows or would add, so that nobody's working tree is ever mutated."""
    tree = FOLDER / f"tree-{worker}"
    shutil.rmtree(tree, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
    )
    for name in listed.stdout.decode().split("\0"):
        if name and (HERE / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(HERE / name, tree / name)
    return tree


def judge_all(workers: int) -> bool:
    """Let every worker judge its part in a tree of its own; return whether all of them could."""
    running = []
    for worker in range(workers):
        tree = copy_tree(worker)
        command = [sys.executable, "-m", "tests.mutation.judge", str(SESSION), str(worker), str(workers)]
        running.append(
            subprocess.Popen(command, cwd=tree, env={**os.environ, "PYTHONPATH": str(tree / "include")})
        )
    return {process.wait() for process in running} == {0}


def report(session: WorkDB) -> float:
    """Print the survivors and the figures; return the share of mutants that were killed."""
    judged: Counter[str] = Counter()
    killed: Counter[str] = Counter()
    for item, result in session.completed_work_items:
        if result.worker_outcome is WorkerOutcome.SKIPPED:
            continue
        mutation = item.mutations[0]
        room = Path(mutation.module_path).parts[2]
        judged[room] += 1
        killed[room] += result.test_outcome is TestOutcome.KILLED
        if result.test_outcome is not TestOutcome.KILLED:
            where = f"{mutation.module_path}:{mutation.start_pos[0]}"
            print(f"{where}  {mutation.operator_name.removeprefix('core/')}\n    {result.diff}")
    for room, number in sorted(judged.items()):
        print(f"{room}: {killed[room]} of {number} mutants killed ({killed[room] / number:.1%})")
    share = killed.total() / max(judged.total(), 1)
    print(f"together: {killed.total()} of {judged.total()} mutants killed ({share:.1%})")
    return share


def main() -> int:
    """Return 1 where fewer mutants are killed than asked for, or none could be judged."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--size", type=int, default=600, help="how many mutants to draw")
    parser.add_argument("--seed", type=int, default=20261201, help="of the draw")
    parser.add_argument("--floor", type=float, default=0.8, help="the share to be killed")
    parser.add_argument("--workers", type=int, default=2, help="how many are judged at once")
    parser.add_argument("--go-on", action="store_true", help="judge what a run that was stopped left")
    parser.add_argument("--report", action="store_true", help="print what was judged, and judge nothing")
    args = parser.parse_args()
    if not args.report:
        if not args.go_on:
            FOLDER.mkdir(exist_ok=True)
            SESSION.unlink(missing_ok=True)
            modules = [path for room in ROOMS for path in sorted(Path("include/belay", room).rglob("*.py"))]
            with use_db(SESSION) as session:
                init(modules, session, {})
                draw(session, args.size, args.seed)
        if not judge_all(args.workers):
            return 1
    with use_db(SESSION, WorkDB.Mode.open) as session:
        return int(report(session) < args.floor)


if __name__ == "__main__":
    sys.exit(main())
