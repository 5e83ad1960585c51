"""The hold-back: completing moves nobody back, and a turn moves each unit at most once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from belay.domain.proposal import CONTROL, Variant
from belay.flags.flagd import FlagdFile
from belay.flags.flagd_format import to_definition
from belay.flags.target import ServedFlag
from belay_lab.shop.assign import Assigner

UNITS = [f"unit-{number}" for number in range(4000)]


def flag(scope: int, epoch: int, holdback: int = 0, rotation: int = 0, variants: int = 1) -> ServedFlag:
    shown = tuple(Variant(f"v{number}", {"n": number}) for number in range(variants))
    return ServedFlag(
        "change", scope, shown, {"n": -1}, epoch, surface="checkout", holdback=holdback, rotation=rotation
    )


@pytest.fixture
def assigned(tmp_path: Path):
    path = tmp_path / "flags.flagd.json"
    target, assigner = FlagdFile(path), Assigner(path)

    def serve(wanted: ServedFlag) -> list[str]:
        target.apply(wanted)
        assert target.read("change") is not None
        assigner.live()
        return assigner.variants("change", UNITS, {})

    yield serve
    assigner.close()


@pytest.mark.parametrize("variants", [1, 2])
def test_completing_moves_nobody_back_and_turns_move_each_once(assigned, variants: int) -> None:
    before = assigned(flag(2500, 1, variants=variants))
    complete = assigned(flag(10_000, 2, 500, 0, variants))
    assert all(now == then for then, now in zip(before, complete, strict=True) if then != CONTROL)
    held = [{u for u, seen in zip(UNITS, complete, strict=True) if seen == CONTROL}]
    assert 0.03 < len(held[0]) / len(UNITS) < 0.07
    for turn in (1, 2, 3):
        now = assigned(flag(10_000, 2 + turn, 500, turn, variants))
        held.append({u for u, seen in zip(UNITS, now, strict=True) if seen == CONTROL})
        assert not held[-1] & held[-2]
        moved = [u for u, a, b in zip(UNITS, complete, now, strict=True) if a != b]
        assert set(moved) == held[-1] | held[0]
    assert CONTROL not in assigned(flag(10_000, 9, variants=variants))


def test_after_every_turn_it_is_the_first_units_again() -> None:
    first, last = (to_definition(flag(10_000, 1, 2000, turn)) for turn in (0, 5))
    assert first["targeting"] == last["targeting"]


def test_a_flag_without_a_holdback_is_written_as_before() -> None:
    definition = to_definition(flag(10_000, 1))
    assert "belay_holdback" not in json.dumps(definition)
