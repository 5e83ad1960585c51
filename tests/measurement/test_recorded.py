"""Recorded experiments: the published figures come out of Belay's formulas."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from belay.measurement.srm import chi_square
from belay_lab.asos import PAPER, asos_table2, streams

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def data() -> Path:
    """Return the folder of recorded experiments (BELAY_DATA)."""
    folder = Path(os.environ.get("BELAY_DATA") or Path(__file__).parents[3] / "shared" / "data")
    if not folder.is_dir():
        reason = f"no recorded experiments in {folder}: set BELAY_DATA"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


def test_asos_table_2_has_the_papers_sixteen_cells(data: Path) -> None:
    table = asos_table2(data / "asos")
    assert dict(table.counts) == dict(PAPER)
    assert table.as_published
    assert (table.streams, table.unusable) == (396, 15)
    assert table.mixture[1] == pytest.approx(1.301572657324043e-05, rel=1e-12)
    document = table.to_document()
    assert document["as_published"] is True
    assert document["counts"]["1"] == {"both": 19, "only_sequential": 2, "neither": 71, "only_fixed": 7}


def test_asos_single_streams_have_the_notebooks_p_values(data: Path) -> None:
    found = {(s.experiment, s.variant, s.metric): s for s in streams(data / "asos")}
    assert found["036afc", 2, 1].welch_p() == pytest.approx(0.45581694, abs=1e-8)
    last = [s for key, s in found.items() if key[0] == "fdaf62" and key[2] == 4]
    assert last[0].welch_p() == pytest.approx(5.54149548e-12, rel=1e-8)


def test_upworthy_the_split_fails_where_randomisation_did(data: Path) -> None:
    import pyarrow.parquet as pq

    columns = ["clickability_test_id", "test_week", "impressions"]
    table = pq.read_table(data / "upworthy" / "exploratory_packages.parquet", columns=columns).to_pandas()
    counts = {True: [0, 0], False: [0, 0]}
    for _, packages in table.groupby("clickability_test_id"):
        faulty = 201325 <= packages.test_week.iloc[0] <= 201401
        seen = packages.impressions.to_numpy(dtype=np.float64)
        alarm = seen.size > 1 and chi_square(seen.tolist(), np.ones(seen.size).tolist()) < 0.001
        counts[bool(faulty)][0] += int(alarm)
        counts[bool(faulty)][1] += 1
    assert counts == {True: [735, 1058], False: [18, 3815]}


def test_missing_data_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="set BELAY_DATA"):
        asos_table2(tmp_path)
