"""The adaptation is needed, is enough, and goes when Great Expectations no longer needs it."""

import subprocess
import sys

from tests.quality.conftest import sound_rows

WITHOUT = """
import sys
from belay.quality import great_expectations_engine as engine
engine.adapt = lambda: None
question = engine.Question("q", "expect_table_row_count_to_equal", {"value": 2800})
with engine.Asker(sys.argv[1]) as asker:
    found = asker.ask_table("outcomes", [question])
print("works" if found["q"].success else f"fails: {found['q'].error}")
"""


def test_without_the_adaptation_great_expectations_still_fails_on_duckdb(lake):
    """When this fails, Great Expectations works on DuckDB by itself: delete duckdb_adaptation.py."""
    lake.fill(sound_rows())
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT, f"{lake.url}?access_mode=read_only"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.startswith("fails: "), run.stdout + run.stderr[-2_000:]


def test_with_it_rows_are_counted(lake):
    from belay.quality.great_expectations_engine import Asker, Question

    lake.fill(sound_rows())
    question = Question("q", "expect_table_row_count_to_equal", {"value": 2_800})
    with Asker(f"{lake.url}?access_mode=read_only") as asker:
        assert asker.ask_table("outcomes", [question])["q"].success


def test_adapting_twice_lists_duckdb_once():
    from great_expectations.execution_engine import sqlalchemy_execution_engine as engine

    from belay.quality.duckdb_adaptation import adapt, undo

    before = engine._PERSISTED_CONNECTION_DIALECTS
    try:
        adapt()
        adapt()
        assert list(engine._PERSISTED_CONNECTION_DIALECTS).count("duckdb") == 1
        undo()
        assert "duckdb" not in engine._PERSISTED_CONNECTION_DIALECTS
    finally:
        engine._PERSISTED_CONNECTION_DIALECTS = before
