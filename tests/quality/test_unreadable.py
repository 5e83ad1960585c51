"""What cannot be read is never an exception, and never a pass."""

import socket

import pytest
import sqlalchemy as sa
from tests.quality.conftest import EXPECTATIONS, SHARES, SINCE, SUITES, UNTIL, failed, sound_rows

from belay.domain.gates import Verdict
from belay.quality.run import run_suites


def ask(url, suites=SUITES, folder=EXPECTATIONS):
    return run_suites(
        url,
        suites,
        folder=folder,
        surface="checkout",
        optimization="opt-1",
        since=SINCE,
        until=UNTIL,
        now=UNTIL,
        shares=SHARES,
    )


@pytest.mark.parametrize("kind", ["duckdb", "sqlite"])
def test_a_missing_file_is_named_and_not_created(tmp_path, kind):
    path = tmp_path / "nowhere.db"
    report = ask(f"{kind}:///{path}")
    assert report.verdict is Verdict.HOLD
    assert f"there is no file {path}" in report.sentence
    assert not path.exists()


def test_a_truncated_part_file_is_named(lake):
    lake.fill(sound_rows())
    part = lake.folder / "lake" / "outcomes" / "part.parquet"
    part.write_bytes(part.read_bytes()[:-100])
    report = lake.run(suites=("outcomes",))
    assert report.verdict is Verdict.HOLD
    found = failed(report)["outcomes.readable"]
    assert "part.parquet" in found.sentence
    assert "broken part file" in found.look_at


def test_a_part_file_broken_in_the_middle_is_no_pass(lake):
    lake.fill(sound_rows())
    part = lake.folder / "lake" / "outcomes" / "part.parquet"
    raw = bytearray(part.read_bytes())
    raw[1_000:3_000] = b"\xff" * 2_000
    part.write_bytes(bytes(raw))
    assert lake.run(suites=("outcomes",)).verdict is not Verdict.PASS


def test_a_part_file_that_is_no_parquet_is_named(lake):
    lake.fill(sound_rows())
    (lake.folder / "lake" / "exposures" / "zzz.parquet").write_text("hello")
    report = lake.run()
    assert report.verdict is Verdict.HOLD
    assert "zzz.parquet" in failed(report)["exposures.readable"].sentence


def test_a_catalogue_that_is_no_database(tmp_path):
    path = tmp_path / "warehouse.duckdb"
    path.write_text("this is not a database, and it is long enough to be read as one" * 100)
    report = ask(f"duckdb:///{path}")
    assert report.verdict is Verdict.HOLD
    assert "warehouse.duckdb" in report.sentence


def test_a_missing_table_is_named_with_what_there_is(tmp_path):
    url = f"sqlite:///{tmp_path / 'w.sqlite'}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE visits (id INTEGER)"))
    engine.dispose()
    report = ask(url)
    assert report.verdict is Verdict.HOLD
    assert "the warehouse has no table exposures; it has visits" in report.sentence


def test_missing_and_wrong_columns_fail_and_the_rest_is_still_asked(tmp_path, lake):
    lake.fill(sound_rows())
    import duckdb

    parts = lake.folder / "lake" / "outcomes" / "*.parquet"
    (lake.folder / "warehouse.duckdb").unlink()
    with duckdb.connect(str(lake.folder / "warehouse.duckdb")) as connection:
        connection.execute(
            f"CREATE VIEW outcomes AS SELECT * EXCLUDE (page_views) REPLACE (revenue::VARCHAR AS revenue) "
            f"FROM read_parquet('{parts}')"
        )
    report = ask(lake.url, ("outcomes",))
    assert report.verdict is Verdict.FAIL
    found = failed(report)
    assert (
        "there is no column page_views; revenue holds VARCHAR and not number"
        in found["outcomes.columns"].sentence
    )
    assert any(
        check.id == "outcomes.keys-filled.unit_id" for check in report.checks if check.finding == "passed"
    )


def test_without_event_time_no_row_can_be_placed(tmp_path):
    url = f"sqlite:///{tmp_path / 'w.sqlite'}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE outcomes (event_id TEXT, unit_id TEXT)"))
    engine.dispose()
    report = ask(url, ("outcomes",))
    assert report.verdict is Verdict.FAIL
    assert [check.id for check in report.checks] == ["outcomes.columns"]


def test_a_server_that_does_not_answer_keeps_its_password():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    report = ask(f"postgresql+psycopg://belay:s3cret-word@127.0.0.1:{port}/belay")
    assert report.verdict is Verdict.HOLD
    assert "the warehouse does not answer" in report.sentence
    assert "s3cret-word" not in str(report.to_document())


@pytest.mark.parametrize("url", ["nonsense", "mongodb://x/y", ""])
def test_an_url_that_is_none_is_no_pass(url):
    report = ask(url)
    assert report.verdict is Verdict.HOLD
    assert "warehouse" in report.sentence


def test_an_unknown_suite_holds_and_says_what_there_is(lake):
    lake.fill(sound_rows())
    report = lake.run(suites=("exposures", "outcome"))
    assert report.verdict is Verdict.HOLD
    assert "did you mean 'outcomes'?" in report.sentence


def test_an_expectation_that_does_not_exist_holds(lake, tmp_path):
    lake.fill(sound_rows())
    suites = tmp_path / "suites"
    suites.mkdir()
    text = (EXPECTATIONS / "outcomes.yaml").read_text()
    (suites / "outcomes.yaml").write_text(text.replace("values_to_be_unique", "values_to_be_unike"))
    report = ask(lake.url, ("outcomes",), suites)
    assert report.verdict is Verdict.HOLD
    assert "did you mean 'expect_column_values_to_be_unique'?" in report.sentence
    (suites / "outcomes.yaml").write_text(text.replace("max_value: $latest", "max_valu: $latest"))
    report = ask(lake.url, ("outcomes",), suites)
    assert report.verdict is Verdict.HOLD
    assert "does not take these arguments" in report.sentence
