"""What the domain hands around cannot be changed; what is left out means nothing, but for one table."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

import pytest

import belay.domain
from belay.domain.autonomy import DEFAULT_CRITERIA, DEFAULT_LEASES, Criteria, DemotionRule
from belay.domain.capability import CapabilityPolicy, SupervisionRule
from belay.domain.metrics import Grain
from belay.domain.request_state import RequestStatus
from belay.domain.scope import NO_HOLDBACK
from belay.domain.stages import Stage

DAY = 86_400.0

SAID_FOR_YOU: dict[str, dict[str, Any]] = {
    "DemotionRule": {"harm_rate": 0.2, "within_seconds": 30 * DAY, "again_seconds": DAY},
    "AutonomyRule": {
        "criteria": dict(DEFAULT_CRITERIA),
        "leases": dict(DEFAULT_LEASES),
        "renew_before_seconds": 14 * DAY,
        "half_life_seconds": 90 * DAY,
        "confidence": 0.9,
        "max_expired": 0.25,
        "quorum": 1,
    },
    "Calendar": {"name": "always", "zone": "UTC"},
    "ErrorRates": {"alpha": 0.05, "power": 0.8, "fdr": 0.2},
    "ApprovalRule": {"remind_after": 1.0, "escalate_after": 1.0},
    "Limits": {"proposals_per_day": 50, "proposal_bytes": 65_536, "proposal_depth": 16},
    "GuardRule": {
        "harm_per_week": 7_000.0,
        "live_per_surface": 1_000,
        "variants_per_surface": 1_000,
        "changes_per_unit": 1_000,
    },
    "SupervisionRule": {
        "max_pending_each": 10,
        "hasty_seconds": 10.0,
        "max_hasty_share": 0.5,
        "least_answers": 10,
        "period_seconds": 30 * DAY,
    },
    "Metric": {"grain": Grain.TIME},
    "Proposal": {"reversible": True, "measurable": True},
    "Person": {"active": True},
    "RequestState": {"status": RequestStatus.OPEN},
}
"""What a policy, a proposal or a roster need not say.

Everything else that can be left out means nothing: none, empty, zero, no. An entry of the ledger that was
written before a field was there is read so, and folds to what it folded to then.
"""


def values() -> Iterator[type]:
    """Yield every class of data that the domain defines."""
    for module in pkgutil.walk_packages(belay.domain.__path__, "belay.domain."):
        for kind in vars(importlib.import_module(module.name)).values():
            if isinstance(kind, type) and is_dataclass(kind) and kind.__module__ == module.name:
                yield kind


def means_nothing(default: Any) -> bool:
    """Return whether a value is none, empty, zero or no, all the way down where it is data itself."""
    if is_dataclass(default):
        return all(
            getattr(default, field.name) == left_out(type(default), field) for field in fields(default)
        )
    return default is None or default in (0, "", (), {}, frozenset())


def left_out(kind: type, field: Any) -> Any:
    """Return what a field is where nobody says: the table's value, or nothing."""
    said = SAID_FOR_YOU.get(kind.__name__, {})
    if field.name in said:
        return said[field.name]
    return field.default_factory() if field.default_factory is not MISSING else field.default


@pytest.mark.parametrize("kind", list(values()), ids=lambda kind: kind.__name__)
def test_it_is_frozen_and_has_no_room_for_more(kind: type) -> None:
    one: object = object.__new__(kind)
    assert "__slots__" in vars(kind)
    assert not hasattr(one, "__dict__")
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", list(values()), ids=lambda kind: kind.__name__)
def test_what_is_left_out_means_nothing_but_where_the_table_says(kind: type) -> None:
    said = SAID_FOR_YOU.get(kind.__name__, {})
    for field in fields(kind):
        given = field.default_factory is not MISSING
        default = field.default_factory() if given else field.default  # type: ignore[misc]
        if field.name in said:
            assert (default, type(default)) == (said[field.name], type(said[field.name])), field.name
        elif default is not MISSING:
            assert means_nothing(default), (field.name, default)


def test_the_table_names_only_what_there_is() -> None:
    named = {kind.__name__: {field.name for field in fields(kind)} for kind in values()}
    assert [
        (kind, name) for kind, names in SAID_FOR_YOU.items() for name in names if name not in named[kind]
    ] == []


def test_the_ladder_that_holds_where_no_policy_says_another() -> None:
    assert dict(DEFAULT_CRITERIA) == {
        Stage.OBSERVE: Criteria(7, 0, 10, None, None, 0.5, None, None, None),
        Stage.SUGGEST: Criteria(14, 5, 0, 0.45, 0.45, 0.5, 0.8, None, None),
        Stage.SUPERVISED: Criteria(28, 12, 0, 0.25, 0.3, None, 0.9, 2.0, 0.02),
        Stage.BOUNDED: Criteria(56, 15, 0, 0.2, 0.25, None, 0.9, 1.5, 0.01),
    }
    leased = (Stage.SUPERVISED, Stage.BOUNDED, Stage.AUTONOMOUS)
    assert dict(DEFAULT_LEASES) == dict.fromkeys(leased, 90 * DAY)
    with pytest.raises(TypeError):
        DEFAULT_CRITERIA[Stage.OBSERVE] = Criteria()  # type: ignore[index]


def test_a_policy_that_says_no_more_has_the_usual_rules() -> None:
    usual = {field.name: field.default for field in fields(CapabilityPolicy)}
    assert (usual["supervision"], usual["holdback"]) == (SupervisionRule(), NO_HOLDBACK)
    assert DemotionRule().within_seconds / DAY == 30
