"""Guards the split test: right by independent computations, and one for the data gate and the window."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest, chisquare
from tests.measurement.conftest import START

from belay.cells.plan import Phase
from belay.measurement.monitor import split_of
from belay.measurement.srm import srm_test


@pytest.mark.parametrize(
    ("counts", "shares"),
    [((4_965, 5_035), (0.5, 0.5)), ((9_600, 400), (0.95, 0.05)), ((900, 60, 40), (0.9, 0.05, 0.05))],
)
def test_agrees_with_scipy(counts, shares):
    names = [f"v{n}" for n in range(len(counts))]
    test = srm_test(dict(zip(names, counts, strict=True)), dict(zip(names, shares, strict=True)))
    expected = chisquare(counts, np.array(shares) * sum(counts))
    assert test.p == pytest.approx(expected.pvalue, rel=1e-12)
    assert test.mismatch == (expected.pvalue < 0.001)


def test_few_units_are_tested_exactly():
    test = srm_test({"control": 97, "treatment": 8}, {"control": 0.99, "treatment": 0.01})
    assert test.p == pytest.approx(binomtest(8, 105, 0.01).pvalue, rel=1e-12)
    assert test.mismatch


def test_too_few_units_of_many_variants_are_not_tested():
    test = srm_test({"control": 97, "a": 1}, {"control": 0.98, "a": 0.01, "b": 0.01})
    assert test.p is None
    assert not test.mismatch


def test_a_variant_that_nobody_should_get_is_a_mismatch():
    test = srm_test({"control": 500, "treatment": 500, "ghost": 1}, {"control": 0.5, "treatment": 0.5})
    assert test.unplanned == ("ghost",)
    assert test.mismatch


def test_a_variant_without_units_counts_as_zero():
    assert srm_test({"control": 1_000}, {"control": 0.5, "treatment": 0.5}).mismatch


def test_no_units_are_no_test():
    assert srm_test({}, {"control": 0.5, "treatment": 0.5}).p is None


@pytest.mark.parametrize(
    ("counts", "shares"), [({"a": 1}, {}), ({"a": 1}, {"a": -1.0}), ({"a": -1}, {"a": 1.0})]
)
def test_impossible_input_is_refused(counts, shares):
    with pytest.raises(ValueError, match="negative"):
        srm_test(counts, shares)


def test_false_alarms_keep_their_level():
    rng = np.random.default_rng(5)
    treated = rng.binomial(20_000, 0.05, 20_000)
    shares = {"control": 0.95, "treatment": 0.05}
    alarms = sum(
        srm_test({"control": 20_000 - int(t), "treatment": int(t)}, shares).mismatch for t in treated[:5_000]
    )
    assert alarms <= 15


@pytest.mark.parametrize("treated", range(16))
def test_the_window_tests_a_split_as_the_data_gate_does(make_plan, make_cells, treated):
    shares = {"control": 0.99, "b": 0.01}
    plan = make_plan(segments=(), phase=Phase(0, START, 100, shares))
    cells = make_cells(plan, days=1)
    cells = replace(cells, units=np.array([[[99.0, float(treated)]]]))
    at_the_gate = srm_test({"control": 99, "b": treated}, shares)
    in_the_window = split_of(cells, plan)
    assert in_the_window.p == at_the_gate.p
    assert in_the_window.mismatch == at_the_gate.mismatch
