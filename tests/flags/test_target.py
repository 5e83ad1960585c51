"""What every flag system has to keep to, and how a setting names one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from belay.flags.dry_run import DryRun
from belay.flags.factory import open_target
from belay.flags.flagd import FlagdFile
from belay.flags.target import FlagTarget, ServedFlag, StaleEpoch

MakeFlag = Callable[..., ServedFlag]


@pytest.fixture(params=["flagd", "dry-run"])
def any_target(request: pytest.FixtureRequest, tmp_path: Path) -> FlagTarget:
    return FlagdFile(tmp_path / "flags.json") if request.param == "flagd" else DryRun()


def test_nothing_is_served_before_anything_is_applied(any_target: FlagTarget) -> None:
    assert any_target.read("calm-button") is None
    assert any_target.read_all() == {}


def test_apply_serves_and_repeats(any_target: FlagTarget, make_flag: MakeFlag) -> None:
    for _ in range(2):
        any_target.apply(make_flag())
    assert any_target.read_all() == {"calm-button": make_flag()}


def test_a_higher_epoch_widens_and_narrows(any_target: FlagTarget, make_flag: MakeFlag) -> None:
    for epoch, scope in ((1, 100), (2, 500), (7, 0)):
        any_target.apply(make_flag(scope=scope, epoch=epoch))
        served = any_target.read("calm-button")
        assert served is not None
        assert (served.scope, served.epoch) == (scope, epoch)


@pytest.mark.parametrize("change", [{"epoch": 1}, {"scope": 500}, {"holdout": 5}, {"surface": "home"}])
def test_a_late_writer_is_refused(
    any_target: FlagTarget, make_flag: MakeFlag, change: dict[str, object]
) -> None:
    any_target.apply(make_flag(epoch=2))
    with pytest.raises(StaleEpoch, match="comes too late"):
        any_target.apply(make_flag(**({"epoch": 2} | change)))
    assert any_target.read("calm-button") == make_flag(epoch=2)


def test_settings_name_a_flag_system(tmp_path: Path) -> None:
    opened = open_target(f"flagd:{tmp_path / 'f.json'}")
    assert isinstance(opened, FlagdFile)
    assert opened.path == tmp_path / "f.json"
    assert open_target("dry-run").name == "dry-run"


@pytest.mark.parametrize("setting", ["", "flagd", "flagd:", "launchdarkly:x", "dry"])
def test_a_setting_that_names_none_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match="use flagd:PATH or dry-run"):
        open_target(setting)


def test_many_at_once_or_none(any_target: FlagTarget, make_flag: MakeFlag) -> None:
    flags = [make_flag(key=f"flag-{number}") for number in range(20)]
    any_target.apply_all(flags)
    any_target.apply_all([])
    assert any_target.read_all() == {flag.key: flag for flag in flags}
    late = [make_flag(key="flag-1", scope=0, epoch=2), make_flag(key="flag-2", scope=500, epoch=1)]
    with pytest.raises(StaleEpoch):
        any_target.apply_all(late)
    assert any_target.read_all() == {flag.key: flag for flag in flags}


def test_the_last_door_is_asked_with_what_is_served_and_can_say_no(
    any_target: FlagTarget, make_flag: MakeFlag
) -> None:
    asked: list[ServedFlag | None] = []
    any_target.apply(make_flag(), ask=asked.append)
    any_target.apply(make_flag(), ask=asked.append)
    assert asked == [None], "what is served already is not written, and nothing is asked"

    def no(served: ServedFlag | None) -> None:
        raise PermissionError(served)

    with pytest.raises(PermissionError):
        any_target.apply(make_flag(scope=500, epoch=2), ask=no)
    assert any_target.read("calm-button") == make_flag()


def test_a_flag_system_of_your_own() -> None:
    opened = open_target("python:tests.faults.paused:open_paused:x.json")
    assert isinstance(opened, FlagdFile)
    assert opened.path == Path("x.json")
    for setting in ("python:no_such_module:f:x", "python:belay.flags.flagd:nothing:x", "python:json"):
        with pytest.raises(ValueError, match="python:MODULE:FUNCTION:ARGUMENT"):
            open_target(setting)
