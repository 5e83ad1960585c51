"""How fast the ledger appends and verifies, beside what the machine gives without it.

python benchmarks/ledger.py [--entries 20000] [--commands 300]
"""

from __future__ import annotations

import argparse
import hashlib
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.builders import BOT, GATE, NOW, a_policy, a_proposal

from belay.domain import commands as c
from belay.domain.events import LookTaken
from belay.ledger import codec
from belay.ledger.chain import hash_of
from belay.ledger.schema import entries, head
from belay.ledger.store import Ledger
from belay.ledger.verify import verify


@dataclass(frozen=True)
class Rate:
    """Something done ``count`` times in ``seconds``."""

    name: str
    count: int
    seconds: float

    @property
    def each_second(self) -> float:
        """How many a second."""
        return self.count / self.seconds

    def beside(self, baseline: Rate) -> str:
        """Return a line with the ratio to a baseline of the same run."""
        ratio = self.each_second / baseline.each_second
        return f"{self.name:<44}{self.each_second:>12,.0f} /s{ratio:>8.2f} of {baseline.name}"


def timed(name: str, count: int, work: Callable[[], object]) -> Rate:
    """Time ``work``, which does something ``count`` times."""
    start = time.perf_counter()
    work()
    return Rate(name, count, time.perf_counter() - start)


def look(number: int) -> c.TakeLook:
    return c.TakeLook("opt-1", 1, number, NOW, harmful=False, sentence="nothing to see yet", evidence=None)


def started(folder: Path) -> Ledger:
    """Return a new ledger with one step under way."""
    ledger = Ledger.open(f"sqlite:///{folder}/ledger.db")
    ledger.execute(c.AdoptPolicy(a_policy(), "start"), by=GATE, at=NOW)
    ledger.execute(c.Propose(a_proposal(), a_policy()), by=BOT, at=NOW)
    ledger.execute(c.StartStep("opt-1", "run", a_policy()), by=GATE, at=NOW)
    return ledger


def appending(folder: Path, count: int) -> list[Rate]:
    """Compare one command a transaction with one bare row a transaction, equally durable."""
    ledger = started(folder)

    def append() -> None:
        for number in range(1, count + 1):
            ledger.execute(look(number), by=GATE, at=NOW, key=f"look-{number}")

    def insert() -> None:
        with closing(sqlite3.connect(folder / "bare.db", isolation_level=None)) as bare:
            bare.executescript(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE rows (n, body)"
            )
            for number in range(count):
                bare.execute("BEGIN IMMEDIATE")
                bare.execute("INSERT INTO rows VALUES (?, ?)", (number, "x" * 600))
                bare.execute("COMMIT")

    return [
        timed("append, one command a commit", count, append),
        timed("a bare durable insert", count, insert),
    ]


def verifying(folder: Path, count: int) -> list[Rate]:
    """Compare verify (chain, fold, projections) with a bare SHA-256 chain over the same texts."""
    ledger = started(folder)
    at, (seq, prev) = NOW.isoformat(timespec="microseconds"), ledger.head()
    names, rows, texts = [column.name for column in entries.columns], [], []
    for number in range(1, count + 1):
        seq += 1
        event = LookTaken(
            "opt-1", 1, number, NOW, harmful=False, sentence="nothing to see yet", evidence=None
        )
        columns = (seq, at, event.kind, str(GATE), "wording", "opt-1", "", codec.encode(event), prev)
        prev = hash_of(*columns)
        rows.append(dict(zip(names, (*columns, prev), strict=True)))
        texts.append("".join(map(str, columns)).encode())
    with ledger.engine.execution_options(belay_writes=True).begin() as connection:
        connection.execute(sa.insert(entries), rows)
        connection.execute(sa.update(head).values(seq=seq, hash=prev))
    ledger.rebuild()

    def chain() -> None:
        last = b""
        for text in texts:
            last = hashlib.sha256(last + text).digest()

    def check() -> None:
        assert verify(ledger).ok

    return [timed("verify", seq, check), timed("a bare SHA-256 chain", count, chain)]


def main() -> None:
    """Run both and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=20_000, help="entries to verify")
    parser.add_argument("--commands", type=int, default=300, help="commands to append")
    arguments = parser.parse_args()
    for measure, count in ((appending, arguments.commands), (verifying, arguments.entries)):
        with TemporaryDirectory() as folder:
            ours, baseline = measure(Path(folder), count)
        print(ours.beside(baseline))
        print(f"{baseline.name:<44}{baseline.each_second:>12,.0f} /s")


if __name__ == "__main__":
    main()
