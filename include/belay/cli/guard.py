"""`belay guard`: the watch without Airflow, for cron or a systemd timer: a dead man's switch."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Annotated

import typer

from belay.cli.exits import NO, UNAVAILABLE
from belay.cli.output import Json, print_json, say, warn
from belay.cli.parts import opened

if TYPE_CHECKING:
    from belay.guard.report import Cycle
    from belay.services import Services

Once = Annotated[bool, typer.Option("--once", help="One look, for cron or a systemd timer; else it goes on.")]
Force = Annotated[bool, typer.Option("--force", help="Look even though another guard has just looked.")]

_PATIENCE = 2
"""Intervals after which another guard's last look is too old to rely on."""


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog="Example: belay guard --once; exit code 1 when something is blind or was taken down")(
        guard
    )


def guard(*, once: Once = False, force: Force = False, json: Json = False) -> None:
    """Watch everything live when Airflow does not: narrow what harms, say what cannot be seen.

    Stands by while another guard looks on time. Two at once do no harm.
    """
    belay = opened(ledger=True)
    while True:
        code = _look(belay, force=force, json=json, goes_on=not once)
        if once:
            raise typer.Exit(code)
        time.sleep(belay.settings.guard_every.total_seconds())


def _look(belay: Services, *, force: bool, json: bool, goes_on: bool) -> int:
    from belay.guard.cycle import guard as look
    from belay.ledger.store import LedgerError

    me = f"cli@{socket.gethostname()}"
    try:
        if not force and (other := _other(belay, me)):
            if json:
                print_json({"stands_by": True, "because": other})
            else:
                say(f"stands by: {other}")
            return 0
        cycle = look(belay, me)
    except LedgerError as away:
        if not goes_on:
            raise
        warn(f"belay: {away}; `belay stop` takes things down without the ledger")
        return UNAVAILABLE
    if json:
        print_json(cycle.to_document())
    else:
        _show(cycle)
    if cycle.problems:
        return UNAVAILABLE
    return NO if cycle.blind or cycle.rolled_back or cycle.shrunk or cycle.froze else 0


def _other(belay: Services, me: str) -> str:
    """Return which other guard has looked lately, in words; empty when none has."""
    from belay.actuation.guard_presence import is_recent
    from belay.ledger.watch import Watch

    for beat in Watch(belay.ledger.engine).beats():
        if beat.guard != me and is_recent(belay, beat, _PATIENCE):
            age = (belay.now() - beat.at).total_seconds()
            return f"{beat.guard} looked {age:.0f} seconds ago"
    return ""


def _show(cycle: Cycle) -> None:
    for verb, names in (
        ("rolled back for harm", cycle.rolled_back),
        ("shrunk to what was shown harmless", cycle.shrunk),
        ("cannot be seen any more", cycle.blind),
        ("is seen again", cycle.sighted),
        ("has lost a stage", cycle.demoted),
        ("shown harmless", cycle.harmless),
        ("hold-back turned", cycle.turned),
        ("held: interacts with an earlier change", cycle.interacting),
        ("without anybody to compare with", cycle.uncomparable),
    ):
        if names:
            say(f"{verb}: {', '.join(names)}")
    if cycle.froze:
        say(f"everything is frozen: {cycle.froze}", style="bold red")
    for problem in cycle.problems:
        warn(problem)
    say(f"{cycle.live} live, {cycle.read} read anew in {cycle.statements} statements, {cycle.seconds:.1f} s.")
