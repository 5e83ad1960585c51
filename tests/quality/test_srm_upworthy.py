"""Acceptance on real data: the Upworthy archive, and its published, dated randomisation fault."""

import os
from pathlib import Path

import pytest

from belay.measurement.srm import srm_test

pytestmark = pytest.mark.data

FAULTY = (201325, 201401)
"""Weeks (year and week) of the fault, first and last."""


@pytest.fixture(scope="module")
def tests():
    default = Path(__file__).resolve().parents[3] / "shared" / "data"
    path = Path(os.environ.get("BELAY_DATA", default)) / "upworthy" / "exploratory_packages.parquet"
    if not path.is_file():
        reason = f"the Upworthy archive is not at {path}: set BELAY_DATA"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    import duckdb

    with duckdb.connect() as connection:
        return connection.execute(
            "SELECT clickability_test_id, MAX(test_week)::INTEGER, LIST(impressions) "
            f"FROM read_parquet('{path}') GROUP BY 1"
        ).fetchall()


def test_the_split_test_finds_the_published_fault(tests):
    inside, outside = [], []
    for _, week, impressions in tests:
        counts = {str(number): int(seen) for number, seen in enumerate(impressions)}
        flagged = srm_test(counts, dict.fromkeys(counts, 1.0)).mismatch
        (inside if FAULTY[0] <= week <= FAULTY[1] else outside).append(flagged)
    assert (sum(inside), len(inside)) == (735, 1_058)
    assert (sum(outside), len(outside)) == (18, 3_815)
