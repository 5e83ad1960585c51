"""Sample ratio mismatch: is the split that was observed the split that was asked for?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ALPHA = 0.001
"""Level of the test: an alarm stops everything, so it must be rare."""

_FEWEST = 5.0
"""Expected units per variant below which chi-square's approximation is poor (Cochran's rule)."""


@dataclass(frozen=True, slots=True)
class SplitTest:
    """What a split shows.

    Attributes
    ----------
    p : float | None
        P-value; None when there are too few units to test.
    observed : Mapping[str, int]
        Units seen, by variant.
    expected : Mapping[str, float]
        Units that the same total should have given each variant.
    unplanned : tuple[str, ...]
        Variants that were seen although nobody should get them.
    """

    p: float | None
    observed: Mapping[str, int]
    expected: Mapping[str, float]
    unplanned: tuple[str, ...] = ()

    @property
    def mismatch(self) -> bool:
        """Whether the split is not the one that was asked for (p < .001)."""
        return bool(self.unplanned) or (self.p is not None and self.p < ALPHA)


def srm_test(counts: Mapping[str, int], shares: Mapping[str, float]) -> SplitTest:
    """Test the split of ``counts`` against the expected ``shares``.

    Pearson's chi-square; with two variants and fewer than five units expected in one of them, the exact
    binomial test; with more variants and so few units, no test.

    Parameters
    ----------
    counts
        Units seen, by variant; a variant without units may be left out.
    shares
        Expected share of each variant (any weights that are not negative; they are normalised).

    Raises
    ------
    ValueError
        When no share is positive, one is negative, or a count is negative.
    """
    from scipy.stats import binomtest, chi2

    total_share = sum(shares.values())
    if total_share <= 0 or any(share < 0 for share in shares.values()):
        raise ValueError(f"shares must not be negative, and one must be positive: {dict(shares)}")
    if any(count < 0 for count in counts.values()):
        raise ValueError(f"counts must not be negative: {dict(counts)}")
    planned = {name: share / total_share for name, share in shares.items() if share > 0}
    observed = {name: int(counts.get(name, 0)) for name in planned}
    unplanned = tuple(sorted(name for name, count in counts.items() if count and name not in planned))
    total = sum(observed.values())
    expected = {name: total * share for name, share in planned.items()}
    p: float | None = None
    if total and len(planned) > 1:
        if min(expected.values()) >= _FEWEST:
            statistic = sum((observed[name] - expected[name]) ** 2 / expected[name] for name in planned)
            p = float(chi2.sf(statistic, len(planned) - 1))
        elif len(planned) == 2:
            rarer = min(planned, key=lambda name: planned[name])
            p = float(binomtest(observed[rarer], total, planned[rarer]).pvalue)
    return SplitTest(p, observed, expected, unplanned)
