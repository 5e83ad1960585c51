"""One file that many processes write in turns and many read: no reader sees half of it, no writer is lost.

Writers take turns by a lock beside the file. Whoever takes something down does not wait for a writer that
is frozen with the lock in its hands: it writes without the lock, and what the frozen one has prepared is
void. Two things make that so. A writer puts its text into a temporary file *first*, *then* makes sure that
the file is still the version it read, and then renames; and whoever writes without the lock removes all
other temporary files after its own rename. A frozen writer that made its file before that finds it gone,
and one that makes it later finds another version: either way it reads again, and its epoch comes too late.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from belay.clock import write_atomically
from belay.files import Version, read_version, version_of

_NAP = 0.01
_NO_RENAME = (errno.EBUSY, errno.EXDEV)
"""What a rename says where the file is a mount of its own: it can only be overwritten."""

Write = Callable[..., None]


class OvertakenError(Exception):
    """Somebody else wrote the file since it was read: read it again."""


class SharedFile:
    """The file that a path shows, links followed to the end: what a reader of that path reads."""

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.realpath(path))

    def read(self, most: int) -> tuple[bytes | None, Version | None]:
        """Return content and version; None where there is no file.

        Raises
        ------
        OSError
            When it cannot be read, is no regular file, or holds more than ``most`` bytes.
        """
        try:
            return read_version(self.path, most)
        except FileNotFoundError:
            return None, None

    def replace(self, text: str, read: Version | None, *, write: Write = write_atomically) -> None:
        """Put ``text`` in the place of the version that was ``read``.

        Raises
        ------
        OvertakenError
            When it is not that version any more.
        OSError
            When the folder cannot be written, or its disk is full; the old content stands then.
        """

        def unchanged() -> None:
            if version_of(self.path) != read:
                raise OvertakenError

        try:
            write(self.path, text, before=unchanged)
        except FileNotFoundError as error:
            if self.path.parent.is_dir():  # a writer without the lock removed our temporary file
                raise OvertakenError from error
            raise
        except OSError as error:
            if error.errno not in _NO_RENAME:
                raise
            unchanged()
            self._overwrite(text.encode(), grow=True)

    def overwrite(self, text: str, *, room_only: bool) -> bool:
        """Write ``text`` over the file itself, with ``room_only`` if it needs no more room; say if it was.

        A reader that meets half of it reads no JSON, keeps what it has, and looks again.
        """
        try:
            return self._overwrite(text.encode(), grow=not room_only)
        except OSError:
            return False

    def _overwrite(self, content: bytes, *, grow: bool) -> bool:
        handle = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode) or (len(content) > found.st_size and not grow):
                return False
            left = memoryview(content.ljust(found.st_size))
            while left:
                left = left[os.write(handle, left) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        return True

    def void_others(self) -> None:
        """Remove what other writers have prepared and not put in place (see above)."""
        prepared = re.compile(re.escape(f".{self.path.name}.") + r"\w{8}")
        for each in self.path.parent.iterdir():
            if prepared.fullmatch(each.name):
                with suppress(OSError):
                    each.unlink()

    @contextmanager
    def turn(self, patience: float) -> Iterator[bool]:
        """Hold the writers' lock; say whether it was had within ``patience`` seconds.

        Raises
        ------
        OSError
            When there can be no lock: the folder is not there or not ours, or something else has its name.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = self.path.with_name(self.path.name + ".lock")
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise OSError(f"{lock} is not a regular file")
            deadline, had = time.monotonic() + patience, _taken(handle)
            while not had and time.monotonic() < deadline:
                time.sleep(_NAP)
                had = _taken(handle)
            yield had
        finally:
            os.close(handle)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
