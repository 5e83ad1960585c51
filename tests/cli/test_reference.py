"""The tables of commands and settings in docs/cli.md are what the code says."""

from __future__ import annotations

from belay.cli.reference import PAGE, written


def test_docs_cli_lists_every_command_and_setting_as_they_are() -> None:
    page = PAGE.read_text()
    assert page == written(page), "run `python -m belay.cli.reference`"
