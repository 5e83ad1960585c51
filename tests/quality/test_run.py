"""Every fault is found, told with counts and a remedy, and told the same on every warehouse."""

from datetime import datetime, timedelta

import pytest
from tests.quality.conftest import SINCE, UNTIL, Warehouse, failed, is_plain, sound_rows

from belay.domain.gates import Verdict
from belay.quality.report import Finding


def test_sound_data_passes_on_every_warehouse(warehouse):
    warehouse.fill(sound_rows())
    report = warehouse.run()
    assert failed(report) == {}
    assert report.verdict is Verdict.PASS
    assert report.sentence.endswith("checks passed on 8,400 rows")
    assert is_plain(report.to_document())


def test_history_before_any_exposure_passes_without_what_cannot_apply(warehouse):
    rows = sound_rows()
    rows["exposures"] = [row | {"optimization": "", "variant": "control"} for row in rows["exposures"]]
    warehouse.fill(rows)
    report = warehouse.run(optimization="", shares=None)
    assert report.verdict is Verdict.PASS, report.sentence
    silent = {check.id for check in report.checks if check.finding is Finding.NOT_APPLICABLE}
    assert silent == {
        "exposures.freshness",
        "exposures.volume",
        "exposures.one-variant",
        "exposures.planned-variants",
    }


def test_broken_choices_are_told_and_hold_nothing(warehouse):
    rows = sound_rows()
    warehouse.fill(rows)
    sound = warehouse.run(suites=("decisions",), optimization="", shares=None)
    assert (sound.verdict, failed(sound)) == (Verdict.PASS, {})
    for change, check in (
        ({"propensity": 0.0}, "possible-propensity"),
        ({"propensity": 40.0}, "possible-propensity"),
        ({"propensity": None}, "propensity-filled"),
        ({"item": None}, "keys-filled.item"),
        ({"event_id": "again"}, "event-once"),
    ):
        broken = {
            **rows,
            "decisions": [row | (change if i % 10 == 0 else {}) for i, row in enumerate(rows["decisions"])],
        }
        warehouse.fill(broken)
        report = warehouse.run(suites=("decisions",), optimization="", shares=None)
        assert set(failed(report)) == {f"decisions.{check}"}
        assert report.verdict is Verdict.PASS
    warehouse.fill({**rows, "decisions": []})
    assert warehouse.run(suites=("decisions",), optimization="", shares=None).verdict is Verdict.PASS


def test_a_surface_that_never_had_an_optimization_is_judged_by_its_outcomes(lake):
    rows = sound_rows()
    rows["exposures"] = []
    lake.fill(rows)
    assert lake.run(optimization="", shares=None).verdict is Verdict.PASS
    live = lake.run()
    assert live.verdict is Verdict.FAIL
    assert "exposures has no rows of surface checkout, optimization opt-1" in str(live.to_document())


def breaks(table, change, every=10):
    """A fault: ``change`` is applied to every tenth row of ``table``."""

    def broken(rows):
        for row in rows[table][::every]:
            row.update(change)

    return broken


def twice(table):
    def broken(rows):
        rows[table] += [dict(row) for row in rows[table][:28]]

    return broken


def other_variant(rows):
    for row in rows["exposures"][1:15]:
        again = {"event_id": f"again-{row['event_id']}", "variant": "treatment"}
        rows["exposures"].append(row | again)


def day_lost(table):
    def broken(rows):
        rows[table] = [
            row
            for row in rows[table]
            if row["event_time"] < UNTIL - timedelta(days=1) or row["event_time"].hour == 23
        ]

    return broken


def stopped(table):
    def broken(rows):
        rows[table] = [row for row in rows[table] if row["event_time"] < UNTIL - timedelta(hours=13)]

    return broken


def lost_treatment(rows):
    treated = [row for row in rows["exposures"] if row["variant"] == "treatment"]
    gone = {row["event_id"] for row in treated[::2]}
    rows["exposures"] = [row for row in rows["exposures"] if row["event_id"] not in gone]


AHEAD = {"event_time": UNTIL + timedelta(days=30), "ingested_at": UNTIL + timedelta(days=31)}

# The fault; the check that must find it; what it must say.
FAULTS = [
    (breaks("exposures", {"unit_id": None}), "exposures.keys-filled.unit_id", "280 of 2,800 rows (10.00 %)"),
    (breaks("exposures", {"event_time": None}), "exposures.keys-filled.event_time", "280 of 2,800"),
    (breaks("exposures", {"surface": None}), "exposures.keys-filled.surface", "280 of 2,800"),
    (breaks("exposures", {"optimization": None}), "exposures.keys-filled.optimization", "280 of 2,800"),
    (breaks("exposures", {"variant": "blue"}), "exposures.planned-variants", "none of the optimization's"),
    (twice("exposures"), "exposures.event-once", "56 of 2,828 rows"),
    (other_variant, "exposures.one-variant", "13 cases: units were in more than one variant"),
    (breaks("exposures", AHEAD), "exposures.not-from-the-future", "event_time is later than now"),
    (lost_treatment, "exposures.split", "the split is not the one asked for"),
    (day_lost("exposures"), "exposures.volume", "rows in the last day"),
    (stopped("exposures"), "exposures.freshness", "no event in the 12 hours"),
    (breaks("outcomes", {"unit_id": None}), "outcomes.keys-filled.unit_id", "unit_id is empty"),
    (breaks("outcomes", {"revenue": None}), "outcomes.values-filled.revenue", "revenue is empty"),
    (breaks("outcomes", {"revenue": -1.0}), "outcomes.possible-revenue", "280 of 2,800 rows"),
    (breaks("outcomes", {"revenue": float("inf")}), "outcomes.possible-revenue", "280 of 2,800 rows"),
    (breaks("outcomes", {"converted": 3}), "outcomes.yes-or-no.converted", "neither 0 nor 1"),
    (breaks("outcomes", {"page_views": -5}), "outcomes.possible-counts.page_views", "below zero"),
    (twice("outcomes"), "outcomes.event-once", "56 of 2,828 rows"),
    (breaks("outcomes", AHEAD), "outcomes.not-from-the-future", "280 of 2,800"),
    (day_lost("outcomes"), "outcomes.volume", "rows in the last day"),
    (stopped("outcomes"), "outcomes.freshness", "the newest event is of 2026-03-07 1"),
    (twice("units"), "units.unit-once", "56 of 2,828 rows"),
    (breaks("units", {"unit_id": None}), "units.unit-filled", "unit_id is empty"),
]


@pytest.mark.parametrize(
    ("fault", "check", "says"), FAULTS, ids=[f"{n}-{f[1]}" for n, f in enumerate(FAULTS)]
)
def test_a_fault_is_found_counted_and_explained(lake, fault, check, says):
    rows = sound_rows()
    fault(rows)
    lake.fill(rows)
    report = lake.run(suites=(check.partition(".")[0],))
    assert report.verdict is Verdict.FAIL
    found = failed(report)
    assert check in found
    assert says in found[check].sentence
    assert len(found[check].look_at) > 20
    assert report.sentence.startswith("the data cannot be believed: ")
    assert is_plain(report.to_document())


def test_all_faults_at_once_are_the_same_on_every_warehouse(warehouse, tmp_path):
    rows = sound_rows()
    faults = [
        breaks("exposures", {"device": None}, every=7),
        breaks("exposures", {"variant": "blue"}, every=11),
        twice("exposures"),
        other_variant,
        breaks("outcomes", {"unit_id": None}, every=13),
        breaks("outcomes", {"revenue": -1.0}, every=17),
        breaks("outcomes", AHEAD, every=19),
        day_lost("outcomes"),
        breaks("units", {"pre_revenue": -3.0}, every=23),
    ]
    for fault in faults:
        fault(rows)
    reference = Warehouse("duckdb", tmp_path / "reference", str)
    reference.folder.mkdir()
    reference.fill(rows)
    warehouse.fill(rows)
    expected, found = reference.run(), warehouse.run()
    assert [check.to_document() for check in found.checks] == [c.to_document() for c in expected.checks]
    assert len(failed(found)) >= 9


def test_what_arrives_while_the_suites_are_asked_is_not_from_the_future(lake):
    rows = sound_rows()
    later = {"event_time": UNTIL + timedelta(hours=1), "ingested_at": UNTIL + timedelta(hours=1)}
    rows["outcomes"] += [row | later | {"event_id": f"l{n}"} for n, row in enumerate(rows["outcomes"][:20])]
    lake.fill(rows)
    report = lake.run(suites=("outcomes",))
    assert report.verdict is Verdict.PASS
    assert report.rows == 2_800


def test_a_warning_is_told_and_passes(lake):
    rows = sound_rows()
    breaks("exposures", {"country": None})(rows)
    lake.fill(rows)
    report = lake.run()
    assert report.verdict is Verdict.PASS
    assert "to look at: exposures.attributes-filled.country: 280 of 2,800 rows" in report.sentence
    assert report.checks[0].id == "exposures.attributes-filled.country"


def test_infinite_and_not_a_number_never_reach_the_evidence(lake):
    rows = sound_rows()
    breaks("outcomes", {"revenue": float("nan")})(rows)
    lake.fill(rows)
    report = lake.run(suites=("outcomes",))
    assert report.verdict is Verdict.FAIL
    assert is_plain(report.to_document())


def test_other_surfaces_optimizations_and_times_are_left_alone(lake):
    rows = sound_rows()
    bad = {"unit_id": None, "revenue": -1.0}
    strange = [
        row | bad | {"surface": "home", "event_id": f"h{n}"} for n, row in enumerate(rows["outcomes"][:50])
    ]
    early = [
        row | bad | {"event_time": SINCE - timedelta(days=1), "event_id": f"b{n}"}
        for n, row in enumerate(rows["outcomes"][:50])
    ]
    rows["outcomes"] += strange + early
    rows["exposures"] += [
        row | {"optimization": "opt-0", "variant": "blue", "event_id": f"x{n}"}
        for n, row in enumerate(rows["exposures"][:50])
    ]
    lake.fill(rows)
    assert failed(lake.run()) == {}


def test_a_policy_may_ask_for_fresher_data_than_the_suite(lake):
    rows = sound_rows()
    rows["outcomes"] = [row for row in rows["outcomes"] if row["event_time"] < UNTIL - timedelta(hours=3)]
    lake.fill(rows)
    assert lake.run(suites=("outcomes",)).verdict is Verdict.PASS
    report = lake.run(suites=("outcomes",), max_age=timedelta(hours=2))
    assert report.verdict is Verdict.FAIL
    assert "no event in the 2 hours before 2026-03-08 00:00" in report.sentence


def test_a_first_day_has_no_usual_volume_yet(lake):
    lake.fill(sound_rows())
    report = lake.run(since=UNTIL - timedelta(hours=20))
    volume = next(check for check in report.checks if check.id == "exposures.volume")
    assert volume.finding is Finding.NOT_APPLICABLE
    assert report.verdict is Verdict.PASS


def test_names_with_quotes_are_names(lake):
    lake.fill(sound_rows())
    report = lake.run(optimization="x' OR '1'='1", surface="a'; DROP TABLE exposures; --")
    assert report.verdict is not Verdict.PASS
    assert "exposures has no rows" in str(report.to_document())
    assert lake.run().verdict is Verdict.PASS


def test_no_suite_is_no_pass(lake):
    lake.fill(sound_rows())
    assert lake.run(suites=()).verdict is Verdict.HOLD


def test_aware_times_are_read_as_utc(lake):
    from datetime import UTC

    lake.fill(sound_rows())
    report = lake.run(since=SINCE.replace(tzinfo=UTC), now=datetime(2026, 3, 8, tzinfo=UTC))
    assert report.verdict is Verdict.PASS
    assert report.now == UNTIL
