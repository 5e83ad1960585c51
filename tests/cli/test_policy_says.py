"""`belay policy check|show` and `belay doctor` say what an owner wants to see first, and warn of haste."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Belay


def test_show_prints_who_is_asked_for_how_long(belay: Belay) -> None:
    said = belay("policy", "show", "checkout_wording").output
    for words in (
        "3d to 14d of data time",
        "a look every 10m",
        "1d: then silence means no",
        "4h: then silence means yes",
        "always",
        "5 % never see any of its changes",
        "3 variants a change, 1 live, 6 widenings a day",
    ):
        assert words in " ".join(said.split()), f"{words!r} is not in\n{said}"


def test_haste_is_a_warning_of_check_and_of_doctor(belay: Belay, policies: Path) -> None:
    fine = belay("policy", "check")
    assert "warning" not in fine.output
    file = policies / "checkout_wording.yaml"
    file.write_text(file.read_text() + "approval: {notice: 15s}\n")
    checked = belay("policy", "check")
    assert checked.exit_code == 0
    assert "warning: checkout_wording: approval.notice is 15s: under 15 minutes" in checked.output
    (warning,) = json.loads(belay("policy", "check", "--json").stdout)["warnings"]
    assert "checkout_wording" in warning
    (said,) = [f for f in json.loads(belay("doctor", "--json").stdout) if f["part"] == "policies"]
    assert "warns of checkout_wording" in said["detail"]


def test_an_unknown_suite_is_named(belay: Belay, policies: Path) -> None:
    file = policies / "checkout_wording.yaml"
    file.write_text(file.read_text() + "suites: [exposure]\n")
    checked = belay("policy", "check")
    assert checked.exit_code == 1
    assert "there is no suite 'exposure' in expectations/ (found 'exposure'); did you mean" in checked.output
