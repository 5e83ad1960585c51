"""What a draft has shown stays as it was; what it has not shown it may change in place."""

from __future__ import annotations

import copy

import pytest
from tests.support.builders import Rehearsal

from belay.domain.evolve import Draft
from belay.domain.state import OptimizationState, Results, State


def test_an_entity_that_was_shown_is_never_changed() -> None:
    r = Rehearsal().proposed()
    r.widened(steps=2)
    draft = Draft(State())
    for recorded in r.history:
        before = {table: dict(getattr(draft.state(), table)) for table in ("capabilities", "optimizations")}
        kept = copy.deepcopy(before)
        draft.apply(recorded)
        assert before == kept, recorded.event
    assert draft.state() == r.state


def test_an_entity_is_copied_once_while_nobody_looks() -> None:
    r = Rehearsal().proposed()
    r.started()
    draft = Draft(r.state)
    draft.change_step("opt-1", looks=1)
    own = draft.optimizations["opt-1"]
    assert own is not r.state.optimizations["opt-1"]
    draft.change_step("opt-1", looks=2)
    draft.add_results("opt-1", decided_at=r.now)
    assert draft.optimizations["opt-1"] is own
    draft.state()
    draft.change_step("opt-1", looks=3)
    assert draft.optimizations["opt-1"] is not own
    assert own.step is not None
    assert own.step.looks == 2
    assert r.optimization().step is not None
    assert (r.optimization().step.looks, r.optimization().results) == (0, Results())


def test_optimizations_share_no_results() -> None:
    """Results are changed in place: those of one optimization must not be another's."""
    r = Rehearsal().proposed("opt-1")
    r.proposed("opt-2")
    one, other = (r.state.optimizations[name] for name in ("opt-1", "opt-2"))
    assert isinstance(one, OptimizationState)
    assert one.results is not other.results


def test_what_was_dropped_is_gone_until_it_is_put_again() -> None:
    r = Rehearsal().proposed()
    draft = Draft(r.state)
    draft.change_optimization("opt-1", reason="changed")
    draft.drop("optimizations", "opt-1")
    with pytest.raises(KeyError, match="opt-1"):
        draft.change_optimization("opt-1", reason="changed again")
    draft.put("optimizations", "opt-1", copy.copy(r.optimization()))
    draft.change_optimization("opt-1", reason="changed again")
    assert draft.optimizations["opt-1"].reason == "changed again"
    assert draft.touched == {("optimizations", "opt-1")}
