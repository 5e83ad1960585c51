"""A process of ours in the background: started in a session of its own, found again, and ended for certain.

Linux keeps a session's number for as long as any of its processes lives, so the number names them all,
whatever process groups they make. A number from before a restart of the computer, or one that was given
to somebody else since, is recognised and left alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_SAME_START = 1.0
"""Seconds by which two readings of one process's start may differ."""


class StillRunningError(Exception):
    """A process survives even SIGKILL; the message names it."""


@dataclass(frozen=True)
class Background:
    """One background process and its children.

    Attributes
    ----------
    pid_file : Path
        Remembers the session while it runs.
    log : Path
        Everything its processes print.
    """

    pid_file: Path
    log: Path

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start ``command`` and remember its session."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - the caller's own command, no shell
                command,
                env=environment,
                cwd=self.log.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        about = {"session": process.pid, "started": _started(process.pid), "boot": _boot()}
        self.pid_file.write_text(json.dumps(about))
        return process

    def processes(self) -> list[int]:
        """Return those of its processes that live."""
        try:
            about = json.loads(self.pid_file.read_text())
            session, started = int(about["session"]), float(about["started"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return []
        leader = _started(session)
        if about.get("boot") != _boot() or (leader is not None and abs(leader - started) > _SAME_START):
            return []
        return list(living(session))

    def stop(self, *, first: signal.Signals = signal.SIGINT, patience: float = 30.0) -> bool:
        """End every process of it, and make sure that none is left; False when none was running.

        Parameters
        ----------
        first
            The signal that asks it to end by itself.
        patience
            Seconds before it is ended by force.

        Raises
        ------
        StillRunningError
            When a process survives even SIGKILL.
        """
        was_running = bool(self.processes())
        for number, seconds in ((first, patience), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            if self._ended(number, seconds):
                self.pid_file.unlink(missing_ok=True)
                return was_running
        raise StillRunningError(f"processes {self.processes()} of {self.pid_file} cannot be ended")

    def last_lines(self, count: int = 25) -> str:
        """Return the end of its log."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])
        return ""

    def _ended(self, number: signal.Signals, seconds: float) -> bool:
        """Ask the leader's group to end, or force every process to; return whether they end in time."""
        forced = number in (signal.SIGTERM, signal.SIGKILL)
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                if forced or os.getpgid(process) == os.getsid(process):
                    os.kill(process, number)
        deadline = time.monotonic() + seconds
        while self.processes():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True


def living(session: int) -> Iterator[int]:
    """Yield the living processes of a session."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                yield process.pid


def _started(process: int) -> float | None:
    """Return when a living process started, in seconds since the computer did; None without one.

    Not by the wall clock, which somebody may set meanwhile.
    """
    try:
        found = psutil.Process(process)
        alive = found.status() != psutil.STATUS_ZOMBIE
        return round(found.create_time() - psutil.boot_time(), 2) if alive else None
    except psutil.Error:
        return None


def _boot() -> str:
    """Return what Linux calls this start of the computer; psutil has its time alone, by the wall clock."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""
