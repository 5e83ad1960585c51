"""`belay ledger tail|verify|export|rebuild|upgrade`: the record itself."""

from __future__ import annotations

import json as jsonlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from belay.cli.exits import NO, BadInputError
from belay.cli.output import Json, print_json, progress_bar, say, table
from belay.cli.parts import opened

if TYPE_CHECKING:
    from belay.ledger.store import Ledger

app = typer.Typer(help="The append-only record: read it, verify it, take a copy.", no_args_is_help=True)

_ANCHOR = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})")


@app.command(epilog="Example: belay ledger tail -n 50")
def tail(
    *,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many of the newest entries.")] = 20,
    optimization: Annotated[str | None, typer.Option(help="Only entries about this one.")] = None,
    json: Json = False,
) -> None:
    """Show the newest entries."""
    from belay.ledger.narrate import narrate
    from belay.ledger.store import recorded

    entries = list(opened(ledger=True).ledger.entries(optimization=optimization, last=lines))
    if json:
        print_json([{**entry._asdict(), "body": jsonlib.loads(entry.body)} for entry in entries])
        return
    rows = [
        (entry.seq, entry.at[:19].replace("T", " "), entry.actor, entry.optimization, narrate(event.event))
        for entry in entries
        for event in [recorded(entry)]
    ]
    table("Ledger", ("entry", "at (UTC)", "by", "optimization", "what"), rows, empty="no entries")


@app.command(epilog="Example: belay ledger verify --since 120:9f2c…  (an anchor noted somewhere else)")
def verify(
    *,
    since: Annotated[
        str | None,
        typer.Option(metavar="SEQ:HASH", help="An entry's number and hash, noted earlier elsewhere."),
    ] = None,
    renew: Annotated[
        bool,
        typer.Option(
            "--renew", help="The ledger was put back on purpose: keep its head, not the one before."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Check every row: chain, evidence, whether it is legal, projections. Names the first that is wrong.

    The heads that the guard verified before, kept in Belay's home and in the flag file, must still be there.
    """
    from belay.guard.anchors import WrongAnchorError
    from belay.guard.anchors import keep as keep_anchor
    from belay.guard.anchors import read as read_anchors
    from belay.ledger.verify import verify as check

    anchor = _anchor(since)
    belay = opened(ledger=True)
    try:
        kept = {} if renew else read_anchors(belay)
    except WrongAnchorError as wrong:
        say(f"ledger: BROKEN: {wrong}")
        raise typer.Exit(NO) from wrong
    with progress_bar() as progress:
        progress.add_task("reading the ledger", total=None)
        result = check(belay.ledger, since=anchor, anchors=kept)
    if renew and result.ok:
        keep_anchor(belay, result, renew=True)
    if json:
        fault = str(result.fault) if result.fault else None
        print_json({"entries": result.entries, "head": result.head, "verified": result.ok, "fault": fault})
    else:
        say(str(result))
        if result.ok:
            say(f"anchor {result.entries}:{result.head}")
    if not result.ok:
        raise typer.Exit(NO)


@app.command(epilog="Example: belay ledger export --out ledger.jsonl")
def export(
    *,
    out: Annotated[
        Path | None, typer.Option(help="A file; it appears when it is whole. Default: print.")
    ] = None,
) -> None:
    """Write every entry, then every piece of evidence, as JSON Lines."""
    ledger = opened(ledger=True).ledger
    if out is None:
        for line in _lines(ledger):
            typer.echo(line)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    count = 0
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file, progress_bar() as progress:
            task = progress.add_task("exporting", total=None)
            for count, line in enumerate(_lines(ledger), 1):
                file.write(line + "\n")
                progress.update(task, description=f"exporting, {count:,} lines")
        Path(name).replace(out)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    say(f"{count} lines in {out}")


@app.command()
def rebuild() -> None:
    """Derive the tables of the present state anew from the entries."""
    ledger = opened(ledger=True).ledger
    with progress_bar() as progress:
        progress.add_task("folding the entries", total=None)
        state = ledger.rebuild()
    say(f"rebuilt from {state.seq} entries: {len(state.optimizations)} optimizations")


@app.command()
def upgrade() -> None:
    """Create or migrate the ledger's tables (a server's ledger; an embedded one does it by itself)."""
    from belay.ledger.migrations import upgrade as migrate
    from belay.ledger.schema import REVISION, open_engine

    migrate(open_engine(opened().settings.ledger_url))
    say(f"the ledger is at revision {REVISION}")


def _anchor(text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    match = _ANCHOR.fullmatch(text.strip())
    if match is None:
        raise BadInputError(f"--since {text!r} is no anchor: it is what verify prints, NUMBER:64 hex digits")
    return int(match[1]), match[2]


def _lines(ledger: Ledger) -> Iterator[str]:
    from belay.ledger.export import export as documents

    for document in documents(ledger):
        yield jsonlib.dumps(document, ensure_ascii=False, sort_keys=True)
