"""Assignment: the product sees what the flags file says, and keeps its last reading when that is broken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from belay.domain.proposal import CONTROL, Variant
from belay.flags.flagd import FlagdFile
from belay.flags.target import ServedFlag
from belay_lab.shop import assign
from belay_lab.shop.assign import Assigner

UNITS = [f"unit-{i}" for i in range(400)]


def show(path: Path, scope: int, epoch: int, audience: dict[str, str] | None = None) -> None:
    variants = (Variant("treatment", {"label": "now"}),)
    FlagdFile(path).apply(
        ServedFlag("calm-button", scope, variants, None, epoch, surface="checkout", audience=audience or {})
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "flags.json"


@pytest.fixture
def assigner(path: Path) -> Iterator[Assigner]:
    one = Assigner(path)
    yield one
    one.close()


def seen(assigner: Assigner, device: str = "mobile") -> list[str]:
    assigner.live()
    return assigner.variants("calm-button", UNITS, {"device": [device] * len(UNITS)})


def test_without_flags_nobody_sees_anything(assigner: Assigner) -> None:
    assert assigner.live() == {}
    assert set(seen(assigner)) == {CONTROL}


def test_a_widening_and_a_roll_back_change_who_sees_what_at_once(assigner: Assigner, path: Path) -> None:
    show(path, 2500, 1)
    assert assigner.live() == {"checkout": ("calm-button",)}
    first = seen(assigner)
    assert first.count("treatment") == pytest.approx(100, abs=30)
    show(path, 10_000, 2)
    assert set(seen(assigner)) == {"treatment"}
    show(path, 0, 3)
    assert assigner.live() == {}
    assert set(seen(assigner)) == {CONTROL}
    show(path, 2500, 4)
    assert seen(assigner) == first


def test_attributes_reach_the_flag(assigner: Assigner, path: Path) -> None:
    show(path, 10_000, 1, {"device": "mobile"})
    assert set(seen(assigner)) == {"treatment"}
    assigner._known.clear()
    assert set(seen(assigner, "desktop")) == {CONTROL}


def test_forgetting_answers_changes_none(
    assigner: Assigner, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    show(path, 2500, 1)
    first = seen(assigner)
    monkeypatch.setattr(assign, "_REMEMBERED", 10)
    assert seen(assigner) == first
    assert seen(assigner) == first


@pytest.mark.parametrize("content", ["", "{", "[]", '{"flags": []}', '{"flags": {"calm-button": 3}}'])
def test_a_broken_file_leaves_the_last_reading(assigner: Assigner, path: Path, content: str) -> None:
    show(path, 2500, 1)
    before = seen(assigner)
    path.write_text(content)
    assert seen(assigner) == before
    path.unlink()
    assert seen(assigner) == before
    show(path, 10_000, 2)
    assert set(seen(assigner)) == {"treatment"}


def test_a_flag_that_nobody_defined_shows_control(assigner: Assigner, path: Path) -> None:
    show(path, 10_000, 1)
    assigner.live()
    assert set(assigner.variants("other", UNITS, {})) == {CONTROL}
