"""A copy with changes is what dataclasses.replace gives; in place, the same fields change."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belay.domain.capability_state import CapabilityState
from belay.domain.copying import amend, replace
from belay.domain.request_state import RequestState
from belay.domain.state import OptimizationState, Results, Step


@dataclasses.dataclass(frozen=True, slots=True)
class Small:
    one: int
    other: str = "x"


@given(one=st.integers(), other=st.text(), new=st.integers())
def test_a_copy_with_changes(one: int, other: str, new: int) -> None:
    thing = Small(one, other)
    assert replace(thing, one=new) == dataclasses.replace(thing, one=new)
    assert thing == Small(one, other)


def test_a_field_that_is_not_there() -> None:
    with pytest.raises(KeyError, match="third"):
        replace(Small(1), third=3)
    with pytest.raises(KeyError, match="third"):
        amend(Small(1), {"third": 3})


def test_in_place() -> None:
    thing = Small(1, "y")
    copy = replace(thing)
    amend(thing, {"one": 2})
    assert (thing, copy) == (Small(2, "y"), Small(1, "y"))


@pytest.mark.parametrize("kind", [CapabilityState, OptimizationState, RequestState, Results, Step])
def test_what_is_folded_has_slots_and_nothing_that_a_constructor_would_do(kind: type) -> None:
    assert hasattr(kind, "__slots__")
    assert not hasattr(kind, "__post_init__")
