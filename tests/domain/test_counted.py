"""One of something is never told as many: "1 person", "2 people", "1 entry"."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from belay.domain.figures import counted, share_of

PACKAGE = Path(__file__).resolve().parents[2] / "include" / "belay"


@pytest.mark.parametrize(
    ("count", "noun", "said"),
    [
        (1, "person", "1 person"),
        (2, "person", "2 people"),
        (0, "capability", "0 capabilities"),
        (1, "entry", "1 entry"),
        (1_000, "open request", "1,000 open requests"),
        (2, "look", "2 looks"),
        (2, "day", "2 days"),
    ],
)
def test_a_count_agrees_with_its_noun(count: int, noun: str, said: str) -> None:
    assert counted(count, noun) == said


@pytest.mark.parametrize(
    ("text", "share"), [("1 %", 0.01), ("0.5%", 0.005), ("−4 %", -0.04), ("1", None), (1, None)]
)
def test_percent_is_a_text_that_says_so(text: object, share: float | None) -> None:
    assert share_of(text) == share


def test_nobody_writes_a_plural_after_len() -> None:
    """`f"{len(x)} people"` says "1 people": `counted` does not."""
    wrong = re.compile(r"\{len\(\w+\)\} (people|capabilities|entries|errors|open requests)\b")
    found = [f"{file}: {m[0]}" for file in PACKAGE.rglob("*.py") for m in wrong.finditer(file.read_text())]
    assert not found
