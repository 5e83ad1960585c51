"""Files that anything may stand in for: read with a limit, and never waited for."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import NamedTuple


class Version(NamedTuple):
    """Which content a path shows: another one has another device, inode, size or time of change."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int


def read_regular(path: Path, most: int) -> bytes:
    """Return the content of the regular file at ``path``, following links.

    Raises
    ------
    OSError
        When it cannot be opened, is no regular file (a FIFO or a device would be waited for, perhaps for
        ever), or holds more than ``most`` bytes, whatever it says its size is.
    """
    return read_version(path, most)[0]


def read_version(path: Path, most: int) -> tuple[bytes, Version]:
    """Return what ``read_regular`` returns, and which version of the file that was."""
    _require_regular(path, path.stat())  # before it is opened: opening a device may do something
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        _require_regular(path, found)
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it holds more than {most:,} bytes", str(path))
    return content, _version(found)


def version_of(path: Path) -> Version | None:
    """Return which version of the file ``path`` shows; None where there is none."""
    try:
        return _version(path.stat())
    except FileNotFoundError:
        return None


def _require_regular(path: Path, found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))


def _version(found: os.stat_result) -> Version:
    return Version(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
