"""Data time: a file says it where a world is simulated; without one it is the wall clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from belay.clock import CLOCK_FILE, data_now, set_data_now, write_atomically


def test_without_a_file_it_is_the_wall_clock(tmp_path: Path) -> None:
    assert abs(data_now(tmp_path) - datetime.now(UTC)) < timedelta(minutes=1)


def test_what_was_set_is_read(tmp_path: Path) -> None:
    moment = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
    set_data_now(tmp_path / "home", moment)
    assert data_now(tmp_path / "home") == moment
    assert [p.name for p in (tmp_path / "home").iterdir()] == [CLOCK_FILE]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"data_now": 3}', '{"data_now": "soon"}'])
def test_a_broken_file_is_said_and_never_guessed(tmp_path: Path, content: str) -> None:
    (tmp_path / CLOCK_FILE).write_text(content)
    with pytest.raises(ValueError, match=r"clock\.json does not hold a data time: delete it"):
        data_now(tmp_path)


def test_a_failed_write_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "new \ud800")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
