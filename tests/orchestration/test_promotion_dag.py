"""One promotion DAG a capability: its gates in order, its schedule, and what it costs to parse."""

from __future__ import annotations

from itertools import pairwise

import pytest

CHAIN = ["admit", "quality", "record", "review", "approval", "promote"]


@pytest.fixture
def dags(policies):
    from belay.orchestration.generate import promotion_dags

    return lambda: {dag.dag_id: dag for dag in promotion_dags()}


def test_every_capability_has_its_gates_in_order(dags, policies):
    names = {path.stem for path in policies.glob("[!_]*.yaml")}
    assert set(dags()) == {f"promotion__{name}" for name in names}
    for dag in dags().values():
        assert [task.task_id for task in dag.topological_sort()] == CHAIN
        for before, after in pairwise(CHAIN):
            assert dag.get_task(before).downstream_task_ids == {after}
        assert {task.trigger_rule for task in dag.tasks} == {"all_success"}
        assert (dag.max_active_runs, dag.catchup) == (1, False)


def test_the_schedule_is_a_setting(dags, monkeypatch):
    assert dags()["promotion__checkout_wording"].schedule == "0 6 * * *"
    monkeypatch.setenv("BELAY_PROMOTION_SCHEDULE", "none")
    assert dags()["promotion__checkout_wording"].schedule is None


def test_its_page_says_what_it_takes(dags):
    said = dags()["promotion__checkout_wording"].doc_md
    assert "`supervised` → `bounded` | 28 days, 12 completed, harm below 25 %" in said
    assert "`cx_owner` and `risk_owner` must agree" in said
    human_only = dags()["promotion__brand_voice"].doc_md
    assert "Never above `suggest`" in human_only
    assert "supervised" not in human_only.split("What takes")[0]


def test_a_task_builds_its_own_dag_only_and_airflow_can_store_it(dags, monkeypatch):
    from airflow.serialization.serialized_objects import DagSerialization

    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "promotion__brand_voice")
    (dag,) = dags().values()
    assert DagSerialization.to_dict(dag)["dag"]["dag_id"] == "promotion__brand_voice"


def test_a_broken_file_has_no_promotions(dags, policies):
    (policies / "search_ranking.yaml").write_text("title: {")
    assert "promotion__search_ranking" not in dags()
    assert "promotion__checkout_wording" in dags()
