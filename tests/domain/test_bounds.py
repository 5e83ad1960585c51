"""Exact bounds, against SciPy's beta distribution."""

import pytest
from scipy.stats import beta, binomtest

from belay.domain.bounds import beta_quantile, beta_share, lower_bound, upper_bound


@pytest.mark.parametrize(("hits", "of"), [(0, 1), (0, 40), (1, 1), (1, 30), (3, 17), (12, 12), (500, 2000)])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
def test_bounds_are_those_of_clopper_and_pearson(hits, of, confidence):
    assert upper_bound(hits, of, confidence) == pytest.approx(
        binomtest(hits, of).proportion_ci(2 * confidence - 1, "exact").high, abs=1e-9
    )
    assert lower_bound(hits, of, confidence) == pytest.approx(
        binomtest(hits, of).proportion_ci(2 * confidence - 1, "exact").low, abs=1e-9
    )


@pytest.mark.parametrize(("a", "b"), [(0.3, 0.4), (1.7, 9.2), (40.5, 3.1), (1, 1), (900, 15)])
def test_the_incomplete_beta_function_and_its_quantile(a, b):
    for x in (1e-6, 0.05, 0.4, 0.77, 0.9999):
        assert beta_share(x, a, b) == pytest.approx(beta.cdf(x, a, b), rel=1e-9, abs=1e-12)
    for probability in (0.01, 0.5, 0.95):
        assert beta_quantile(probability, a, b) == pytest.approx(beta.ppf(probability, a, b), rel=1e-7)


def test_evidence_that_fades_only_loosens_the_bound():
    bounds = [upper_bound(0.0, weight, 0.9) for weight in (30, 15, 7.5, 1, 0.1)]
    assert bounds == sorted(bounds)
    assert upper_bound(0, 0, 0.9) == 1
    assert lower_bound(0, 0, 0.9) == 0


def test_no_quantile_of_nonsense():
    with pytest.raises(ValueError, match="no beta quantile"):
        beta_quantile(1.5, 1, 1)


@pytest.mark.parametrize(
    ("probability", "a", "b"), [(-1e-9, 1, 1), (1 + 1e-9, 1, 1), (0.5, 0, 1), (0.5, 1, 0), (0.5, -1, 1)]
)
def test_what_is_no_probability_or_parameter_is_refused(probability: float, a: float, b: float) -> None:
    with pytest.raises(ValueError, match="no beta quantile"):
        beta_quantile(probability, a, b)


def test_the_ends_of_a_beta_variable() -> None:
    assert beta_quantile(0, 2, 3) == pytest.approx(0, abs=1e-15)
    assert beta_quantile(1, 2, 3) > 0.9999
    assert (beta_share(0, 2, 3), beta_share(1, 2, 3)) == (0, 1)
    assert (beta_share(-0.1, 2, 3), beta_share(1.1, 2, 3)) == (0, 1)
    assert (upper_bound(2, 2, 0.9), lower_bound(0, 2, 0.9)) == (1, 0)


def test_a_hair_more_hits_than_evidence_is_all_of_it() -> None:
    assert lower_bound(3, 2, 0.9) == pytest.approx(beta_quantile(0.1, 3, 1))
    assert upper_bound(3, 2, 0.9) == 1
