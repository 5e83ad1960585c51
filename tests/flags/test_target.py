"""What every flag system has to keep to, and how a setting names one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from belay.flags.dry_run import DryRun
from belay.flags.flagd import FlagdFile
from belay.flags.target import FlagTarget, ServedFlag, StaleEpoch, open_target

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
