"""What can be wrong with a warehouse, in sentences."""

from __future__ import annotations


class WarehouseUnavailableError(RuntimeError):
    """The warehouse could not be opened or read; the message says where and what to do."""


class UnusableColumnError(WarehouseUnavailableError):
    """A column cannot be read for what it should hold; the message says which, and what is right."""


def first_line(error: BaseException) -> str:
    """Return the first line of what a driver says, for a sentence."""
    text = str(getattr(error, "orig", None) or error).strip()
    return text.splitlines()[0] if text else type(error).__name__
