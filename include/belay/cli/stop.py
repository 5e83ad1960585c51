"""`belay stop`: the kill switch. Needs the flag system and nothing else; the rest follows."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from belay.cli.exits import UNAVAILABLE
from belay.cli.identity import As, identify, login
from belay.cli.output import Json, print_json, say
from belay.cli.parts import opened
from belay.cli.people import VIA, Reason

if TYPE_CHECKING:
    from belay.domain.roster import Person
    from belay.services import Services

Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET", help="all, a surface, a capability, or one optimization alone, by its name."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog="Example: belay stop all --reason 'wrong prices are shown'")(stop)


def stop(target: Target, *, reason: Reason, who: As = None, json: Json = False) -> None:
    """Kill switch: everything of a target to 0 %, frozen, its capabilities back to observe.

    One optimization alone is taken to 0 % without costing its capability a stage.

    The flags come first. When the ledger cannot be reached it is told later: the exit code is 3 then, and
    `belay status` shows what is missing.
    """
    from belay.oversight.stop import stop as pull

    belay = opened(forgiving=True)
    stopped = pull(belay, target, person=_person(belay, who), reason=reason, via=VIA)
    if json:
        print_json({**asdict(stopped.note), "complete": stopped.complete})
    else:
        say(stopped.sentence, style=None if stopped.complete else "bold red")
    if not stopped.complete:
        raise typer.Exit(UNAVAILABLE)


def _person(belay: Services, who: str | None) -> Person:
    """Return who pulls it. A roster that cannot be read stops nobody: the name is recorded as claimed."""
    from belay.domain.roster import Person
    from belay.domain.rules.actuation import OPS

    roster = belay.roster()
    if roster.people:
        return identify(roster, who)
    name = who or login()
    return Person(name, name, "", frozenset({OPS}))
