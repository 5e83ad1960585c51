"""The house, as it is built: which room imports which, and where the code breaks a rule of the house.

    python tools/house.py            the imports between rooms, then what is wrong; exit code 1 if anything is
    python tools/house.py --quiet    only what is wrong

A room is a folder (or a single file) at the top of a package under include/. import-linter holds the floors
and which room may import what (pyproject.toml); here is what it cannot see. What is let through stands in
tools/house.toml, each with its reason.
"""

from __future__ import annotations

import argparse
import ast
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp

MOST_LINES = 400
MOST_PARAMETERS = 6
MOST_POSITIONAL = 3
MOST_CIRCLES = 20  # told at once; one circle often hides others
WHERE_CODE_IS = ("include", "dags", "plugins", "benchmarks", "tools")

Imports = dict[str, set[str]]
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, order=True)
class Offence:
    """One place that breaks one rule. `place` is what an exception names; `text` is for people."""

    rule: str
    place: str
    text: str


def main(arguments: list[str] | None = None) -> int:
    """Print the house of a tree; 1 when a rule is broken that tools/house.toml does not except."""
    parser = argparse.ArgumentParser(
        description="Print the imports between rooms, and what breaks a rule of the house."
    )
    parser.add_argument(
        "--root", type=Path, default=Path(__file__).resolve().parents[1], help="the tree to read"
    )
    parser.add_argument("--quiet", action="store_true", help="print only what is wrong")
    options = parser.parse_args(arguments)
    root: Path = options.root.resolve()
    trees = {path.relative_to(root).as_posix(): ast.parse(path.read_bytes()) for path in _files(root)}
    lines = {name: len((root / name).read_text(encoding="utf-8").splitlines()) for name in trees}
    modules, rooms = _imports(root)
    if not options.quiet:
        _print_rooms(lines, rooms)
        _print_positional(trees)
    offences = sorted([
        *_circles(modules, "modules"), *_circles({a: set(to) for a, to in rooms.items()}, "rooms"),
        *_long_files(lines), *_functions(trees), *_private_names(trees),
    ])  # fmt: skip
    return _verdict(offences, _exceptions(root), quiet=options.quiet)


def _verdict(offences: list[Offence], excepted: Mapping[tuple[str, str], str], *, quiet: bool) -> int:
    wrong = [offence for offence in offences if (offence.rule, offence.place) not in excepted]
    for offence in wrong:
        print(f"{offence.rule}: {offence.text}")
    unused = sorted(set(excepted) - {(offence.rule, offence.place) for offence in offences})
    for rule, place in unused:
        print(f"an exception that nothing needs any more, take it out of tools/house.toml: {rule}, {place}")
    if not quiet or wrong:
        print(f"house: {len(wrong)} wrong, {len(offences) - len(wrong)} excepted")
    return 1 if wrong else 0


def _files(root: Path) -> Iterator[Path]:
    for folder in WHERE_CODE_IS:
        yield from sorted((root / folder).rglob("*.py"))


def _exceptions(root: Path) -> dict[tuple[str, str], str]:
    """Rule and place to reason. Ends the program at one without a reason."""
    path = root / "tools" / "house.toml"
    if not path.exists():
        return {}
    excepted: dict[tuple[str, str], str] = {}
    for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("exception", []):
        if not str(entry.get("why", "")).strip():
            sys.exit(f"tools/house.toml: the exception of {entry.get('where')} has no reason (why)")
        excepted[entry["rule"], entry["where"]] = entry["why"]
    return excepted


# --- imports ----------------------------------------------------------------------------------------


def _imports(root: Path) -> tuple[Imports, dict[str, Counter[str]]]:
    """What each module imports, also in a function; and how often each room imports each other one."""
    sys.path.insert(0, str(root / "include"))
    packages = sorted(init.parent.name for init in (root / "include").glob("*/__init__.py"))
    graph = grimp.build_graph(*packages, cache_dir=None)
    modules = {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}
    rooms: dict[str, Counter[str]] = defaultdict(Counter)
    for module, imported in modules.items():
        for other in imported:
            if _room(module) != _room(other):
                rooms[_room(module)][_room(other)] += 1
    return modules, rooms


def _room(module: str) -> str:
    """Return `gates` for `belay.gates.admit`; a package beside belay is one room."""
    package, _, rest = module.partition(".")
    return package if package != "belay" or not rest else rest.split(".")[0]


def _circles(imports: Imports, kind: str) -> Iterator[Offence]:
    """Circles among imports, one by one: each found is cut open, so that the next one shows."""
    left = {name: sorted(imports[name]) for name in sorted(imports)}
    for _ in range(MOST_CIRCLES):
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            circle: list[str] = error.args[1][::-1]  # the sorter names what is imported first
            yield Offence("circle", min(circle), f"a circle of {kind}: {' imports '.join(circle)}")
            left[circle[0]].remove(circle[1])
        else:
            return


def _private_names(trees: Mapping[str, ast.Module]) -> Iterator[Offence]:
    for name, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if alias.name.startswith("_") and not alias.name.startswith("__"):
                        place = f"{name}:{alias.name}"
                        yield Offence(
                            "private", place, f"{name}:{node.lineno} takes {alias.name} from {node.module}"
                        )


# --- files and functions ----------------------------------------------------------------------------


def _long_files(lines: Mapping[str, int]) -> Iterator[Offence]:
    for name, count in lines.items():
        if count > MOST_LINES:
            yield Offence("lines", name, f"{name} has {count} lines; at most {MOST_LINES}")


def _functions(trees: Mapping[str, ast.Module]) -> Iterator[Offence]:
    for name, tree in trees.items():
        for qualified, function in _functions_of(tree):
            place, at = f"{name}:{qualified}", f"{name}:{function.lineno}"
            if len(function.name) == 1:
                yield Offence("name", place, f"{at} a function is called {function.name}: say what it does")
            positional, keyword_only = _parameters(function)
            if (count := len(positional) + len(keyword_only)) > MOST_PARAMETERS:
                text = f"{at} {qualified} has {count} parameters; at most {MOST_PARAMETERS}"
                yield Offence("parameters", place, text)


def _functions_of(tree: ast.AST, inside: str = "") -> Iterator[tuple[str, Function]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function):
            yield f"{inside}{node.name}", node
        deeper = f"{inside}{node.name}." if isinstance(node, Function | ast.ClassDef) else inside
        yield from _functions_of(node, deeper)


def _parameters(function: Function) -> tuple[list[str], list[str]]:
    """Names that may be given by place (without self and cls), and by keyword only."""
    arguments = function.args
    by_place = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    if by_place and by_place[0] in {"self", "cls"}:
        by_place = by_place[1:]
    return by_place, [argument.arg for argument in arguments.kwonlyargs]


# --- what is printed --------------------------------------------------------------------------------


def _print_rooms(lines: Mapping[str, int], rooms: Mapping[str, Counter[str]]) -> None:
    files: Counter[str] = Counter()
    size: Counter[str] = Counter()
    for name, count in lines.items():
        if name.startswith("include/"):
            room = _room(name.removeprefix("include/").removesuffix(".py").replace("/", "."))
            files[room] += 1
            size[room] += count
    print(f"{'room':<15}{'files':>6}{'lines':>7}  imports (how often)")
    for room in sorted(size, key=lambda room: (len(rooms.get(room, ())), room)):
        imported = ", ".join(f"{other} {count}" for other, count in rooms.get(room, Counter()).most_common())
        print(f"{room:<15}{files[room]:>6}{size[room]:>7}  {imported or 'nothing of ours'}")
    print(f"{'all':<15}{files.total():>6}{size.total():>7}\n")


def _print_positional(trees: Mapping[str, ast.Module]) -> None:
    many = [
        f"{name}:{function.lineno} {qualified} ({len(positional)})"
        for name, tree in trees.items()
        for qualified, function in _functions_of(tree)
        if len(positional := _parameters(function)[0]) > MOST_POSITIONAL
    ]
    print(f"{len(many)} functions take more than {MOST_POSITIONAL} arguments by place:")
    for line in many:
        print(f"  {line}")
    print()


if __name__ == "__main__":
    sys.exit(main())
