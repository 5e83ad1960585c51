"""Run Airflow's four components as children, and start again whichever ends.

`airflow standalone` would do for a demo, but it lets a dead component stay dead, and its log servers
listen on every address of the machine. Here nothing listens beyond loopback.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from belay.local.background import living

COMPONENTS: dict[str, Sequence[str]] = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
"""Airflow's components, by the arguments that start them."""

_GRACE_SECONDS = 8.0
_LEAST_SECONDS = 5.0
"""Between two starts of one component, so that one that cannot start does not take the whole computer."""
_log = logging.getLogger("belay.supervise")


def main() -> None:
    """Prepare the metadata database, run the components until SIGINT or SIGTERM, then stop them."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    stopping = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True)
    running: dict[str, subprocess.Popen[bytes]] = {}
    started: dict[str, float] = {}
    while not stopping:
        for name, arguments in COMPONENTS.items():
            child = running.get(name)
            if child is not None and child.poll() is None:
                continue
            if child is not None:
                if time.monotonic() - started[name] < _LEAST_SECONDS:
                    continue
                _log.warning("%s ended with %s; starting it again", name, child.returncode)
            command = [sys.executable, "-m", "airflow", *arguments]
            started[name] = time.monotonic()
            running[name] = subprocess.Popen(command)  # noqa: S603 - our own interpreter and constants
            _log.info("%s is process %s", name, running[name].pid)
        time.sleep(0.5)
    _stop(running)


def _stop(running: dict[str, subprocess.Popen[bytes]]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        for child in running.values():
            if child.poll() is None:
                child.send_signal(number)
        deadline = time.monotonic() + _GRACE_SECONDS
        while any(child.poll() is None for child in running.values()) and time.monotonic() < deadline:
            time.sleep(0.1)
    if os.getsid(0) == os.getpid():  # a killed scheduler leaves workers behind: they are of our session
        for process in set(living(os.getpid())) - {os.getpid()}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


if __name__ == "__main__":
    main()
