"""Who is at the command line: a person of the roster, by --as, BELAY_USER or the name at the computer."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING, Annotated

import typer

from belay.cli.exits import BadInputError

if TYPE_CHECKING:
    from belay.domain.actors import Actor
    from belay.domain.roster import Person, Roster
    from belay.services import Services

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


def identify_proposer(belay: Services, claimed: str | None, *, in_person: bool = False) -> Actor:
    """Return who proposes at the command line: a person of the roster, or the agent whose account it is.

    Where an Airflow user is logged in here who is one of them, it is that one, and ``claimed`` has to agree.
    Where the user name at this computer is a person's, nobody proposes here as an agent.

    Raises
    ------
    BadInputError
        When the account is nobody's, or another than the one that is known here.
    """
    from belay.cli.airflow import credentials
    from belay.domain.actors import ActorKind
    from belay.domain.roster import AirflowUser

    roster, session = belay.roster(), credentials()
    known = None
    if session is not None and belay.settings.airflow_url:
        known = roster.by_account(AirflowUser(session.user))
    name = (claimed or login()).strip()
    by = roster.by_account(AirflowUser(name))
    if known is not None and claimed is None:
        by = known
    elif by is None or by.kind is ActorKind.HUMAN:
        by = _person(roster, claimed)
    if known is not None and by != known:
        raise BadInputError(f"--as {name} is not {known}, who is logged in to Airflow here")
    own = roster.by_account(AirflowUser(login()))
    if by.kind is ActorKind.AGENT and session is None and own is not None and own.kind is ActorKind.HUMAN:
        raise BadInputError(f"your user name here is that of {own.id}: you propose as yourself, not as {by}")
    if in_person and by.kind is not ActorKind.HUMAN:
        raise BadInputError(f"--in-person: {name} is the account of {by}")
    return by


def _person(roster: Roster, claimed: str | None) -> Actor:
    from belay.domain.actors import human

    try:
        return human(identify(roster, claimed).id)
    except BadInputError as error:
        told = f"{error}; agents propose under their accounts: {roster.accounts_in_words()}"
        raise BadInputError(told) from None


def _by_email(roster: Roster, email: str) -> Person | None:
    wanted = email.casefold()
    return next((person for person in roster.people if person.email.casefold() == wanted), None)


def login() -> str:
    """Return the user name at this computer."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without an entry in passwd
        return str(os.getuid())
