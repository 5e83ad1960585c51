"""All suites over 300,000 rows, beyond the import of Great Expectations."""

import time

import numpy as np
import pyarrow as pa
from tests.quality.conftest import SHARES, SINCE, UNTIL

from belay.storefront.lake import Lake, schemas


def test_all_suites_over_300_000_rows_take_seconds(lake):
    count = 100_000
    rng = np.random.default_rng(3)
    span = int((UNTIL - SINCE).total_seconds() * 1e6)
    at = np.datetime64(SINCE) + np.sort(rng.integers(0, span, count)).astype("timedelta64[us]")
    numbers = np.arange(count)
    common = {
        "unit_id": [f"u{n}" for n in numbers],
        "surface": ["checkout"] * count,
        "event_time": at,
        "ingested_at": at,  # all of it has arrived by the reading
    }
    zeros = np.zeros(count, dtype=np.int32)
    tables = {
        "exposures": common
        | {
            "event_id": [f"e{n}" for n in numbers],
            "optimization": ["opt-1"] * count,
            "variant": np.where(rng.random(count) < SHARES["treatment"], "treatment", "control").tolist(),
            "device": ["mobile"] * count,
            "country": ["SE"] * count,
            "visitor": ["new"] * count,
            "is_bot": np.zeros(count, dtype=bool),
        },
        "outcomes": common
        | {
            "event_id": [f"o{n}" for n in numbers],
            "converted": zeros,
            "revenue": np.zeros(count),
            "support_tickets": zeros,
            "unsubscribed": zeros,
            "page_errors": zeros,
            "page_views": zeros,
        },
        "units": {"unit_id": common["unit_id"], "pre_revenue": np.zeros(count), "pre_visits": zeros},
    }
    store = Lake(lake.folder)
    store.create()
    for name, schema in schemas().items():
        store.write(name, "part", pa.table({f.name: tables[name][f.name] for f in schema}, schema=schema))
    import great_expectations  # noqa: F401 - its import is not what is measured

    started = time.process_time()
    report = lake.run()
    seconds = time.process_time() - started
    assert report.rows == 3 * count
    assert report.verdict == "pass", report.sentence
    assert seconds < 4, f"{seconds:.1f} s of processor time"
