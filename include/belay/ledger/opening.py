"""From a URL to an engine whose tables are there and of this Belay's revision."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from belay.ledger.errors import LedgerError, explained
from belay.ledger.schema import REVISION, open_engine
from belay.urls import parse


def opened(url: str, *, patience: float, create: bool) -> sa.Engine:
    """Return the engine of the ledger at ``url``; an older one is migrated (`Ledger.open`)."""
    try:
        if not create and not has_begun(url):
            raise LedgerError(f"there is no ledger at {url}: set BELAY_HOME or BELAY_LEDGER_URL")
        engine = open_engine(url, patience=patience)
    except (sa.exc.ArgumentError, ImportError, ValueError) as error:
        raise LedgerError(f"{url!r} is no URL of a ledger: sqlite:///… or postgresql://… ({error})") from None
    except OSError as error:
        raise LedgerError(f"the ledger's folder cannot be made: {error}") from error
    with explained(engine):
        found = revision(engine)
        older = found is None or found < REVISION
        if older and engine.dialect.name == "sqlite":
            _migrate(engine)
        elif found is None:
            raise LedgerError("the ledger's tables are missing: run `belay ledger upgrade`")
        elif found != REVISION:
            raise LedgerError(
                f"the ledger is at revision {found}, and this Belay needs {REVISION}: "
                "run `belay ledger upgrade`, or the newer Belay that wrote it"
            )
    return engine


def _migrate(engine: sa.Engine) -> None:
    from belay.ledger.faults import fault_of
    from belay.ledger.migrations import upgrade

    try:
        upgrade(engine)
    except (KeyError, TypeError, ValueError) as error:
        why = fault_of(engine) or error
        raise LedgerError(f"this ledger of an older Belay cannot be migrated: {why}") from error


def has_begun(url: str) -> bool:
    """Return whether there is a ledger at ``url``, as far as a file can tell; a server is believed.

    Raises
    ------
    ValueError
        When ``url`` is no database URL.
    """
    parsed = parse(url)
    embedded = parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:")
    return not embedded or Path(str(parsed.database)).is_file()


def revision(engine: sa.Engine) -> str | None:
    """Return the migration that the ledger's tables are at, or None where there are none."""
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("ledger_version"):
            return None
        found: str | None = connection.scalar(sa.text("SELECT version_num FROM ledger_version"))
        return found
