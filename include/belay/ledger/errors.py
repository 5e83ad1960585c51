"""A database's errors as sentences: what failed, where, and what to do."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError


class LedgerError(Exception):
    """The ledger cannot be read or written; the message says which, where and what to do."""


@contextmanager
def explained(engine: sa.Engine) -> Iterator[None]:
    """Turn a database's error into a sentence that says what, where and what to do."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        where = engine.url.render_as_string(hide_password=True)
        reason = str(error.orig if isinstance(error, DBAPIError) else error).strip()
        raise LedgerError(f"the ledger at {where} failed ({reason}): {_advice(reason)}") from error
    except UnicodeEncodeError as error:
        raise LedgerError(f"the ledger keeps Unicode text, and this is not: {error}") from error


def _advice(reason: str) -> str:
    if "readonly" in reason or "read-only" in reason:
        return "it is read-only: give the user that runs Belay the right to write it"
    if "disk is full" in reason or "No space left" in reason:
        return "its disk is full: free some room"
    if "locked" in reason or "lock timeout" in reason:
        return "another process holds it locked: end that one, or try again"
    if "no such table" in reason or re.search(r'relation ".*" does not exist', reason):
        return "its tables are missing: run `belay ledger upgrade`"
    if "not a database" in reason or "malformed" in reason:
        return "the file is damaged: put back a copy, and check it with `belay ledger verify`"
    if "unable to open" in reason:
        return "check that its folder is there and may be written"
    return "check that it is there, and run `belay doctor`"
