"""What people read and what programs read: tables and sentences, or JSON; progress on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from unicodedata import category

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
"""The option that every listing has."""

_PIPED_WIDTH = 160


def console(*, stderr: bool = False) -> Console:
    """Return a console; what goes into a pipe is wide and plain."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(
        stderr=stderr, width=None if stream.isatty() else _PIPED_WIDTH, highlight=False, markup=False
    )


def plain(text: object) -> str:
    """Return text that others wrote without control characters: it cannot move the cursor or recolour."""
    return "".join(_harmless(c) for c in str(text))


def _harmless(character: str) -> str:
    if character.isprintable() or character == "\n":
        return character
    return " " if category(character) == "Zs" or character == "\t" else "\N{REPLACEMENT CHARACTER}"


def say(text: object = "", *, style: str | None = None) -> None:
    """Print a line for people."""
    console().print(plain(text), style=style, soft_wrap=True)


def warn(text: object) -> None:
    """Print a line on standard error."""
    typer.echo(plain(text), err=True)


def print_json(document: Any) -> None:
    """Print a document as JSON."""
    typer.echo(json.dumps(document, default=_plain_json, indent=2, ensure_ascii=False))


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "") -> None:
    """Print rows as a table, or the sentence ``empty`` when there are none."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    lines = [[Text(plain(cell)) for cell in row] for row in rows]
    if not lines:
        say(f"{title}: {empty or 'none'}")
        return
    made = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for column in columns:
        made.add_column(column, overflow="fold")
    for line in lines:
        made.add_row(*line)
    console().print(made)


def when(moment: datetime | None) -> str:
    """Return a time as people read it, in UTC; the dash where there is none."""
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "–"


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Show progress on a terminal's standard error; into a pipe nothing is written."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    shown = console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal) as progress:
        yield progress


def _plain_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return str(value)
