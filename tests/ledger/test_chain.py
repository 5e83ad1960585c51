"""The hash of an entry is what anybody can compute from its columns, and from nothing else."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belay.ledger.chain import GENESIS, hash_of

texts = st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=8, max_size=8)
COLUMNS = ("2026-03-02T09:00:00.000000+00:00", "freeze.set", "human:nora", "", "", "AAAA", "{}", GENESIS)


@given(seq=st.integers(1, 2**63 - 1), columns=texts)
def test_it_is_that_of_the_columns_as_a_json_array(seq: int, columns: list[str]) -> None:
    array = json.dumps([seq, *columns], ensure_ascii=False, separators=(",", ":"))
    assert hash_of(seq, *columns) == hashlib.sha256(array.encode()).hexdigest()


def test_every_character_that_json_writes_in_its_own_way() -> None:
    everything = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x11000))))
    array = json.dumps([1, everything], ensure_ascii=False, separators=(",", ":"))
    assert hash_of(1, everything) == hashlib.sha256(array.encode()).hexdigest()


@pytest.mark.parametrize("value", [b"\x00\x00\x00", 7, 1.5, None])
def test_what_is_no_text_is_never_taken_for_the_text_it_could_be_written_as(value: object) -> None:
    """The bytes are those that base64 writes as ``AAAA``."""
    for place in range(len(COLUMNS)):
        columns: list[object] = [*COLUMNS]
        columns[place] = value
        with pytest.raises(TypeError):
            hash_of(1, *columns)  # type: ignore[arg-type]


def test_text_that_is_no_unicode() -> None:
    with pytest.raises(UnicodeEncodeError):
        hash_of(1, *COLUMNS[:-1], "\udcff")
