"""Parts that fail: a truncated Parquet file, a read-only ledger, a full disk under the flags."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tests.bad_input.conftest import NAME, nothing_widened_nothing_lost
from tests.cli.conftest import PROPOSALS

from belay.domain.gates import Verdict
from belay.domain.state import Status
from belay.flags.target import FlagsUnavailable
from belay.gates.admit import admit
from belay.gates.quality import quality
from belay.gates.widen import widen
from belay.ledger.verify import verify
from belay.services import Services


def test_a_lake_with_a_truncated_parquet_file(belay, shop: Path, services: Services, documented) -> None:
    belay("propose", PROPOSALS / f"{NAME}.yaml")
    assert admit(services, NAME, f"{NAME}__step1").verdict is Verdict.PASS
    part = max((shop / "lake" / "outcomes").glob("2026*.parquet"))
    whole = part.read_bytes()
    part.write_bytes(whole[: len(whole) // 2])
    told = belay("doctor")
    assert told.exit_code == 3
    judged = quality(services, NAME, 1)
    assert judged.verdict is Verdict.HOLD
    documented(judged.sentence)
    assert services.ledger.state().optimizations[NAME].status is Status.HELD
    nothing_widened_nothing_lost(services)
    # Mended, the next run takes the step up again.
    part.write_bytes(whole)
    assert admit(services, NAME, f"{NAME}__step2").verdict is Verdict.PASS
    assert quality(services, NAME, 2).verdict is Verdict.PASS


@pytest.mark.parametrize("held", [True, False], ids=["while somebody had it open", "closed by everybody"])
def test_a_read_only_ledger(
    belay, home: Path, services: Services, request_id: str, documented, *, held: bool
) -> None:
    before = services.ledger.head()
    services.ledger.close()
    with _readable_only(home, held=held) as run:
        check = run("ledger", "verify")
        assert check.returncode == 0, check.stderr
        assert "verified" in check.stdout
        commands = [("freeze", "all", "--as", "dana", "--reason", "stop")]
        if held:  # once is enough for what every command shares
            assert run("status", "--json").returncode == 0
            commands += [
                ("approve", request_id, "--as", "nora", "--reason", "fine"),
                ("propose", str(PROPOSALS / "search-synonyms.yaml"), "--as", "ranker"),
            ]
        for command in commands:
            refused = run(*command)
            assert refused.returncode == 3, refused.stdout + refused.stderr
            documented(refused.stderr.replace(str(run.home), str(home)))
    assert services.ledger.head() == before
    nothing_widened_nothing_lost(services)


def test_a_full_disk_under_the_flags(home: Path, services: Services, granted: str, documented) -> None:
    flags = home / "flags"
    with _full_disk(flags) as make_room:
        with pytest.raises(FlagsUnavailable) as full:
            widen(services, granted, 1)
        documented(str(full.value))
        pending = services.ledger.state().optimizations[granted].pending
        assert pending is not None
        assert pending.to_scope == 100
        nothing_widened_nothing_lost(services)
        make_room()
        # The same step again: the grant that was spent is the one that is carried out, once.
        assert widen(services, granted, 1).scope == 100
        served = services.flags.read(granted)
        assert served is not None
        assert (served.scope, served.epoch) == (100, pending.epoch)
    kinds = [event.event.kind for event in services.ledger.history(optimization=granted)]
    assert kinds.count("scope.widening") == 1
    assert verify(services.ledger).ok


class _Reader:
    """Runs the command line on a home that may be read and not written."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "BELAY_HOME": str(self.home)}
        command = [sys.executable, "-m", "belay.cli", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@contextmanager
def _readable_only(home: Path, *, held: bool) -> Iterator[_Reader]:
    """Show a copy of ``home`` on a read-only disk where we may mount one, else without the right to write.

    While a ledger is ``held`` open, SQLite keeps two files beside it, and they are copied with it.
    """
    copy = home.with_name("read-only")
    copy.mkdir()
    if _mount(copy, "16m"):
        _copied(home, copy, held=held)
        subprocess.run(["mount", "-o", "remount,ro", str(copy)], check=True)
        try:
            yield _Reader(copy)
        finally:
            subprocess.run(["umount", str(copy)], check=True)
        return
    assert os.geteuid() != 0, "root may write everything: this needs the right to mount a disk"
    _copied(home, copy, held=held)
    for path in (*copy.rglob("*"), copy):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield _Reader(copy)
    finally:
        for path in (copy, *copy.rglob("*")):
            path.chmod(0o755)


def _copied(home: Path, copy: Path, *, held: bool) -> None:
    with closing(sqlite3.connect(home / "ledger.db")) as holder:
        holder.execute("SELECT count(*) FROM entries").fetchone()
        shutil.copytree(home, copy, dirs_exist_ok=True)
    if not held:
        with closing(sqlite3.connect(copy / "ledger.db")) as last:
            last.execute("SELECT count(*) FROM entries").fetchone()
    assert bool(list(copy.glob("ledger.db-*"))) is held


@contextmanager
def _full_disk(folder: Path) -> Iterator[object]:
    """Put ``folder`` on a disk that is full: a small tmpfs where we may mount, else a limit on file size."""
    folder.mkdir(parents=True, exist_ok=True)
    if _mount(folder, "64k"):
        filler = folder / "filler"
        try:
            with filler.open("wb", buffering=0) as file:
                while True:
                    file.write(b"x" * 4096)
        except OSError:
            pass
        try:
            yield filler.unlink
        finally:
            subprocess.run(["umount", str(folder)], check=True)
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))
    try:
        yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)


def _mount(folder: Path, size: str) -> bool:
    """Mount a small disk of its own at ``folder``, if we may."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    return os.geteuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0
