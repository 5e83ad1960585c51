"""The one adaptation that Great Expectations needs on DuckDB.

Great Expectations closes the connection of a query before it fetches the result, except for dialects
that it lists as needing one persisted connection. Results of duckdb-engine do not outlive their
connection, so without this every metric ends in an IndexError. With DuckDB on the list nothing else is
needed. A test fails when a newer Great Expectations works without it.
"""

from __future__ import annotations

from types import ModuleType


class _Dialect(str):
    """A name that Great Expectations can use like a member of its own enumeration of dialects."""

    __slots__ = ()

    @property
    def value(self) -> str:
        """The dialect's name."""
        return str(self)


def adapt() -> None:
    """Let Great Expectations keep DuckDB's connection open; safe to call again."""
    engine = _engine()
    listed = engine._PERSISTED_CONNECTION_DIALECTS  # noqa: SLF001 - there is no public way; see above
    if "duckdb" not in listed:
        engine._PERSISTED_CONNECTION_DIALECTS = (*listed, _Dialect("duckdb"))  # type: ignore[attr-defined]  # noqa: SLF001


def undo() -> None:
    """Take the adaptation back (for the test that asks whether it is still needed)."""
    engine = _engine()
    kept = [name for name in engine._PERSISTED_CONNECTION_DIALECTS if not isinstance(name, _Dialect)]  # noqa: SLF001
    engine._PERSISTED_CONNECTION_DIALECTS = tuple(kept)  # type: ignore[attr-defined]  # noqa: SLF001


def _engine() -> ModuleType:
    from great_expectations.execution_engine import sqlalchemy_execution_engine

    module: ModuleType = sqlalchemy_execution_engine
    return module
