"""Data time: the clock that the warehouse's events go by.

In production it is the wall clock. A simulated or recorded world writes a file beside its lake that says
how far its data go, so that nothing seems stale because a simulation is slow, or fresh because it is fast.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from belay.files import read_regular

CLOCK_FILE = "clock.json"


def data_now(home: Path) -> datetime:
    """Return data time, UTC, aware.

    Raises
    ------
    ValueError
        When the clock file is there and does not hold a time.
    """
    path = home / CLOCK_FILE
    try:
        text = read_regular(path, 1000)
    except FileNotFoundError:
        return datetime.now(UTC)
    except OSError as error:
        raise ValueError(f"data time cannot be read ({error}): delete {path}, or mend it") from error
    try:
        return datetime.fromisoformat(json.loads(text)["data_now"]).astimezone(UTC)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} does not hold a data time: delete it to go by the wall clock") from error


def set_data_now(home: Path, now: datetime) -> None:
    """Write data time for every other process, atomically."""
    write_atomically(home / CLOCK_FILE, json.dumps({"data_now": now.astimezone(UTC).isoformat()}))


def write_atomically(path: Path, text: str, *, before: Callable[[], None] | None = None) -> None:
    """Replace a file's content so that a reader sees the old or the new one, never a part.

    ``before`` is called when the new content lies beside the old one: it says no by raising an error.

    Raises
    ------
    OSError
        When the folder cannot be written or the disk is full; the old file is intact then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        if before is not None:
            before()
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    # The new name outlives a power failure only when the folder is on the disk too.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
