"""How fast the ledger appends and verifies, beside what the machine gives without it.

python benchmarks/ledger.py [--entries 50000] [--documents 2000] [--commands 2048]

Appending: whole commands (decided by the rules, hashed, projected), each answered when it is durable; once
one a commit, once from many threads that ask at the same time, once as one caller's list. Beside each the
same number of bare rows, inserted into SQLite with the same durability and the same rows a commit.
Verifying: the chain and its evidence alone, and with the state folded from the entries and compared with
the stored projections; beside a bare SHA-256 chain over the same bytes in memory. The entries are those of
many optimizations that went through every gate (tests/support/lives.py), and each document that they name is
there, but small; how fast documents of a real size are checked is a line of its own. The best of five.
"""

from __future__ import annotations

import argparse
import hashlib
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.builders import BOT, GATE, NOW, a_policy, a_proposal
from tests.support.lives import write_lives

from belay.domain import commands as c
from belay.domain.digest import canonical_json
from belay.ledger import codec
from belay.ledger.schema import evidence
from belay.ledger.store import Ask, Ledger
from belay.ledger.turns import MOST
from belay.ledger.verify import verify

DOCUMENT_BYTES = 14_000
"""What a document weighs on average where the real gates write it, and there are four to ten entries."""


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
        return (
            f"{self.name:<40}{self.each_second:>10,.0f} /s{ratio:>7.2f} of {baseline.name}, "
            f"{baseline.each_second:,.0f} /s"
        )


def timed(name: str, count: int, work: Callable[[], object]) -> Rate:
    """Time ``work``, which does something ``count`` times."""
    start = time.perf_counter()
    work()
    return Rate(name, count, time.perf_counter() - start)


def best(name: str, count: int, work: Callable[[], object]) -> Rate:
    """Time ``work`` five times and return the fastest: what else the machine does only makes it slower."""
    return min((timed(name, count, work) for _ in range(5)), key=lambda rate: rate.seconds)


def look(number: int) -> c.TakeLook:
    return c.TakeLook("opt-1", 1, number, NOW, harmful=False, sentence="nothing to see yet", evidence=None)


def started(folder: Path) -> Ledger:
    """Return a new ledger with one step under way."""
    ledger = Ledger.open(f"sqlite:///{folder}/ledger.db")
    ledger.execute(c.AdoptPolicy(a_policy(), "start"), by=GATE, at=NOW)
    ledger.execute(c.Propose(a_proposal(), a_policy()), by=BOT, at=NOW)
    ledger.execute(c.StartStep("opt-1", "run", a_policy()), by=GATE, at=NOW)
    return ledger


def bare(folder: Path, count: int, each: int) -> Callable[[], None]:
    """Return the insertion of ``count`` rows of an entry's size, ``each`` a commit, by the driver alone."""

    def insert() -> None:
        with closing(sqlite3.connect(folder / f"bare{each}.db", isolation_level=None)) as database:
            database.executescript(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE rows (n, body)"
            )
            for start in range(0, count, each):
                database.execute("BEGIN IMMEDIATE")
                for number in range(start, min(start + each, count)):
                    database.execute("INSERT INTO rows VALUES (?, ?)", (number, "x" * 600))
                database.execute("COMMIT")

    return insert


def appending(folder: Path, count: int, threads: int) -> Iterator[tuple[Rate, Rate]]:
    """Compare commands with bare rows: one a commit, from many threads at once, and as a list."""
    ledger, few = started(folder), max(count // 10, 1)
    numbers = iter(range(1, count * 4))

    def ask(_turn: int = 0) -> None:
        number = next(numbers)
        ledger.execute(look(number), by=GATE, at=NOW, key=f"look-{number}")

    def alone() -> None:
        for _ in range(few):
            ask()

    def listed() -> None:
        these = [next(numbers) for _ in range(count)]
        ledger.execute_many([Ask(look(number), GATE, NOW, f"look-{number}") for number in these])

    yield (
        timed("append, one command a commit", few, alone),
        timed("bare rows, one a commit", few, bare(folder, few, 1)),
    )
    with ThreadPoolExecutor(threads) as pool:
        yield (
            timed(f"append, {threads} threads at once", count, lambda: list(pool.map(ask, range(count)))),
            timed(f"bare rows, {threads} a commit", count, bare(folder, count, threads)),
        )
    yield (
        timed("append, a list of commands", count, listed),
        timed(f"bare rows, {MOST} a commit", count, bare(folder, count, MOST)),
    )
    if not verify(ledger).ok:
        raise SystemExit("the ledger does not verify")


def verifying(folder: Path, count: int) -> Iterator[tuple[Rate, Rate]]:
    """Compare verify (chain, fold, projections) with a bare SHA-256 chain over the same texts."""
    ledger = Ledger.open(f"sqlite:///{folder}/ledger.db")
    kinds = write_lives(ledger, count)
    mix = ", ".join(f"{n / kinds.total():.0%} {kind}" for kind, n in kinds.most_common(5))
    print(f"{kinds.total():,} entries of {len(kinds)} kinds: {mix}, …")
    texts = ["".join(map(str, entry[:-1])).encode() for entry in ledger.entries()]

    def hashed() -> None:
        last = b""
        for text in texts:
            last = hashlib.sha256(last + text).digest()

    baseline = best("a bare SHA-256 chain", len(texts), hashed)
    for name, projections_too in (
        ("verify chain and evidence", False),
        ("verify, with state folded and compared", True),
    ):
        yield (
            best(name, len(texts), partial(checked, ledger, projections_too=projections_too, legal=False)),
            baseline,
        )
    yield compared(ledger, len(texts))


def compared(ledger: Ledger, count: int) -> tuple[Rate, Rate]:
    """Compare verify with and without its look at what is legal, in turns: both meet the same machine."""
    names = {True: "verify, legality too", False: "verify without legality"}
    runs: dict[bool, list[Rate]] = {True: [], False: []}
    for _ in range(5):
        for legal, name in names.items():
            work = partial(checked, ledger, projections_too=True, legal=legal)
            runs[legal].append(timed(name, count, work))
    fastest = {legal: min(rates, key=lambda rate: rate.seconds) for legal, rates in runs.items()}
    print(f"legality takes verify to {fastest[True].seconds / fastest[False].seconds:.2f} of its time")
    return fastest[True], fastest[False]


def verifying_evidence(folder: Path, count: int) -> tuple[Rate, Rate]:
    """Compare verify of documents as large as real ones with their bare SHA-256."""
    ledger = Ledger.open(f"sqlite:///{folder}/evidence.db")
    bodies = [canonical_json({"number": number, "text": "x" * DOCUMENT_BYTES}) for number in range(count)]
    rows = [{"sha256": codec.sha256_text(body), "body": body} for body in bodies]
    with ledger.engine.execution_options(belay_writes=True).begin() as connection:
        connection.execute(sa.insert(evidence), rows)
    raw = [body.encode() for body in bodies]

    def hashed() -> None:
        for body in raw:
            hashlib.sha256(body).digest()

    return (
        best("verify evidence, 14 kB a document", count, partial(checked, ledger, projections_too=True)),
        best("bare SHA-256, 14 kB", count, hashed),
    )


def checked(ledger: Ledger, *, projections_too: bool, legal: bool = True) -> None:
    """Verify ``ledger``, or end the run."""
    found = verify(ledger, projections_too=projections_too, legal=legal)
    if not found.ok:
        raise SystemExit(str(found))


def main() -> None:
    """Run both and print a line each."""
    parser = argparse.ArgumentParser(description="How fast the ledger appends and verifies.")
    parser.add_argument("--entries", type=int, default=50_000, help="entries to verify")
    parser.add_argument("--documents", type=int, default=2000, help="documents of a real size to verify")
    parser.add_argument("--commands", type=int, default=2048, help="commands to append")
    parser.add_argument("--threads", type=int, default=64, help="threads that append at once")
    arguments = parser.parse_args()
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        for ours, baseline in chain(
            appending(Path(one), arguments.commands, arguments.threads),
            verifying(Path(other), arguments.entries),
            [verifying_evidence(Path(other), arguments.documents)],
        ):
            print(ours.beside(baseline))


if __name__ == "__main__":
    main()
