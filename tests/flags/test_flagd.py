"""The flagd file: what is written is what the SDK serves, and nothing half-written is ever seen."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import resource
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from belay.domain.proposal import CONTROL, HOLDOUT, Variant
from belay.flags import flagd
from belay.flags.flagd import FlagdFile
from belay.flags.target import FlagsUnavailable, ServedFlag, StaleEpoch

MakeFlag = Callable[..., ServedFlag]
NOBODY = 65534
RAMP = (100, 500, 2500, 10_000)
TWO = (Variant("a", {"n": 1}), Variant("b", {"n": 2}))


# -- what the SDK serves --------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.long
def test_widening_moves_none_of_100_000_units_out_of_treatment(
    target: FlagdFile, make_flag: MakeFlag, evaluate: Callable[..., list[Any]]
) -> None:
    units = [f"unit-{i}" for i in range(100_000)]
    treated: set[str] = set()
    for epoch, scope in enumerate(RAMP, start=1):
        target.apply(make_flag(scope=scope, epoch=epoch))
        found = evaluate(target.path, "calm-button", units)
        now = {unit for unit, seen in zip(units, found, strict=True) if seen.variant == "treatment"}
        assert treated <= now, f"{len(treated - now)} units left treatment at {scope}"
        assert len(now) / len(units) == pytest.approx(scope / 10_000, abs=0.003)
        treated = now
    assert len(treated) == len(units)


def test_widening_two_treatments_keeps_every_unit_in_its_own(
    target: FlagdFile, make_flag: MakeFlag, evaluate: Callable[..., list[Any]]
) -> None:
    units = [f"unit-{i}" for i in range(4000)]
    before = [CONTROL] * len(units)
    for epoch, scope in enumerate(RAMP, start=1):
        target.apply(make_flag(scope=scope, epoch=epoch, variants=TWO))
        now = [seen.variant for seen in evaluate(target.path, "calm-button", units)]
        assert all(was in (CONTROL, is_) for was, is_ in zip(before, now, strict=True))
        before = now
    assert Counter(before)["a"] == pytest.approx(2000, abs=150)
    assert CONTROL not in before


@pytest.mark.slow
@pytest.mark.long
def test_100_000_units_held_out_see_none_of_three_optimizations_at_any_scope(
    target: FlagdFile, make_flag: MakeFlag, evaluate: Callable[..., list[Any]]
) -> None:
    """The holdout goes by the capability, not by the flag: one group, across all flags and all scopes."""
    units = [f"unit-{i}" for i in range(100_000)]
    held: set[str] = set()
    ramps = {"calm-button": (100, 10_000), "delivery-date": (2500,), "free-returns": (10_000,)}
    for key, scopes in ramps.items():
        for epoch, scope in enumerate(scopes, start=1):
            target.apply(
                make_flag(key=key, scope=scope, epoch=epoch, holdout=500, holdout_salt="checkout_wording")
            )
            found = evaluate(target.path, key, units)
            by_variant = Counter(seen.variant for seen in found)
            now = {unit for unit, seen in zip(units, found, strict=True) if seen.variant == HOLDOUT}
            assert now == (held or now), f"{key} holds out other units than the flags before"
            held = now
            assert by_variant["treatment"] / len(units) == pytest.approx(0.95 * scope / 10_000, abs=0.004)
            assert by_variant[CONTROL] == 0 or scope < 10_000, "at full scope nobody but the holdout is left"
            assert all(seen.value == {"label": "Order"} for seen in found if seen.variant == HOLDOUT)
    assert len(held) / len(units) == pytest.approx(0.05, abs=0.002)
    target.apply(make_flag(key="banner", scope=10_000, holdout=500, holdout_salt="retention_offers"))
    others = {
        unit
        for unit, seen in zip(units[:20_000], evaluate(target.path, "banner", units[:20_000]), strict=True)
        if seen.variant == HOLDOUT
    }
    shared = len(others & held) / len(others)
    assert shared == pytest.approx(0.05, abs=0.02), "another capability holds out units of its own"


def test_only_the_audience_is_exposed(
    target: FlagdFile, make_flag: MakeFlag, evaluate: Callable[..., list[Any]]
) -> None:
    target.apply(make_flag(scope=10_000, audience={"country": "DE", "device": "mobile"}))
    units = [f"unit-{i}" for i in range(20)]

    def variants(**attributes: str) -> set[str]:
        return {seen.variant for seen in evaluate(target.path, "calm-button", units, attributes)}

    assert variants(country="DE", device="mobile") == {"treatment"}
    assert variants(country="FR", device="mobile") == {CONTROL}
    assert variants(country="DE") == {CONTROL}
    assert variants() == {CONTROL}


@pytest.mark.parametrize("scope", [0, 10_000])
def test_at_the_ends_of_the_ramp_everybody_sees_one_payload(
    target: FlagdFile, make_flag: MakeFlag, evaluate: Callable[..., list[Any]], scope: int
) -> None:
    target.apply(make_flag(scope=scope))
    found = evaluate(target.path, "calm-button", [f"unit-{i}" for i in range(200)])
    assert {seen.error_code for seen in found} == {None}
    assert {seen.value["label"] for seen in found} == {"Order now" if scope else "Order"}


@pytest.mark.parametrize("payload", [None, 7, "text", ["a", 1], True])
def test_a_payload_that_is_no_object_is_served_as_its_value(
    target: FlagdFile, make_flag: MakeFlag, evaluate: Callable[..., list[Any]], payload: Any
) -> None:
    target.apply(make_flag(scope=10_000, variants=(Variant("treatment", payload),), rollback=None))
    assert evaluate(target.path, "calm-button", ["one"])[0].value == {"value": payload}


# -- epochs and reading back ----------------------------------------------------------------------


def test_what_was_applied_reads_back(target: FlagdFile, make_flag: MakeFlag) -> None:
    flag = make_flag(holdout=500, holdout_salt="checkout", audience={"country": "DE"}, variants=TWO)
    target.apply(flag)
    assert target.read("calm-button") == flag
    assert target.read_all() == {"calm-button": flag}
    assert target.read("other") is None


def test_applying_again_writes_nothing(target: FlagdFile, make_flag: MakeFlag) -> None:
    target.apply(make_flag(variants=(Variant("treatment", {"sizes": (1, 2)}),)))
    written = target.path.stat().st_ino, target.path.stat().st_mtime_ns
    target.apply(make_flag(variants=(Variant("treatment", {"sizes": (1, 2)}),)))
    assert (target.path.stat().st_ino, target.path.stat().st_mtime_ns) == written


@pytest.mark.parametrize("late", [{"epoch": 4, "scope": 500}, {"epoch": 5, "scope": 500}, {"epoch": 4}])
def test_a_late_writer_is_refused_and_changes_nothing(
    target: FlagdFile, make_flag: MakeFlag, late: dict[str, int]
) -> None:
    target.apply(make_flag(epoch=5))
    before = target.path.read_bytes()
    with pytest.raises(StaleEpoch, match="epoch 5 with scope 100 is served"):
        target.apply(make_flag(**late))
    assert target.path.read_bytes() == before


def test_flags_of_other_writers_stay(target: FlagdFile, make_flag: MakeFlag) -> None:
    theirs = {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"}
    target.path.parent.mkdir()
    target.path.write_text(json.dumps({"flags": {"theirs": theirs}, "$evaluators": {"e": {}}}))
    target.apply(make_flag())
    document = json.loads(target.path.read_text())
    assert document["flags"]["theirs"] == theirs
    assert document["$evaluators"] == {"e": {}}
    assert set(target.read_all()) == {"calm-button"}


# -- a world that goes wrong ----------------------------------------------------------------------


def test_a_flag_of_that_name_that_belay_did_not_write_is_not_overwritten(
    target: FlagdFile, make_flag: MakeFlag
) -> None:
    target.path.parent.mkdir()
    target.path.write_text(json.dumps({"flags": {"calm-button": {"state": "ENABLED", "variants": {}}}}))
    before = target.path.read_bytes()
    with pytest.raises(FlagsUnavailable, match="not what Belay wrote: nothing was changed"):
        target.apply(make_flag())
    assert target.path.read_bytes() == before


def _tamper(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    document = json.loads(path.read_text())
    change(document["flags"]["calm-button"])
    path.write_text(json.dumps(document))


TAMPERINGS: dict[str, Callable[[dict[str, Any]], None]] = {
    "wider": lambda f: f["targeting"]["if"][1]["fractional"].__setitem__(1, ["treatment", 9000]),
    "disabled": lambda f: f.update(state="DISABLED"),
    "scope gone": lambda f: f["metadata"].pop("belay_scope"),
    "scope no number": lambda f: f["metadata"].update(belay_scope="all"),
    "no treatment": lambda f: f["variants"].pop("treatment"),
    "variants gone": lambda f: f.pop("variants"),
    "audience broken": lambda f: f["metadata"].update(belay_audience="{"),
    "audience no object": lambda f: f["metadata"].update(belay_audience="[1]"),
    "epoch raised": lambda f: f["metadata"].update(belay_epoch=10**9, belay_scope=9000),
}


@pytest.mark.parametrize("change", TAMPERINGS.values(), ids=TAMPERINGS)
def test_a_flag_changed_by_hand_is_said_never_widened_and_can_be_rolled_back(
    target: FlagdFile, make_flag: MakeFlag, change: Callable[[dict[str, Any]], None]
) -> None:
    target.apply(make_flag())
    _tamper(target.path, change)
    with pytest.raises(FlagsUnavailable, match="changed by hand"):
        target.read("calm-button")
    assert not target.read_all()["calm-button"].intact
    with pytest.raises(FlagsUnavailable, match="nothing was changed"):
        target.apply(make_flag(scope=500, epoch=2))
    target.apply(make_flag(scope=0, epoch=2))
    assert target.read("calm-button") == make_flag(scope=0, epoch=2)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"flags": []}', '{"flags": {"a": '])
def test_a_corrupt_file_is_refused_and_left_as_it_is(
    target: FlagdFile, make_flag: MakeFlag, content: str
) -> None:
    target.path.parent.mkdir()
    target.path.write_text(content)
    for act in (lambda: target.apply(make_flag()), lambda: target.read("calm-button"), target.read_all):
        with pytest.raises(FlagsUnavailable, match=str(target.path)):
            act()
    assert target.path.read_text() == content


def test_a_file_of_bytes_that_are_no_text_is_refused(target: FlagdFile) -> None:
    target.path.parent.mkdir()
    target.path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FlagsUnavailable, match="cannot be read"):
        target.read("calm-button")


@contextmanager
def _disk_with(free: int) -> Iterator[None]:
    """Let this process write ``free`` bytes to a file and not one more, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_old_file_and_no_rubbish(target: FlagdFile, make_flag: MakeFlag) -> None:
    target.apply(make_flag())
    before = target.path.read_bytes()
    with _disk_with(64), pytest.raises(FlagsUnavailable, match="what was served is still served"):
        target.apply(make_flag(scope=500, epoch=2))
    assert target.path.read_bytes() == before
    assert {p.name for p in target.path.parent.iterdir()} == {
        "flags.flagd.json",
        "flags.flagd.json.lock",
    }
    target.apply(make_flag(scope=500, epoch=2))
    assert target.read("calm-button") == make_flag(scope=500, epoch=2)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_an_unwritable_folder_leaves_the_old_file(make_flag: MakeFlag, tmp_path: Path) -> None:
    target = FlagdFile(tmp_path / "flags.json")
    target.apply(make_flag())
    before = target.path.read_bytes()
    opened = [folder for folder in tmp_path.parents if not folder.stat().st_mode & 0o001]
    for folder in (tmp_path, *opened):
        folder.chmod(0o755)
    try:
        os.seteuid(NOBODY)
        with pytest.raises(FlagsUnavailable, match="check the folder's rights"):
            target.apply(make_flag(scope=500, epoch=2))
    finally:
        os.seteuid(0)
        for folder in (tmp_path, *opened):
            folder.chmod(0o700)
    assert target.path.read_bytes() == before


def test_a_folder_that_is_a_file_is_refused(make_flag: MakeFlag, tmp_path: Path) -> None:
    (tmp_path / "flags").write_text("in the way")
    with pytest.raises(FlagsUnavailable, match="cannot be locked"):
        FlagdFile(tmp_path / "flags" / "flags.json").apply(make_flag())


def test_a_writer_that_hangs_is_named_and_not_waited_for_for_ever(
    target: FlagdFile, make_flag: MakeFlag, monkeypatch: pytest.MonkeyPatch
) -> None:
    target.apply(make_flag())
    monkeypatch.setattr(flagd, "_PATIENCE", 0.05)
    with target.path.with_name("flags.flagd.json.lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(FlagsUnavailable, match=r"another writer holds .*flags\.flagd\.json\.lock"):
            target.apply(make_flag(scope=500, epoch=2))
        assert target.read("calm-button") == make_flag(), "readers wait for nobody"
        target.apply(make_flag(scope=50, epoch=2))
        target.apply_all([make_flag(scope=0, epoch=3)])
        assert target.read("calm-button") == make_flag(scope=0, epoch=3), "taking down waits for nobody"
    target.apply(make_flag(scope=100, epoch=4))


def _write_many(path: str, writer: int, count: int) -> None:
    target = FlagdFile(Path(path))
    for epoch in range(1, count + 1):
        variants = (Variant("treatment", {"writer": writer}),)
        target.apply(ServedFlag(f"flag-{writer}", 100, variants, None, epoch))
        try:
            target.apply(ServedFlag("shared", 100, variants, None, epoch))
        except StaleEpoch:
            continue


def test_concurrent_writers_lose_nothing_and_readers_see_whole_files(target: FlagdFile) -> None:
    writers, count = 3, 20
    fork = multiprocessing.get_context("fork")
    processes = [
        fork.Process(target=_write_many, args=(str(target.path), writer, count)) for writer in range(writers)
    ]
    for process in processes:
        process.start()
    seen = 0
    while any(process.is_alive() for process in processes):
        shared = target.read_all().get("shared")  # raises when it meets half a file
        epoch = shared.epoch if shared else 0
        assert epoch >= seen, "an epoch went back"
        seen = epoch
    for process in processes:
        process.join()
        assert process.exitcode == 0
    flags = target.read_all()
    assert {key: flag.epoch for key, flag in flags.items()} == {
        "shared": count,
        **{f"flag-{writer}": count for writer in range(writers)},
    }


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KB with a file that takes what is left when a test asks for it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_stops_widening_and_never_a_stop(small_disk: Path, make_flag: MakeFlag) -> None:
    target = FlagdFile(small_disk / "flags.json")
    target.apply_all(make_flag(key=f"flag-{number}") for number in range(20))
    with suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
        while filler.write(b"x" * 512):
            pass
    with pytest.raises(FlagsUnavailable, match="No space left"):
        target.apply(make_flag(key="flag-1", scope=500, epoch=2))
    with pytest.raises(FlagsUnavailable, match="No space left"):
        target.apply(make_flag(key="new"))
    target.apply_all(make_flag(key=f"flag-{number}", scope=0, epoch=2) for number in range(20))
    assert {flag.scope for flag in target.read_all().values()} == {0}
    assert all(flag.intact for flag in target.read_all().values())
    (small_disk / "filler").unlink()
    target.apply(make_flag(key="flag-1", scope=500, epoch=3))
    assert target.read_all()["flag-1"].scope == 500


def test_a_note_beside_the_flags_changes_nothing_that_is_served(
    target: FlagdFile, make_flag: MakeFlag, evaluate: Callable[..., list[Any]]
) -> None:
    assert target.note() is None
    target.keep_note({"anchor": "1:x"})
    assert not target.path.exists(), "no file is made for it"
    target.apply(make_flag(scope=2500))
    units = [f"unit-{i}" for i in range(300)]
    before = [seen.variant for seen in evaluate(target.path, "calm-button", units)]
    target.keep_note({"anchor": "1:x"})
    assert target.note() == {"anchor": "1:x"}
    assert target.read_all() == {"calm-button": make_flag(scope=2500)}
    assert [seen.variant for seen in evaluate(target.path, "calm-button", units)] == before
    target.apply(make_flag(scope=0, epoch=2))
    assert target.note() == {"anchor": "1:x"}, "a write of flags keeps it"
