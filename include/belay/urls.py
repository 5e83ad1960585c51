"""Database URLs as people write them: short names of Postgres, and files whose folder holds a ``?``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_POSTGRES = ("postgresql", "postgres")
_ESCAPED = re.compile(r"%((?:25)*)3F")
"""A ``?``, which would end the path in a URL, or what stands in a path and looks like one that is escaped."""


def _escaped(path: str) -> str:
    return _ESCAPED.sub(lambda found: f"%25{found[1]}3F", path).replace("?", "%3F")


def file_url(kind: str, path: Path) -> str:
    """Return the URL of a database file of ``kind`` (``sqlite``, ``duckdb``)."""
    return f"{kind}:///{_escaped(str(path))}"


def parse(text: str) -> URL:
    """Return the URL that ``text`` means: Postgres with the driver that is installed, files by their path.

    Raises
    ------
    ValueError
        When it is no database URL.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    try:
        url = make_url(text)
        if url.drivername in _POSTGRES:
            url = url.set(drivername="postgresql+psycopg")
        url.get_dialect()
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise ValueError(f"this is no database URL ({error})") from error
    if url.host is None and url.database:
        url = url.set(
            database=_ESCAPED.sub(lambda found: f"%{found[1][2:]}3F" if found[1] else "?", url.database)
        )
    return url


def written(url: URL) -> str:
    """Return ``url`` with its password, as ``parse`` reads it again."""
    if url.host is None and url.database:
        url = url.set(database=_escaped(url.database))
    return url.render_as_string(hide_password=False)
