"""Which flag system a setting names: the one place that knows them all."""

from __future__ import annotations

import importlib
from pathlib import Path

from belay.flags.dry_run import DryRun
from belay.flags.flagd import FlagdFile
from belay.flags.target import FlagTarget


def open_target(setting: str) -> FlagTarget:
    """Return the flag system that ``setting`` names: ``flagd:PATH``, ``dry-run`` or one of your own.

    ``python:MODULE:FUNCTION:ARGUMENT`` calls a function that returns a ``FlagTarget``.

    Raises
    ------
    ValueError
        When it names none.
    """
    kind, _, where = setting.partition(":")
    if kind == "flagd" and where:
        return FlagdFile(Path(where))
    if kind == "dry-run":
        return DryRun()
    if kind == "python" and where:
        return _own(setting, *where.split(":", 2))
    raise ValueError(f"BELAY_FLAGS={setting!r} names no flag system; use flagd:PATH or dry-run")


def _own(setting: str, module: str, function: str = "", argument: str = "") -> FlagTarget:
    try:
        made: FlagTarget = getattr(importlib.import_module(module), function)(argument)
    except (ImportError, AttributeError, TypeError) as error:
        raise ValueError(
            f"BELAY_FLAGS={setting!r}: {error}; it has to be python:MODULE:FUNCTION:ARGUMENT, importable "
            "wherever Belay runs"
        ) from error
    return made
