"""Our formulas beside independent implementations of them, to nine digits, and frozen golden vectors."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import tea_tasting as tt
from abkit.stats.sequential import sequentialize
from abkit.stats.srm import sequential_multinomial_srm, srm_check
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.special import betaln
from scipy.stats import norm
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW
from ville._boundaries import best_rho, normal_mixture

from belay.measurement.counts import log_e_counts, rate_ratio_bounds
from belay.measurement.sequences import (
    critical_one_sided,
    critical_two_sided,
    e_benjamini_hochberg,
    log_e,
    log_e_two_sided,
    tuning,
)
from belay.measurement.srm import chi_square, log_e_split
from belay.measurement.strata import Contrast, contrast, pieces

Floats = NDArray[np.float64]
EXACT = {"rel": 1e-9, "abs": 1e-12}


def one_stratum(treated: Floats, control: Floats, **kind: bool) -> Contrast:
    """Compare two samples, rows units and columns values, without strata."""
    n = np.array([[len(treated), len(control)]], dtype=np.float64)
    mean = np.stack([treated.mean(axis=0), control.mean(axis=0)])[None]
    scatter = np.stack([(x - x.mean(axis=0)).T @ (x - x.mean(axis=0)) for x in (treated, control)])[None]
    return contrast(pieces(n, mean, scatter).total(), **kind)


@pytest.fixture(scope="module")
def samples() -> tuple[Floats, Floats]:
    """Clicks, sessions and a pre-exposure value of 300 treated and 900 control users."""
    rng = np.random.default_rng(21)

    def draw(n: int, rate: float) -> Floats:
        sessions = 1 + rng.poisson(3.0, n)
        skill = rng.beta(2, 8, n)
        clicks = rng.binomial(sessions, np.clip(skill * rate, 0, 1))
        before = skill * 10 + rng.standard_normal(n)
        return np.column_stack([clicks, sessions, before - before.mean()]).astype(np.float64)

    return draw(300, 1.2), draw(900, 1.0)


def frame(treated: Floats, control: Floats) -> pd.DataFrame:
    data = pd.DataFrame(np.vstack([treated, control]), columns=["clicks", "sessions", "before"])
    return data.assign(variant=[1] * len(treated) + [0] * len(control), one=1.0)


def interval_of(found: Contrast) -> tuple[float, float, float]:
    half = norm.isf(0.025) * math.sqrt(float(found.variance_t + found.variance_c))
    return float(found.difference), float(found.difference) - half, float(found.difference) + half


@pytest.mark.parametrize(
    ("metric", "columns", "kind"),
    [
        (tt.Mean("clicks", equal_var=True, use_t=False), [0], {}),
        (tt.RatioOfMeans("clicks", "sessions", equal_var=True, use_t=False), [0, 1], {"ratio": True}),
        (tt.Mean("clicks", "before", equal_var=True, use_t=False), [0, 2], {"covariate": True}),
        (
            tt.RatioOfMeans("clicks", "sessions", "before", "one", equal_var=True, use_t=False),
            [0, 1, 2],
            {"ratio": True, "covariate": True},
        ),
    ],
    ids=["mean", "ratio", "mean with CUPED", "ratio with CUPED"],
)
def test_means_ratios_and_cuped_agree_with_tea_tasting(
    samples: tuple[Floats, Floats], metric: tt.RatioOfMeans, columns: list[int], kind: dict[str, bool]
) -> None:
    treated, control = samples
    result = metric.analyze(frame(treated, control), 0, 1, variant="variant")
    found = one_stratum(treated[:, columns], control[:, columns], **kind)
    expected = (result.effect_size, result.effect_size_ci_lower, result.effect_size_ci_upper)
    assert interval_of(found) == pytest.approx(expected, **EXACT)
    assert (float(found.treatment), float(found.control)) == pytest.approx(
        (result.treatment, result.control), **EXACT
    )


def test_cuped_takes_its_slope_from_within_the_arms(samples: tuple[Floats, Floats]) -> None:
    treated, control = (sample.copy() for sample in samples)
    treated[:, 2] += 0.3  # tea-tasting takes the slope from both arms together: close, not the same
    result = tt.Mean("clicks", "before", equal_var=True, use_t=False).analyze(
        frame(treated, control), 0, 1, variant="variant"
    )
    found = one_stratum(treated[:, [0, 2]], control[:, [0, 2]], covariate=True)
    within = sum((x[:, 0] - x[:, 0].mean()) @ (x[:, 2] - x[:, 2].mean()) for x in (treated, control))
    spread = sum(((x[:, 2] - x[:, 2].mean()) ** 2).sum() for x in (treated, control))
    gap = treated.mean(axis=0) - control.mean(axis=0)
    assert float(found.difference) == pytest.approx(gap[0] - within / spread * gap[2], **EXACT)
    assert float(found.difference) == pytest.approx(result.effect_size, abs=0.02)


@pytest.mark.parametrize("margin", [0.02, 0.10, -0.05])
def test_the_margin_contrast_agrees_with_statsmodels(samples: tuple[Floats, Floats], margin: float) -> None:
    treated, control = (sample[:, 0] for sample in samples)
    found = one_stratum(treated[:, None], control[:, None])
    means = CompareMeans(DescrStatsW(treated), DescrStatsW((1 - margin) * control))
    z, _ = means.ztest_ind(alternative="larger", usevar="pooled")
    assert float(found.z_margin(1 - margin)) == pytest.approx(z, **EXACT)


def test_no_effect_is_judged_by_the_variance_of_both_arms_together(samples: tuple[Floats, Floats]) -> None:
    treated, control = (sample[:, 0] for sample in samples)
    found = one_stratum(treated[:, None], control[:, None])
    variance = np.concatenate([treated, control]).var(ddof=1) * (1 / len(treated) + 1 / len(control))
    assert float(found.null_variance) == pytest.approx(variance, **EXACT)


def test_strata_are_averaged_by_their_precision() -> None:
    rng = np.random.default_rng(22)
    n = rng.integers(5, 50, (7, 2)).astype(np.float64)
    mean, scatter = rng.normal(1.0, 0.2, (7, 2, 1)), rng.gamma(5, 1, (7, 2, 1, 1))
    found = contrast(pieces(n, mean, scatter).total())
    weight = n.prod(axis=1) / n.sum(axis=1)
    gap = mean[:, 0, 0] - mean[:, 1, 0]
    pooled = scatter[..., 0, 0].sum(axis=1) / (n.sum(axis=1) - 2)
    variance = (weight**2 * pooled * (1 / n).sum(axis=1)).sum() / weight.sum() ** 2
    assert float(found.difference) == pytest.approx((weight * gap).sum() / weight.sum(), **EXACT)
    assert float(found.variance_t + found.variance_c) == pytest.approx(variance, **EXACT)
    assert float(found.information) == pytest.approx(4 * weight.sum(), **EXACT)


@settings(max_examples=200, deadline=None)
@given(
    st.floats(0.1, 10), st.floats(0.1, 10), st.floats(1e-6, 1e-2), st.floats(1e-6, 1e-2), st.floats(0.5, 3.5)
)
def test_the_relative_interval_inverts_the_margin_test(
    treated: float, control: float, v_t: float, v_c: float, critical: float
) -> None:
    found = Contrast(*(np.array(x) for x in (treated, control, v_t, v_c, v_t + v_c, 100.0)))
    for bound, sign in zip(found.relative(critical), (1, -1), strict=True):
        if math.isfinite(bound):
            assert float(found.z_margin(1 + float(bound))) == pytest.approx(sign * critical, rel=1e-6)


@settings(max_examples=200, deadline=None)
@given(st.floats(1, 1e7), st.floats(10, 1e6), st.floats(1e-4, 0.2))
def test_the_one_sided_boundary_agrees_with_ville(information: float, planned: float, alpha: float) -> None:
    rho2 = tuning(alpha, planned)
    z = float(critical_one_sided(information, rho2, alpha))
    boundary = float(normal_mixture(information, alpha, 1 / rho2, one_sided=True)) / math.sqrt(information)
    assert z == pytest.approx(boundary, rel=1e-9)
    assert float(log_e(z, information, rho2)) == pytest.approx(-math.log(alpha), rel=1e-9)


def test_the_tuning_is_near_the_best() -> None:
    alpha = 0.05
    best = float(normal_mixture(1000.0, alpha, best_rho(1000.0, alpha, one_sided=True), one_sided=True))
    ours = float(critical_one_sided(1000.0, tuning(alpha, 1000.0), alpha)) * math.sqrt(1000.0)
    assert ours <= best * 1.002


@settings(max_examples=200, deadline=None)
@given(st.floats(-0.5, 0.5), st.floats(1e-4, 0.2), st.floats(1, 1e6), st.floats(1e-4, 0.2))
def test_the_two_sided_sequence_agrees_with_abkit(
    effect: float, error: float, planned: float, alpha: float
) -> None:
    information = 1 / error**2
    rho2 = tuning(alpha, planned, sided=2)
    low, high, p = sequentialize(effect, error, rho2, alpha)
    half = float(critical_two_sided(information, rho2, alpha)) * error
    assert (effect - half, effect + half) == pytest.approx((low, high), rel=1e-9, abs=1e-12)
    e = math.exp(min(float(log_e_two_sided(effect / error, information, rho2)), 700))
    assert min(1.0, 1 / e) == pytest.approx(p, rel=1e-9, abs=1e-300)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 50_000), min_size=2, max_size=4), st.data())
def test_the_split_agrees_with_abkit(counts: list[int], data: st.DataObject) -> None:
    weights = data.draw(
        st.lists(st.floats(0.05, 1.0), min_size=len(counts), max_size=len(counts)), label="weights"
    )
    shares = np.array(weights) / sum(weights)
    names = [f"arm-{i}" for i in range(len(counts))]
    prior = {name: 1000.0 * share for name, share in zip(names, shares.tolist(), strict=True)}
    split = dict(zip(names, shares.tolist(), strict=True))
    [result] = sequential_multinomial_srm([dict(zip(names, counts, strict=True))], split, prior)
    ours = float(log_e_split(counts, shares, 1000.0))
    assert result.e_value is not None
    if 0 < result.e_value < math.inf:
        assert ours == pytest.approx(math.log(result.e_value), rel=1e-9, abs=1e-7)
    if sum(counts):
        p = srm_check(dict(zip(names, counts, strict=True)), split).pvalue
        assert chi_square(counts, shares.tolist()) == pytest.approx(p, rel=1e-9, abs=1e-300)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60), st.integers(0, 300), st.sampled_from([0.05, 0.2, 0.5]), st.booleans())
def test_the_count_test_is_the_mixture_it_claims_to_be(
    treated: int, control: int, share: float, more: bool
) -> None:
    a, b = 50 * share, 50 * (1 - share)
    low, high = (share, 1.0) if more else (0.0, share)

    def prior(theta: float) -> float:
        return math.exp((a - 1) * math.log(theta) + (b - 1) * math.log1p(-theta) - float(betaln(a, b)))

    def likelihood(theta: float) -> float:
        return math.exp(treated * math.log(theta / share) + control * math.log((1 - theta) / (1 - share)))

    inside = quad(prior, low, high, epsabs=0, epsrel=1e-11, limit=200)[0]
    mixed = quad(lambda t: prior(t) * likelihood(t), low, high, epsabs=0, epsrel=1e-11, limit=200)[0]
    assert float(log_e_counts(treated, control, share, more=more)) == pytest.approx(
        math.log(mixed / inside), abs=1e-7
    )


def test_the_count_test_stays_continuous_where_tails_underflow() -> None:
    events = np.arange(2_000, 12_000, 5)
    e = log_e_counts(np.zeros(events.size), events, 0.3, more=True)
    steps = np.diff(e)
    assert np.isfinite(e).all()
    assert (steps < 0).all()
    assert np.abs(np.diff(steps)).max() < 1e-3


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 80), st.integers(0, 80), st.floats(0.02, 3.0))
def test_the_exact_interval_agrees_with_clopper_pearson(treated: int, control: int, odds: float) -> None:
    low, high = (
        proportion_confint(treated, treated + control, alpha=0.1, method="beta")
        if treated + control
        else (0, 1)
    )
    ours = rate_ratio_bounds(treated, control, odds, 0.05)
    expected = (low / (1 - low) / odds, high / (1 - high) / odds if high < 1 else math.inf)
    assert ours == pytest.approx(expected, rel=1e-8, abs=1e-12)


def test_golden_vectors() -> None:
    def two(information: float, planned: float) -> float:
        return float(critical_two_sided(information, tuning(0.05, planned, sided=2), 0.05))

    def one(information: float, planned: float) -> float:
        return float(critical_one_sided(information, tuning(0.05, planned), 0.05))

    assert two(500, 1000) == pytest.approx(3.08356871436835, rel=1e-12)
    assert two(20_000, 10_000) == pytest.approx(3.0614772188674166, rel=1e-12)
    assert two(1e6, 5000) == pytest.approx(3.6565364661848, rel=1e-12)
    assert one(500, 1000) == pytest.approx(2.820685788965463, rel=1e-12)
    assert one(20_000, 10_000) == pytest.approx(2.7924184413354753, rel=1e-12)
    assert one(1e6, 5000) == pytest.approx(3.4291819339054563, rel=1e-12)
    assert math.exp(float(log_e_split([980, 1100], [0.5, 0.5], 100))) == pytest.approx(
        5.8275679905, rel=1e-10
    )


def test_e_bh_rejects_by_rank() -> None:
    e = np.log([1000.0, 30.0, 25.0, 2.0])
    assert e_benjamini_hochberg(e, 0.1).tolist() == [True, True, True, False]
    assert e_benjamini_hochberg(np.log([39.0, 19.0, 1.0, 1.0]), 0.1).tolist() == [False] * 4
    assert e_benjamini_hochberg(np.array([]), 0.1).tolist() == []


@pytest.mark.parametrize(("counts", "shares"), [([1], [1]), ([1, 2], [1]), ([1, 2], [1, 0])])
def test_a_split_that_cannot_be_tested_is_refused(counts: list[float], shares: list[float]) -> None:
    with pytest.raises(ValueError, match="two arms or more"):
        chi_square(counts, shares)
