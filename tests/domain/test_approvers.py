"""I2, I3 and I4 over random orders of what people do: votes, vetoes, delegations, expiries, new evidence."""

from __future__ import annotations

from collections import Counter

from tests.support.approvers import Approvers
from tests.support.profiles import name

_SEQUENCES = {"mutation": 600, "laptop": 600, "ci": 5_000, "nightly": 50_000}
_MOVES = 40
_MUST_HAPPEN = (
    "approval.granted",
    "approval.reminded",
    "approval.escalated",
    "delegation.given",
    "delegation.ended",
    "lent vote",
    "optimization.ended",
    "request granted",
    "request rejected",
    "request expired",
    "request void",
    "scope.widening",
    "scope.confirmed",
    "veto.cast",
)


def test_whatever_people_do_in_whatever_order() -> None:
    happened: Counter[str] = Counter()
    for seed in range(_SEQUENCES[name()]):
        try:
            happened.update(set(Approvers(seed).play(_MOVES)))
        except AssertionError as error:
            error.add_note(f"Approvers({seed}).play({_MOVES})")
            raise
    never = [kind for kind in _MUST_HAPPEN if not happened[kind]]
    assert not never, f"no sequence came to {never}: the moves have to be drawn otherwise"
