"""What every flag system has to keep to, and how a setting names one."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.flags.contract import FlagTargetContract

from belay.flags.dry_run import DryRun
from belay.flags.factory import open_target
from belay.flags.flagd import FlagdFile
from belay.flags.target import FlagTarget


class TestFlagd(FlagTargetContract):
    @pytest.fixture
    def target(self, tmp_path: Path) -> FlagTarget:
        return FlagdFile(tmp_path / "flags.json")


class TestDryRun(FlagTargetContract):
    @pytest.fixture
    def target(self) -> FlagTarget:
        return DryRun()


def test_settings_name_a_flag_system(tmp_path: Path) -> None:
    opened = open_target(f"flagd:{tmp_path / 'f.json'}")
    assert isinstance(opened, FlagdFile)
    assert opened.path == tmp_path / "f.json"
    assert open_target("dry-run").name == "dry-run"


@pytest.mark.parametrize("setting", ["", "flagd", "flagd:", "launchdarkly:x", "dry"])
def test_a_setting_that_names_none_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match="use flagd:PATH or dry-run"):
        open_target(setting)


def test_a_flag_system_of_your_own() -> None:
    opened = open_target("python:tests.faults.paused:open_paused:x.json")
    assert isinstance(opened, FlagdFile)
    assert opened.path == Path("x.json")
    for setting in ("python:no_such_module:f:x", "python:belay.flags.flagd:nothing:x", "python:json"):
        with pytest.raises(ValueError, match="python:MODULE:FUNCTION:ARGUMENT"):
            open_target(setting)
