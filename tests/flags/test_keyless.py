"""Units without a targeting key see control, and every share is exact, with the real flagd evaluator."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belay.domain.proposal import CONTROL, Variant
from belay.flags import flagd_format
from belay.flags.flagd import FlagdFile
from belay.flags.target import ServedFlag

MakeFlag = Callable[..., ServedFlag]
KEYS = [f"hint-{number}" for number in range(150)]
"""At 1 % about one constant in a hundred falls into the treatment: enough flags to meet some."""


def variants(count: int) -> tuple[Variant, ...]:
    return tuple(Variant(f"v{number}", {"n": number}) for number in range(count))


@pytest.mark.parametrize("key", [None, ""])
@pytest.mark.parametrize("scope", [100, 10_000])
@pytest.mark.parametrize(
    "changes", [{}, {"holdout": 500, "holdout_salt": "checkout"}, {"variants": variants(3)}]
)
def test_without_a_key_everybody_sees_control(
    target: FlagdFile, make_flag: MakeFlag, evaluate, key: str | None, scope: int, changes: dict[str, Any]
) -> None:
    target.apply_all(make_flag(key=flag, scope=scope, **changes) for flag in KEYS)
    assert {evaluate_once(evaluate, target, flag, key) for flag in KEYS[:1]} == {CONTROL}
    assert set(all_of(target, key)) == {CONTROL}


def evaluate_once(evaluate, target: FlagdFile, flag: str, key: str | None) -> str:
    return evaluate(target.path, flag, [key])[0].variant


def all_of(target: FlagdFile, key: str | None) -> list[str]:
    """Evaluate every flag for one key, with the provider that `evaluate_once` has opened on the file."""
    from openfeature import api
    from openfeature.evaluation_context import EvaluationContext

    client = api.get_client()
    return [client.get_object_details(flag, {}, EvaluationContext(key)).variant for flag in KEYS]


def test_a_key_changes_nothing_for_who_has_one(target: FlagdFile, make_flag: MakeFlag, evaluate) -> None:
    """The same units as before keyless ones were kept out: nobody changes sides when Belay is updated."""
    flag = make_flag(scope=2500, holdout=500, holdout_salt="checkout", variants=variants(2))
    units = [f"unit-{number}" for number in range(3000)]
    target.apply(flag)
    now = [seen.variant for seen in evaluate(target.path, flag.key, units)]
    document = json.loads(target.path.read_text())
    document["flags"][flag.key] = flagd_format._earlier_definition(flag)
    target.path.write_text(json.dumps(document))
    assert [seen.variant for seen in evaluate(target.path, flag.key, units)] == now
    assert target.read(flag.key) == flag, "what an earlier Belay wrote is not changed by hand"
    target.apply(make_flag(scope=0, epoch=2))


def test_one_basis_point_of_two_treatments_reaches_both(
    target: FlagdFile, make_flag: MakeFlag, evaluate
) -> None:
    target.apply(make_flag(scope=1, variants=variants(2)))
    seeing = {3742: "v0", 4036: "v1", 22922: "v0", 58694: "v0"}
    """All that see it of the first 60,000, which takes too long to ask for every time."""
    asked = sorted({*range(5_000), *seeing})
    details = evaluate(target.path, "calm-button", [f"u{number}" for number in asked])
    seen = {number: one.variant for number, one in zip(asked, details, strict=True) if one.variant != CONTROL}
    assert seen == seeing


scopes = st.integers(1, 10_000)


@given(scope=scopes, count=st.integers(1, 20))
def test_every_share_is_exact(scope: int, count: int) -> None:
    flag = ServedFlag("k", scope, variants(count), None, 1)
    weights = weights_of(flag)
    total = sum(weight for _, weight in weights)
    shown = sum(weight for name, weight in weights if name != CONTROL)
    assert Fraction(shown, total) == Fraction(scope, 10_000)
    assert total < 2**31, "evaluators add weights up in 32 bits"
    assert all(isinstance(weight, int) for _, weight in weights)


@given(ramp=st.lists(scopes, min_size=2, max_size=4, unique=True), count=st.integers(1, 20))
def test_widening_takes_nobody_out_of_a_treatment(ramp: list[int], count: int) -> None:
    steps = [ranges_of(ServedFlag("k", scope, variants(count), None, 1)) for scope in sorted(ramp)]
    for before, after in pairwise(steps):
        for name, (low, high) in before.items():
            assert after[name][0] == low
            assert after[name][1] >= high


@given(scope=scopes, count=st.integers(1, 20))
def test_an_exact_share_takes_nobody_out_of_a_rounded_one(scope: int, count: int) -> None:
    flag = ServedFlag("k", scope, variants(count), None, 1)
    rounded, exact = bounds(flagd_format._rounded_split(flag)), ranges_of(flag)
    for name, (low, high) in rounded.items():
        assert exact[name][0] == low
        assert exact[name][1] >= high


def weights_of(flag: ServedFlag) -> list[tuple[str, int]]:
    _, rule, otherwise = flagd_format.to_definition(flag)["targeting"]["if"]
    assert otherwise == CONTROL
    return [(name, weight) for name, weight in rule["fractional"][1:]]


def ranges_of(flag: ServedFlag) -> dict[str, tuple[Fraction, Fraction]]:
    return bounds(weights_of(flag))


def bounds(weights: list[Any]) -> dict[str, tuple[Fraction, Fraction]]:
    total, at, found = sum(weight for _, weight in weights), 0, {}
    for name, weight in weights:
        if name != CONTROL:
            found[name] = (Fraction(at, total), Fraction(at + weight, total))
        at += weight
    return found
