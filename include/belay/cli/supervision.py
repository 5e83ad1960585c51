"""`belay supervision|delegate|undelegate|delegations`: who answers, for whom, and whether they keep up."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from belay.cli.exits import BadInputError
from belay.cli.identity import As, identify
from belay.cli.output import Json, print_json, say, table, when
from belay.cli.parts import opened
from belay.cli.people import VIA, Reason

if TYPE_CHECKING:
    from belay.oversight.supervision import Load


class By(StrEnum):
    """Whose figures."""

    ROLE = "role"
    PERSON = "person"


Receiver = Annotated[str, typer.Argument(metavar="PERSON", help="Who answers meanwhile, by id.")]
Until = Annotated[
    str, typer.Option("--until", "-u", help="friday, tomorrow, 2026-12-01, 18:00, 3d, 12h (BELAY_ZONE).")
]
Name = Annotated[str, typer.Argument(metavar="DELEGATION", help="Its id, from `belay delegations`.")]
Grouped = Annotated[By, typer.Option("--by", help="Figures by role, or by person.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command(epilog="Example: belay supervision --by person")(supervision)
    app.command(epilog="Example: belay delegate priya --until friday --reason 'on leave'")(delegate)
    app.command(epilog="Example: belay undelegate 3f2a9c1e --reason 'back early'")(undelegate)
    app.command(epilog="Example: belay delegations --json")(delegations)


def supervision(*, by: Grouped = By.ROLE, json: Json = False) -> None:
    """Show what people are asked, how fast they answer, and whether they looked.

    Hasty is as the policies say; where they differ, as the strictest does.
    """
    from belay.domain.capability import SupervisionRule
    from belay.oversight.supervision import by_person, by_role

    belay = opened(ledger=True)
    count = by_role if by is By.ROLE else by_person
    rules = (policy.supervision for policy in belay.policies().capabilities.values())
    strictest = max(rules, key=lambda rule: rule.hasty_seconds, default=SupervisionRule())
    loads = count(belay.ledger.state(), belay.roster(), strictest, belay.now())
    if json:
        print_json(loads)
        return
    columns = (by.value, "people", "waiting", "answers", "median", "9 of 10 within", "hasty", "reversed")
    table("Supervision", columns, map(_row, loads), empty="nobody was asked for an approval in 30 days")


def delegate(receiver: Receiver, *, until: Until, reason: Reason, who: As = None, json: Json = False) -> None:
    """Let somebody answer for you, in your roles, for a while."""
    from belay.oversight import people

    belay = opened(ledger=True)
    person = identify(belay.roster(), who)
    try:
        given = people.delegate(belay, person=person, to=receiver, until_text=until, reason=reason, via=VIA)
    except ValueError as error:
        raise BadInputError(str(error)) from error
    if json:
        print_json(given)
        return
    say(f"{given.to} answers for {given.giver} as {' and '.join(given.roles)} until {when(given.until)} UTC")


def undelegate(name: Name, *, reason: Reason, who: As = None) -> None:
    """End a delegation that you gave or received."""
    from belay.oversight.people import end_delegation

    belay = opened(ledger=True)
    end_delegation(belay, name, person=identify(belay.roster(), who), reason=reason)
    say(f"delegation {name} has ended")


def delegations(*, json: Json = False) -> None:
    """List who answers for whom now."""
    belay = opened(ledger=True)
    now = belay.now()
    given = [d for d in belay.ledger.state().delegations.values() if d.since <= now < d.until]
    if json:
        print_json(given)
        return
    rows = [(d.id, d.giver, d.to, ", ".join(d.roles), when(d.until), d.reason) for d in given]
    columns = ("delegation", "for", "answers", "as", "until (UTC)", "why")
    table("Delegations", columns, rows, empty="everybody answers for themselves")


def _row(load: Load) -> tuple[str, ...]:
    return (
        load.who,
        str(load.people),
        str(load.pending),
        str(load.answers),
        _span(load.median_seconds),
        _span(load.p90_seconds),
        str(load.hasty),
        str(load.reversed),
    )


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
