"""Opening Belay's parts from the command line: reading never creates what is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from belay.cli.exits import UnavailableError
from belay.cli.output import warn
from belay.environment import problems
from belay.urls import parse

if TYPE_CHECKING:
    from belay.services import Services


def opened(*, ledger: bool = False, forgiving: bool = False) -> Services:
    """Return Belay's parts, as the environment names them.

    Parameters
    ----------
    ledger
        Whether the ledger must be there already. Opening one that is not would make an empty one, and
        an empty ledger verifies.
    forgiving
        Whether a setting that cannot be used gives way to its default, with a warning: for what stops
        something, and for what says what is wrong.

    Raises
    ------
    BadSettingError
        When a setting cannot be used.
    UnavailableError
        When the ledger must be there and is not.
    """
    from belay.services import Services
    from belay.settings import Settings

    if forgiving:
        for problem in problems():
            warn(f"warning: {problem}")
    belay = Services(Settings.forgiving() if forgiving else Settings.from_env())
    if ledger:
        must_exist(belay.settings.ledger_url)
    return belay


def is_there(url: str) -> bool:
    """Return whether the ledger at ``url`` has been begun, as far as a file can tell."""
    from belay.ledger.opening import has_begun

    try:
        return has_begun(url)
    except ValueError as error:
        raise UnavailableError(
            f"BELAY_LEDGER_URL is not a database URL: {error}; for example sqlite:////srv/belay/ledger.db"
        ) from error


def must_exist(url: str) -> None:
    """Raise ``UnavailableError`` unless the ledger at ``url`` has been begun."""
    if not is_there(url):
        raise UnavailableError(
            f"there is no ledger at {parse(url).database}: set BELAY_HOME or BELAY_LEDGER_URL, "
            "or begin one with `belay propose` or `belay demo`"
        )
