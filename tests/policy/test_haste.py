"""The packaged defaults are production's; the demo's haste is its own, and haste is warned of."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.policy.conftest import SHIPPED, Folder

from belay.local.policies import lay_out
from belay.policy.advice import SHORTEST_SAY, advice
from belay.policy.load import load_policies
from belay.settings import Settings

SUITES = SHIPPED.parents[1] / "expectations"


def test_as_shipped_nobody_is_given_seconds_to_veto() -> None:
    for policy in load_policies(SHIPPED, expectations=SUITES).capabilities.values():
        assert policy.approval.notice_seconds == 4 * 3600
        assert policy.approval.notice_seconds >= SHORTEST_SAY
        assert policy.window.poll_seconds == 600
        assert not list(advice(policy))


def test_what_is_under_fifteen_minutes_is_said_with_the_value(folder: Folder) -> None:
    folder.write(
        "hasty", (folder.path / "example.yaml").read_text() + "approval: {notice: 14m, expires: 30s}\n"
    )
    policy = folder.load().capabilities["hasty"]
    said = " ".join(advice(policy))
    assert "approval.notice is 14m: under 15 minutes" in said
    assert "approval.expires is 30s" in said
    assert not list(advice(folder.load().capabilities["example"]))


def test_the_demo_brings_its_own_and_changes_no_packaged_file(tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in SHIPPED.glob("*.yaml")}
    home = tmp_path / "home"
    home.mkdir()
    assert Settings.from_env({"BELAY_HOME": str(home)}).policies == SHIPPED
    lay_out(SHIPPED, home / "capabilities")
    settings = Settings.from_env({"BELAY_HOME": str(home)})
    assert settings.policies == home / "capabilities"
    loaded = load_policies(settings.policies, expectations=settings.expectations)
    assert not loaded.errors
    assert {p.approval.notice_seconds for p in loaded.capabilities.values()} == {15}
    assert {p.window.poll_seconds for p in loaded.capabilities.values()} == {5}
    assert {path: path.read_bytes() for path in SHIPPED.glob("*.yaml")} == before


def test_what_somebody_wrote_into_the_demos_policies_stays(tmp_path: Path) -> None:
    folder = tmp_path / "capabilities"
    lay_out(SHIPPED, folder)
    shutil.copy(folder / "checkout_wording.yaml", folder / "mine.yaml")
    lay_out(SHIPPED, folder)
    assert (folder / "mine.yaml").exists()
