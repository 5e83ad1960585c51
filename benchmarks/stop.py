"""The kill switch: seconds from the start of `belay stop all` to the flag file at zero, and to the ledger.

    python benchmarks/stop.py
    python benchmarks/stop.py --sizes 1 1000 --repeat 5

Nothing runs but the command line. Flags at zero: the moment a reader of the flag file, which looks every
millisecond, first sees a whole file in which nobody is shown anything. Ledger knows: the process has ended,
and the ledger holds the stop, with a narrowing and a confirmation for each optimization. Baseline: a bare
Python process that loads the same file, sets every flag to zero and replaces it, with no ledger and no lock.
Each figure is the median of fresh processes on fresh copies.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.live import make_live

from belay.ledger.verify import verify
from belay.services import Services
from belay.settings import Settings

BARE = """
import json, os, sys
path = sys.argv[1]
document = json.load(open(path))
for flag in document["flags"].values():
    flag["targeting"] = {}
    flag["metadata"]["belay_scope"] = 0
with open(path + ".new", "w") as file:
    json.dump(document, file)
    file.flush()
    os.fsync(file.fileno())
os.replace(path + ".new", path)
"""


def shown(path: Path) -> int:
    """Return to how many flags of a file anybody is exposed."""
    return sum(flag["metadata"]["belay_scope"] > 0 for flag in json.loads(path.read_text())["flags"].values())


def measure(command: Sequence[str], home: Path) -> tuple[float, float]:
    """Run a command; return the seconds until the flags are at zero, and until it has ended."""
    flags = home / "flags" / "flags.flagd.json"
    before = flags.stat().st_ino
    environment = {**os.environ, "BELAY_HOME": str(home)}
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    while flags.stat().st_ino == before and process.poll() is None:
        time.sleep(0.001)
    down = time.perf_counter() - began
    assert process.wait() == 0, command
    ended = time.perf_counter() - began
    assert shown(flags) == 0, command
    return down, ended


def main() -> None:
    parser = argparse.ArgumentParser(description="The kill switch, from the command to the flags at zero.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 100, 1000, 5000])
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    belay = str(Path(sys.executable).with_name("belay"))
    stop = [belay, "stop", "all", "--reason", "benchmark", "--as", "nora"]
    print(f"{'live':>6}  {'flags at zero':>14}  {'ledger knows':>13}  {'bare rewrite':>13}  {'ratio':>6}")
    with tempfile.TemporaryDirectory() as folder:
        for size in options.sizes:
            template = Path(folder) / f"live-{size}"
            services = Services(Settings.from_env({"BELAY_HOME": str(template)}))
            make_live(services, size)
            services.ledger.close()
            rounds = []
            for number in range(options.repeat):
                homes = [Path(folder) / f"{kind}-{size}-{number}" for kind in ("stop", "bare")]
                for home in homes:
                    shutil.copytree(template, home)
                bare = [sys.executable, "-c", BARE, str(homes[1] / "flags" / "flags.flagd.json")]
                rounds.append((*measure(stop, homes[0]), measure(bare, homes[1])[0]))
            stopped = Services(Settings.from_env({"BELAY_HOME": str(homes[0])})).ledger
            assert verify(stopped).ok
            assert not any(known.scope for known in stopped.state().optimizations.values())
            down, knows, bare_down = (statistics.median(column) for column in zip(*rounds, strict=True))
            row = f"{size:>6}  {down:>12.2f} s  {knows:>11.2f} s  {bare_down:>11.2f} s"
            print(f"{row}  {down / bare_down:>6.1f}")


if __name__ == "__main__":
    main()
