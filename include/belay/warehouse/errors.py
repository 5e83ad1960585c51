"""What can be wrong with a warehouse, in sentences."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError


class WarehouseUnavailableError(RuntimeError):
    """The warehouse could not be opened or read; the message says where and what to do."""


class UnusableColumnError(WarehouseUnavailableError):
    """A column cannot be read for what it should hold; the message says which, and what is right."""


UNREADABLE = (DBAPIError, WarehouseUnavailableError)
"""What a statement raises when the warehouse does not give what was asked, whatever the reason."""

_CANCELLED = "57014"
"""What Postgres says when a statement took longer than ``statement_timeout``, or somebody ended it."""


def first_line(error: BaseException) -> str:
    """Return the first line of what a driver says, for a sentence; after a timeout, also what to do."""
    original = getattr(error, "orig", None) or error
    text = str(original).strip()
    said = text.splitlines()[0] if text else type(error).__name__
    if getattr(original, "sqlstate", None) == _CANCELLED and "timeout" in said:
        said += (
            ": run ANALYZE on exposures, outcomes and units, index or partition them by event_time, or give "
            "Belay's role a longer statement_timeout (ALTER ROLE ... SET statement_timeout = '30min')"
        )
    return said
