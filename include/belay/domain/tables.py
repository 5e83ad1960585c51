"""The tables of a state while it is folded: each entity copied once, then changed in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from belay.domain.copying import amend, replace
from belay.domain.recorded import Recorded
from belay.domain.state import (
    OptimizationState,
    State,
)


class Tables:
    """The tables of a state being folded, and which entities changed, so that projections follow cheaply.

    An entity is copied at its first change; from then on its own copy is changed, until it is shown.
    """

    def __init__(self, state: State) -> None:
        self.seq = state.seq
        self.capabilities = dict(state.capabilities)
        self.optimizations = dict(state.optimizations)
        self.requests = dict(state.requests)
        self.freezes = dict(state.freezes)
        self.delegations = dict(state.delegations)
        self.blind = dict(state.blind)
        self.lifted = dict(state.lifted)
        self.people = dict(state.people)
        self.agents = dict(state.agents)
        self.touched: set[tuple[str, str]] = set()
        self._own: dict[tuple[str, str], Any] = {}

    def put(self, table: str, key: str, entity: Any) -> None:
        """Store ``entity``, made for this draft alone, under ``key`` of ``table``."""
        getattr(self, table)[key] = entity
        self.touched.add((table, key))
        self._own[table, key] = entity

    def drop(self, table: str, key: str) -> None:
        """Remove ``key`` from ``table``."""
        getattr(self, table).pop(key, None)
        self.touched.add((table, key))
        self._own.pop((table, key), None)

    def change(self, table: str, key: str, **changes: Any) -> None:
        """Replace fields of one entity."""
        amend(self._owned(table, key), changes)

    def change_optimization(self, key: str, **changes: Any) -> None:
        """Replace fields of one optimization."""
        amend(self._owned("optimizations", key), changes)

    def change_step(self, key: str, **changes: Any) -> None:
        """Replace fields of the step that one optimization is at."""
        amend(self._owned("optimizations", key).step, changes)

    def add_results(self, key: str, **changes: Any) -> None:
        """Replace fields of what one optimization adds to its capability's record."""
        amend(self._owned("optimizations", key).results, changes)

    def _owned(self, table: str, key: str) -> Any:
        """Return the draft's own copy of an entity, and of the parts of it that are changed in place."""
        entity = self._own.get((table, key))
        if entity is None:
            entity = replace(getattr(self, table)[key])
            if isinstance(entity, OptimizationState):
                step = None if entity.step is None else replace(entity.step)
                amend(entity, {"step": step, "results": replace(entity.results)})
            self.put(table, key, entity)
        return entity

    def state(self) -> State:
        """Return the folded state: from now on its entities are never changed in place."""
        self._own.clear()
        return State(
            self.seq,
            self.capabilities,
            self.optimizations,
            self.requests,
            self.freezes,
            self.delegations,
            self.blind,
            self.lifted,
            self.people,
            self.agents,
        )


Fold = Callable[[Any, Tables, Recorded], None]
"""How one kind of event changes the tables."""
