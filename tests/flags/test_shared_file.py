"""The flag file as a link, a mount, a FIFO, or held by a frozen writer: it is taken down all the same."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from belay.clock import write_atomically
from belay.domain.proposal import Variant
from belay.flags import flagd, flagd_format
from belay.flags.flagd import FlagdFile
from belay.flags.target import FlagsUnavailable, ServedFlag, StaleEpoch

MakeFlag = Callable[..., ServedFlag]
VARIANTS = (Variant("treatment", {"label": "Order now"}),)
WIDER = ServedFlag("calm-button", 500, VARIANTS, {"label": "Order"}, epoch=2, surface="checkout")


# -- links and mounts -----------------------------------------------------------------------------


def test_a_link_is_followed_and_stays_one(target: FlagdFile, make_flag: MakeFlag, tmp_path: Path) -> None:
    shared = tmp_path / "shared" / "flags.json"
    FlagdFile(shared).apply(make_flag())
    link = tmp_path / "link.json"
    link.symlink_to(shared)
    by_link = FlagdFile(link)
    by_link.apply(make_flag(scope=500, epoch=2))
    assert FlagdFile(shared).read("calm-button") == make_flag(scope=500, epoch=2)
    by_link.apply_all([make_flag(scope=0, epoch=3)])
    assert link.is_symlink()
    assert json.loads(shared.read_text()) == json.loads(link.read_text())
    assert {path.name for path in tmp_path.iterdir()} == {"shared", "link.json"}, "one lock, beside the file"


def test_links_over_folders_are_followed(make_flag: MakeFlag, tmp_path: Path) -> None:
    """As an orchestrator mounts a folder of files: name, to data, to a version."""
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / "flags.json").write_text('{"flags": {}}')
    (tmp_path / "data").symlink_to("v1")
    (tmp_path / "flags.json").symlink_to("data/flags.json")
    FlagdFile(tmp_path / "flags.json").apply(make_flag())
    assert "calm-button" in (tmp_path / "v1" / "flags.json").read_text()
    assert (tmp_path / "flags.json").is_symlink()


@pytest.mark.parametrize("leads_to", ["nowhere/flags.json", "link.json"])
def test_a_link_that_cannot_be_followed_is_refused_at_the_first_write(
    make_flag: MakeFlag, tmp_path: Path, leads_to: str
) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / leads_to)
    with pytest.raises(FlagsUnavailable, match="cannot be"):
        FlagdFile(link).apply(make_flag())
    assert link.is_symlink()
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EXDEV])
def test_a_file_that_cannot_be_renamed_over_is_overwritten(
    target: FlagdFile, make_flag: MakeFlag, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """What a rename says where the file itself is a mount."""
    target.apply(make_flag())
    inode = target.path.stat().st_ino

    def refused(source: Path, _to: Path) -> None:
        raise OSError(number, os.strerror(number), str(source))

    monkeypatch.setattr(Path, "replace", refused)
    for epoch, scope in ((2, 500), (3, 0), (4, 100)):
        target.apply(make_flag(scope=scope, epoch=epoch, audience={"country": "DE"} if scope else {}))
        served = target.read("calm-button")
        assert served is not None
        assert (served.scope, served.intact) == (scope, True)
    assert target.path.stat().st_ino == inode, "who has the file open sees it"
    assert {path.name for path in target.path.parent.iterdir()} == {
        target.path.name,
        f"{target.path.name}.lock",
    }


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A file that is a mount of its own, as a container is given one."""
    outside, inside = tmp_path / "outside.json", tmp_path / "inside.json"
    outside.write_text('{"flags": {}}')
    inside.touch()
    if subprocess.run(["mount", "--bind", str(outside), str(inside)], check=False).returncode:
        pytest.skip("only root may mount")
    yield inside
    subprocess.run(["umount", str(inside)], check=True)


def test_a_mounted_file_shows_the_same_on_both_sides(
    mounted: Path, make_flag: MakeFlag, tmp_path: Path
) -> None:
    target = FlagdFile(mounted)
    target.apply(make_flag())
    target.apply_all([make_flag(scope=0, epoch=2)])
    outside = FlagdFile(tmp_path / "outside.json")
    assert outside.read("calm-button") == target.read("calm-button") == make_flag(scope=0, epoch=2)


# -- what is no file of flags ---------------------------------------------------------------------


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _deep(path: Path) -> None:
    levels = flagd_format._DEEPEST + 50
    path.write_text('{"flags": {"theirs": ' + "[" * levels + "]" * levels + "}}")


def _large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(flagd._MOST_BYTES + 1)  # a hole: it takes no room


@pytest.mark.parametrize("make", [_fifo, _device, _deep, _large, Path.mkdir])
def test_what_is_no_file_of_flags_is_unreadable_and_waits_for_nothing(
    make_flag: MakeFlag, tmp_path: Path, make: Callable[[Path], Any]
) -> None:
    path = tmp_path / "flags.json"
    make(path)
    target, began = FlagdFile(path), time.monotonic()
    for act in (lambda: target.apply(make_flag()), lambda: target.read("x"), target.read_all):
        with pytest.raises(FlagsUnavailable, match="cannot be read"):
            act()
    assert time.monotonic() - began < 2


def test_a_fifo_as_the_lock_is_not_waited_for(target: FlagdFile, make_flag: MakeFlag) -> None:
    target.path.parent.mkdir()
    os.mkfifo(target.path.with_name(f"{target.path.name}.lock"))
    with pytest.raises(FlagsUnavailable, match="cannot be locked"):
        target.apply(make_flag())


# -- a writer that is frozen ----------------------------------------------------------------------


def _freeze() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _widen_and_freeze(path: str, moment: str, pipe: Connection) -> None:
    """Widen in a process of its own that freezes, with the lock in its hands, at ``moment``."""
    real = write_atomically

    def freezing(path: Path, text: str, *, before: Callable[[], None]) -> None:
        def check() -> None:
            before()
            if moment == "checked":
                _freeze()

        if moment == "asked":
            _freeze()
        real(path, text, before=check)

    flagd.write_atomically = freezing  # type: ignore[assignment]
    try:
        FlagdFile(Path(path)).apply(WIDER, ask=lambda _: _freeze() if moment == "asking" else None)
        pipe.send("widened")
    except StaleEpoch:
        pipe.send("too late")


@pytest.mark.parametrize("moment", ["asking", "asked", "checked"])
def test_a_frozen_writer_keeps_nothing_shown_and_is_too_late_when_it_wakes(
    target: FlagdFile, make_flag: MakeFlag, moment: str
) -> None:
    target.apply(make_flag())
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    writer = context.Process(target=_widen_and_freeze, args=(str(target.path), moment, theirs))
    writer.start()
    assert writer.pid is not None
    try:
        _, status = os.waitpid(writer.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        began = time.monotonic()
        target.apply_all([make_flag(scope=0, epoch=2)])
        assert time.monotonic() - began < 2
        assert target.read("calm-button") == make_flag(scope=0, epoch=2)
        os.kill(writer.pid, signal.SIGCONT)
        assert ours.poll(20)
        assert ours.recv() == "too late"
        assert target.read("calm-button") == make_flag(scope=0, epoch=2), "what it had prepared is void"
        target.apply(make_flag(scope=100, epoch=3))
    finally:
        os.kill(writer.pid, signal.SIGCONT)
        writer.join(20)
    assert [path.name for path in target.path.parent.iterdir() if path.name.startswith(".")] == []
