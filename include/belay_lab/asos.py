"""The ASOS Digital Experiments data set: 78 recorded experiments, and the paper's Table 2 from our formulas.

Liu, Cardoso, Couturier, McCoy, NeurIPS Datasets and Benchmarks 2021 (arXiv 2111.10198). Each stream is one
treatment and metric over time. Table 2 counts on which streams a Welch test at the end and a sequential test
(mSPRT, Johari et al. 2022: our two-sided mixture e-value) agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from belay.cells.documents import to_plain
from belay.measurement.sequences import log_e_two_sided
from belay.measurement.tails import student_tail

Floats = NDArray[np.float64]

FILE = "asos_digital_experiments_dataset.parquet"
ALPHA = 0.05
COLUMNS = ("experiment_id", "variant_id", "metric_id", "time_since_start")
MOMENTS = ("count_c", "count_t", "mean_c", "mean_t", "variance_c", "variance_t")


@dataclass(frozen=True, slots=True)
class Counts:
    """Streams of one metric by which test found a difference at the 5 % level."""

    both: int
    only_sequential: int
    neither: int
    only_fixed: int


PAPER: Mapping[int, Counts] = {
    1: Counts(19, 2, 71, 7),
    2: Counts(20, 18, 49, 7),
    3: Counts(16, 6, 63, 9),
    4: Counts(16, 4, 63, 11),
}
"""Table 2 as published."""


@dataclass(frozen=True, slots=True)
class Table2:
    """The table computed from the data, beside the published one.

    Attributes
    ----------
    counts : Mapping[int, Counts]
        Per metric, as computed here.
    mixture : Mapping[int, float]
        Per metric, the variance of the standardised effects (Cohen's d) over all streams, which tunes
        the sequential test.
    streams, unusable : int
        Streams in the data; those without a variance at their end, which no test can judge.
    """

    counts: Mapping[int, Counts]
    mixture: Mapping[int, float]
    streams: int
    unusable: int

    @property
    def as_published(self) -> bool:
        """Whether all 16 cells equal the paper's."""
        return dict(self.counts) == dict(PAPER)

    def to_document(self) -> dict[str, Any]:
        """Return the table as plain data, with the published one and whether they agree."""
        document: dict[str, Any] = to_plain(self)
        return document | {"published": to_plain(PAPER), "as_published": self.as_published}


@dataclass(frozen=True, slots=True)
class Stream:
    """One treatment and metric over time: sufficient statistics at each checkpoint."""

    experiment: str
    variant: int
    metric: int
    count_c: Floats
    count_t: Floats
    mean_c: Floats
    mean_t: Floats
    variance_c: Floats
    variance_t: Floats

    @property
    def usable(self) -> bool:
        """Whether the last checkpoint has a variance."""
        return bool(np.isfinite(self.variance_c[-1] + self.variance_t[-1]))

    @property
    def effect_size(self) -> float:
        """Cohen's d at the end."""
        n_c, n_t = self.count_c[-1] - 1, self.count_t[-1] - 1
        pooled = (n_c * self.variance_c[-1] + n_t * self.variance_t[-1]) / (n_c + n_t)
        return float((self.mean_t[-1] - self.mean_c[-1]) / np.sqrt(pooled))

    def welch_p(self) -> float:
        """Return the two-sided p-value of Welch's t-test at the end."""
        error_c, error_t = self.variance_c[-1] / self.count_c[-1], self.variance_t[-1] / self.count_t[-1]
        freedom = (error_c + error_t) ** 2 / (
            error_c**2 / (self.count_c[-1] - 1) + error_t**2 / (self.count_t[-1] - 1)
        )
        z = (self.mean_t[-1] - self.mean_c[-1]) / np.sqrt(error_c + error_t)
        return 2.0 * student_tail(abs(float(z)), float(freedom))

    def sequential_p(self, mixture: float) -> float:
        """Return the anytime-valid p-value: one over the largest e-value from the second checkpoint on.

        Parameters
        ----------
        mixture
            Variance of the standardised effect under the alternative.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            pairs = 2.0 / (1.0 / self.count_c + 1.0 / self.count_t)
            variance = self.variance_c + self.variance_t
            z = (self.mean_t - self.mean_c) / np.sqrt(variance / pairs)
            log_e = log_e_two_sided(z, pairs * self.variance_c / variance, mixture)
        best = np.nanmax(np.append(log_e[1:], 0.0))
        return float(np.exp(-best))


def streams(path: Path) -> Iterator[Stream]:
    """Yield every stream of the data set in ``path`` (the file, or the folder that holds it).

    Raises
    ------
    FileNotFoundError
        When it is not there.
    """
    import pyarrow.parquet as pq

    file = path / FILE if path.is_dir() else path
    if not file.exists():
        raise FileNotFoundError(f"{file}: not found; set BELAY_DATA to the folder that holds asos/{FILE}")
    table = pq.read_table(file, columns=[*COLUMNS, *MOMENTS]).to_pydict()
    keys = [np.asarray(table[name]) for name in COLUMNS]
    values = [np.asarray(table[name], dtype=np.float64) for name in MOMENTS]
    order = np.lexsort((keys[3], keys[1], keys[0], keys[2]))
    label = list(zip(*(key[order].tolist() for key in keys[:3]), strict=True))
    starts = [i for i in range(len(label)) if i == 0 or label[i] != label[i - 1]]
    for start, end in zip(starts, [*starts[1:], len(label)], strict=True):
        rows = order[start:end]
        experiment, variant, metric = label[start]
        yield Stream(str(experiment), int(variant), int(metric), *(column[rows] for column in values))


def asos_table2(path: Path) -> Table2:
    """Return Table 2 of the paper, computed from the data in ``path``.

    Raises
    ------
    FileNotFoundError
        When the data is not there.
    """
    found = list(streams(path))
    usable = [stream for stream in found if stream.usable]
    counts, mixture = {}, {}
    for metric in sorted({stream.metric for stream in usable}):
        mine = [stream for stream in usable if stream.metric == metric]
        mixture[metric] = float(np.var([stream.effect_size for stream in mine]))
        shown = [(s.welch_p() < ALPHA, s.sequential_p(mixture[metric]) < ALPHA) for s in mine]
        counts[metric] = Counts(
            both=shown.count((True, True)),
            only_sequential=shown.count((False, True)),
            neither=shown.count((False, False)),
            only_fixed=shown.count((True, False)),
        )
    return Table2(counts, mixture, len(found), len(found) - len(usable))
