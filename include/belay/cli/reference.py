"""The generated tables of docs/cli.md: `python -m belay.cli.reference` writes them, a test compares."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from belay.environment import VARIABLES, Group

PAGE = Path(__file__).resolve().parents[3] / "docs" / "cli.md"


def commands() -> str:
    """Return the table of every command there is: how it is called, and what it does."""
    import typer

    from belay.cli.app import app

    rows = [
        f"| `belay {usage}` | {meaning} |" for usage, meaning in _commands(typer.main.get_command(app), "")
    ]
    return "\n".join(["| command | what it does |", "| --- | --- |", *rows])


def _commands(command: Any, path: str) -> Iterator[tuple[str, str]]:
    for name, one in command.commands.items():
        here = f"{path} {name}".strip()
        if getattr(one, "commands", None):
            yield from _commands(one, here)
            continue
        arguments = [p for p in one.params if p.param_type_name == "argument"]
        needed = [p for p in one.params if p.param_type_name == "option" and p.required]
        words = [here, *(_argument(p) for p in arguments), *(f"{p.opts[0]} …" for p in needed)]
        yield " ".join(words), _first_paragraph(one.help or "")


def _argument(parameter: Any) -> str:
    name = str(parameter.metavar or parameter.name).strip("[]{}").upper()
    return name if parameter.required else f"[{name}]"


def _first_paragraph(text: str) -> str:
    return " ".join(re.split(r"\n\s*\n", text.strip())[0].split()).replace("|", "\\|")


def _settings(group: Group) -> str:
    rows = [f"| `{v.name}` | {v.default} | {v.meaning} |" for v in VARIABLES.values() if v.group == group]
    return "\n".join(["| variable | default | what it is |", "| --- | --- | --- |", *rows])


def parts() -> dict[str, str]:
    """Return every generated part of docs/cli.md by its name."""
    settings = {f"settings: {group}": _settings(group) for group in get_args(Group)}
    return {"commands": commands(), **settings}


def written(page: str) -> str:
    """Return ``page`` with every generated part as it is now."""
    for name, text in parts().items():
        begin, end = f"<!-- generated: {name} -->", f"<!-- end: {name} -->"
        before, _, rest = page.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"{PAGE.name} has no part {name!r}")
        page = f"{before}{begin}\n{text}\n{end}{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
