"""Who is at the command line: a person of the roster, by --as, BELAY_USER or the name at the computer."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING, Annotated

import typer

from belay.cli.exits import BadInputError

if TYPE_CHECKING:
    from belay.domain.roster import Person, Roster

As = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="PERSON",
        envvar="BELAY_USER",
        help="Who you are in the roster (id, Airflow user name or e-mail). Default: your user name here.",
    ),
]
"""The option that says who somebody is. It is believed: see docs/cli.md about identity."""


def identify(roster: Roster, claimed: str | None) -> Person:
    """Return the active person of the roster who acts.

    Raises
    ------
    BadInputError
        When nobody, or somebody who left, is called that.
    """
    from belay.domain.roster import AirflowUser

    name = (claimed or login()).strip()
    found = roster.person(name) or roster.by_airflow_user(AirflowUser(name)) or _by_email(roster, name)
    source = "--as or BELAY_USER" if claimed else "your user name at this computer"
    if found is None:
        active = ", ".join(person.id for person in roster.people if person.active) or "nobody"
        raise BadInputError(
            f"{name!r} ({source}) is nobody in the roster: "
            f"say who you are with --as PERSON; there is {active}"
        )
    if not found.active:
        raise BadInputError(f"{found.id} ({found.name}) is not active in the roster _people.yaml")
    return found


def _by_email(roster: Roster, email: str) -> Person | None:
    wanted = email.casefold()
    return next((person for person in roster.people if person.email.casefold() == wanted), None)


def login() -> str:
    """Return the user name at this computer."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without an entry in passwd
        return str(os.getuid())
