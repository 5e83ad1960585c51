"""`belay explain ID`: who answered for what, as the ledger has it."""

from __future__ import annotations

from typing import Annotated

import typer

from belay.cli.exits import BadInputError
from belay.cli.output import Json, print_json, say
from belay.cli.parts import opened

_EXAMPLE = "Example: belay explain 42"


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog=_EXAMPLE)(explain)


def explain(
    name: Annotated[
        str,
        typer.Argument(metavar="ID", help="An optimization, a request, a capability, or an entry's number."),
    ],
    *,
    json: Json = False,
) -> None:
    """Tell who answered for something: who proposed, ruled, measured, voted, served and owns it."""
    from belay.explain.explain import entry_number
    from belay.explain.explain import explain as explained

    belay = opened(ledger=True)
    names = {person.id: person.name for person in belay.roster().people}
    try:
        told = explained(belay.ledger.history(), entry_number(name) or name, names, belay.ledger.get_evidence)
    except LookupError as error:
        raise BadInputError(
            f"{error.args[0]}; `belay status` and `belay ledger tail` list what it knows"
        ) from None
    if json:
        print_json(told.to_document())
        return
    titles = {matter.title for matter in told.matters}
    for line in told.to_text().splitlines():
        say(line, style="bold" if line in titles else None)
