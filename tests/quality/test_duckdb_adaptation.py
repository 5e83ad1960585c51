"""The adaptation is needed, is enough, and goes when Great Expectations no longer needs it."""

from tests.quality.conftest import sound_rows


def test_without_the_adaptation_great_expectations_still_fails_on_duckdb(lake, monkeypatch):
    """When this fails, Great Expectations works on DuckDB by itself: delete duckdb_adaptation.py."""
    from belay.quality import duckdb_adaptation
    from belay.quality import great_expectations_engine as engine

    lake.fill(sound_rows())
    monkeypatch.setattr(engine, "adapt", lambda: None)
    duckdb_adaptation.undo()
    question = engine.Question("q", "expect_table_row_count_to_equal", {"value": 2800})
    try:
        with engine.Asker(f"{lake.url}?access_mode=read_only") as asker:
            found = asker.ask_table("outcomes", [question])["q"]
    finally:
        duckdb_adaptation.adapt()
    assert not found.success
    assert found.error


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
