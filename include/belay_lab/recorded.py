"""Recorded experiments as lakes: real impressions and clicks, in the tables that the gates read.

Open Bandit (Saito, Aihara, Matsutani, Narita, NeurIPS 2021, arXiv 2008.07146) ships inside the Apache-2.0
wheel of the package ``obp``; the Upworthy Research Archive (Matias, Munger, Le Quere, Ebersole, Scientific
Data 2021) is read from the folder of recorded data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from belay.domain.actors import agent
from belay.domain.proposal import CONTROL, Proposal, Variant
from belay.domain.scope import FULL_SCOPE
from belay_lab.shop.lake import Lake, schemas

if TYPE_CHECKING:
    import pyarrow as pa

CAMPAIGNS = ("all", "men", "women")
FAULTY_WEEKS = (201325, 201401)
"""Upworthy's published fault: tests of these weeks were probably not randomised one by one."""


class NoRecordingError(FileNotFoundError):
    """A recording is not on this machine; the message says how to get it."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recorded experiment, ready to be walked through the gates.

    Attributes
    ----------
    capability : str
        Its policy's name among the recorded policies.
    proposal : Proposal
        What was tried.
    scope : int
        Units that saw it, in basis points.
    start, end : datetime
        When it ran, UTC, aware.
    parts : tuple[Part, ...]
        What was recorded, in the order in which it happened.
    """

    capability: str
    proposal: Proposal
    scope: int
    start: datetime
    end: datetime
    parts: tuple[Part, ...]

    @property
    def last_arrival(self) -> datetime:
        """When the last recorded event was in the lake."""
        import pyarrow.compute as pc

        return max(
            _aware(np.datetime64(pc.max(table["ingested_at"]).as_py(), "us"))
            for part in self.parts
            for table in (part.exposures, part.outcomes)
            if table.num_rows
        )


@dataclass(frozen=True, slots=True)
class Part:
    """Half a day of a recording: it can be in a lake once it is over (``until``, UTC, aware)."""

    until: datetime
    exposures: pa.Table
    outcomes: pa.Table

    def reveal(self, lake: Lake) -> None:
        """Let it have happened."""
        name = f"{self.until:%Y%m%dT%H}"
        lake.write("outcomes", name, self.outcomes)
        lake.write("exposures", name, self.exposures)


def open_bandit(campaign: str, data: Path) -> Recording:
    """Return one campaign of Open Bandit: random items, and the recommender's.

    Raises
    ------
    NoRecordingError
        When neither the package nor the folder of recorded data holds it.
    """
    rows = _bandit_rows(campaign, data)
    name = f"bandit-{campaign}"
    times = np.concatenate([rows[arm][0] for arm in (CONTROL, "recommender")])
    clicks = np.concatenate([rows[arm][1] for arm in (CONTROL, "recommender")])
    arms = [arm for arm in (CONTROL, "recommender") for _ in rows[arm][0]]
    parts = _parts("recommendations", name, arms, times, clicks)
    start = _aware(times.min()).replace(hour=0, minute=0, second=0, microsecond=0)
    proposal = _proposal(
        name,
        "recommendations",
        f"Let the recommender choose items (campaign {campaign})",
        "Thompson sampling learns which items are clicked; random choice does not.",
        ("recommender",),
    )
    return Recording("recommendations", proposal, 5000, start, start + timedelta(days=7), parts)


def _bandit_rows(campaign: str, data: Path) -> Mapping[str, tuple[Any, Any]]:
    """Return times and clicks per arm, from the package or from the folder."""
    import pandas as pd

    arms = {CONTROL: "random", "recommender": "bts"}
    spec = find_spec("obp")
    if spec is not None and spec.submodule_search_locations:
        root = Path(spec.submodule_search_locations[0]) / "dataset" / "obd"
        frames = {
            arm: pd.read_csv(root / policy / campaign / f"{campaign}.csv", usecols=["timestamp", "click"])
            for arm, policy in arms.items()
        }
    elif (file := data / "open_bandit" / "obd_small.parquet").exists():
        whole = pd.read_parquet(file, columns=["policy", "campaign", "timestamp", "click"])
        whole = whole[whole["campaign"] == campaign]
        frames = {arm: whole[whole["policy"] == policy] for arm, policy in arms.items()}
    else:
        raise NoRecordingError(
            "Open Bandit is not here: install the demo's extra, "
            "`pip install --no-deps -r requirements-demo.txt`"
        )
    return {
        arm: (_naive_times(frame["timestamp"]), frame["click"].to_numpy()) for arm, frame in frames.items()
    }


def _naive_times(column: Any) -> Any:
    import pandas as pd

    parsed = pd.to_datetime(column, utc=True, format="ISO8601")
    return parsed.dt.tz_localize(None).to_numpy().astype("datetime64[us]")


@dataclass(frozen=True, slots=True)
class HeadlineTest:
    """One Upworthy test: its packages' impressions and clicks."""

    id: str
    week: int
    headlines: tuple[str, ...]
    impressions: tuple[int, ...]
    clicks: tuple[int, ...]

    @property
    def in_faulty_weeks(self) -> bool:
        """Whether it ran in the weeks with the published fault."""
        return FAULTY_WEEKS[0] <= self.week <= FAULTY_WEEKS[1]


def headline_tests(data: Path) -> Sequence[HeadlineTest]:
    """Return every Upworthy test.

    Raises
    ------
    NoRecordingError
        When the archive is not in the folder of recorded data.
    """
    import pyarrow.parquet as pq

    file = data / "upworthy" / "exploratory_packages.parquet"
    if not file.exists():
        raise NoRecordingError(
            f"the Upworthy archive is not at {file}: set BELAY_DATA to the folder that holds it"
        )
    columns = ["clickability_test_id", "test_week", "headline", "impressions", "clicks"]
    tests: dict[str, list[dict[str, Any]]] = {}
    for row in pq.read_table(file, columns=columns).to_pylist():
        tests.setdefault(row["clickability_test_id"], []).append(row)
    return [
        HeadlineTest(
            name,
            int(rows[0]["test_week"]),
            tuple(str(row["headline"]) for row in rows),
            tuple(int(row["impressions"]) for row in rows),
            tuple(int(row["clicks"]) for row in rows),
        )
        for name, rows in tests.items()
    ]


def upworthy(test: HeadlineTest) -> Recording:
    """Return one headline test: each impression a unit, spread over the test's week.

    The archive holds counts by week and no times, so the hours are spread evenly; the first package
    stands for control.
    """
    # The archive counts weeks from the year's first Monday, and calls the days before it week 0.
    start = datetime.strptime(f"{test.week}-1", "%Y%W-%w").replace(tzinfo=UTC)
    names = [CONTROL, *(f"headline-{i}" for i in range(1, len(test.impressions)))]
    arms, clicks, times = [], [], []
    begin = np.datetime64(start.replace(tzinfo=None), "us")
    for arm, shown, clicked in zip(names, test.impressions, test.clicks, strict=True):
        # Clicks are spread over the week like impressions: every k-th impression was clicked.
        hit = np.zeros(shown, dtype=np.int64)
        hit[np.linspace(0, shown - 1, clicked).astype(int) if clicked else []] = 1
        arms += [arm] * shown
        clicks.append(hit)
        times.append(begin + (np.linspace(0, 7 * 86_400e6 - 1e6, shown)).astype("timedelta64[us]"))
    name = f"headline-{test.id[:12]}"
    parts = _parts("headlines", name, arms, np.concatenate(times), np.concatenate(clicks))
    scope = round(FULL_SCOPE * (len(names) - 1) / len(names))
    proposal = _proposal(
        name, "headlines", test.headlines[0][:150], " / ".join(test.headlines)[:5000], names[1:]
    )
    return Recording("headlines", proposal, scope, start, start + timedelta(days=7), parts)


def _proposal(name: str, capability: str, title: str, why: str, variants: Sequence[str]) -> Proposal:
    # Whether a recording is large enough was settled when it was made, so power is no condition here;
    # what cannot be promised to be measurable is approved by people.
    return Proposal(
        optimization=name,
        capability=capability,
        title=title,
        hypothesis=why,
        variants=tuple(Variant(key, {"arm": key}) for key in variants),
        rollback={"arm": CONTROL},
        proposed_by=agent("recorded"),
        agent_owner="owner",
        measurable=False,
    )


def _parts(surface: str, name: str, arms: Sequence[str], times: Any, clicks: Any) -> tuple[Part, ...]:
    """Return impressions as exposures and their clicks as outcomes, by half days."""
    import pyarrow as pa

    count = len(arms)
    units = [f"{name}-{i}" for i in range(count)]
    clicks = np.asarray(clicks).astype(np.int32)
    none = np.zeros(count, dtype=np.int32)
    # When an event arrived was not recorded; at once, and never in the same moment.
    arrived = times + np.timedelta64(1, "s")
    exposures: pa.Table = pa.table(
        {
            "event_id": [f"e-{unit}" for unit in units],
            "unit_id": units,
            "optimization": [name] * count,
            "variant": list(arms),
            "surface": [surface] * count,
            "event_time": times,
            "ingested_at": arrived,
            "device": ["unknown"] * count,
            "country": ["unknown"] * count,
            "visitor": ["unknown"] * count,
            "is_bot": np.zeros(count, dtype=bool),
        },
        schema=schemas()["exposures"],
    )
    outcomes: pa.Table = pa.table(
        {
            "event_id": [f"o-{unit}" for unit in units],
            "unit_id": units,
            "surface": [surface] * count,
            "event_time": times,
            "ingested_at": arrived,
            "converted": clicks,
            "revenue": none.astype(np.float64),
            "support_tickets": none,
            "unsubscribed": none,
            "page_errors": none,
            "page_views": none + 1,
        },
        schema=schemas()["outcomes"],
    )
    half = np.asarray(times).astype("datetime64[h]").astype(np.int64) // 12
    return tuple(
        Part(
            _aware(np.datetime64(int(slot + 1) * 12, "h")),
            exposures.filter(pa.array(half == slot)),
            outcomes.filter(pa.array(half == slot)),
        )
        for slot in np.unique(half)
    )


def _aware(moment: Any) -> datetime:
    found: datetime = moment.astype("datetime64[us]").astype(datetime)
    return found.replace(tzinfo=UTC)
