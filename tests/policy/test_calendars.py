"""Calendars in the policy files: read as they are meant, refused with what would be right."""

from datetime import UTC, datetime

import pytest


def use(folder, name):
    folder.edit("example", "owner: carla", f"owner: carla\ncalendar: {name}")


def test_the_shipped_calendar_is_what_it_says(folder):
    use(folder, "office")
    calendar = folder.load().capabilities["example"].calendar
    friday = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)  # 15:00 in Berlin
    assert calendar.after(friday, 2 * 3600) == datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    assert "sales days" in (calendar.freeze_at(datetime(2026, 11, 26, 12, 0, tzinfo=UTC)) or "")


def test_without_the_file_time_runs_round_the_clock(folder):
    (folder.path / "_calendar.yaml").unlink()
    assert folder.load().capabilities["example"].calendar.name == "always"


def test_a_changed_calendar_is_a_changed_policy(folder):
    use(folder, "office")
    before = folder.load().capabilities["example"].digest
    folder.edit("_calendar", "monday: 09:00-17:00", "monday: 10:00-17:00")
    assert folder.load().capabilities["example"].digest != before


def test_an_unknown_calendar_is_named(folder):
    use(folder, "ofice")
    assert "calendar 'ofice' is not in _calendar.yaml" in folder.error()
    assert folder.error().endswith("did you mean 'office'?")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Europe/Berlin", "Europe/Berln", "there is no such time zone"),
        ("monday: 09:00-17:00", "monday: 09:00-29:00", "this is no time of day"),
        ("monday: 09:00-17:00", "monday: 17:00-09:00", "the day ends before it begins"),
        ("monday: 09:00-17:00", "mondy: 09:00-17:00", "mondy"),
        ('"2026-12-25"', '"2026-12-32"', "there is no such day"),
        ("[saturday, sunday]", "[saturn]", "saturn"),
        ('last: "2026-11-30"', 'last: "2026-11-03"', "the freeze ends before it begins"),
        (", reason: sales days", "", "'reason' is missing"),
    ],
)
def test_a_broken_calendar_breaks_only_those_who_use_it(folder, old, new, said):
    folder.edit("_calendar", old, new)
    loaded = folder.load()
    assert set(loaded.capabilities) == {"example"}
    assert any(said in str(error) and error.file == "_calendar.yaml" for error in loaded.errors), (
        loaded.errors
    )
    use(folder, "office")
    assert folder.load().capabilities == {}


def test_silence_escalates_to_somebody(folder):
    folder.edit("_defaults", "  escalate_to: [director]\n", "")
    assert "silence would escalate to nobody" in folder.error()


def test_a_share_is_a_share(folder):
    folder.edit("_defaults", "remind_after: 0.5 ", "remind_after: 50 ")
    assert "it must be ≤ 1" in folder.error()
