"""One DAG a capability: its chain, its form, and what a broken file does to it and to the others."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
CHAIN = ["admit", "quality", "window", "review", "approval", "widen", "next"]


@pytest.fixture
def dags(policies):
    from belay.orchestration.generate import rollout_dags

    return lambda: {dag.dag_id: dag for dag in rollout_dags()}


def test_every_capability_has_its_dag_and_its_gates_in_order(dags, policies):
    names = {path.stem for path in policies.glob("[!_]*.yaml")}
    assert names
    assert set(dags()) == {f"rollout__{name}" for name in names}
    for dag in dags().values():
        assert [task.task_id for task in dag.topological_sort()] == CHAIN
        for before, after in pairwise(CHAIN):
            assert dag.get_task(before).downstream_task_ids == {after}
        assert dag.schedule is None
        assert not dag.catchup


def test_no_gate_is_mapped_and_none_goes_on_after_a_skip(dags):
    """Airflow 3.3 does not stop what comes after a gate in a mapped group."""
    for dag in dags().values():
        for task in dag.tasks:
            assert not task.is_mapped
            assert task.trigger_rule == "all_success"
            assert task.task_group is None or task.task_group.is_root


def test_a_dag_says_what_it_is_and_who_owns_it(dags):
    dag = dags()["rollout__checkout_wording"]
    assert {"belay", "rollout", "surface:checkout", "reversible"} <= set(dag.tags)
    assert dag.owner_links == {"carla": "mailto:carla@shop.example"}
    assert "Conversion" in dag.doc_md
    assert {link.name for task in dag.tasks for link in task.operator_extra_links} >= {"Review"}


def test_airflow_can_store_every_dag(dags, policies):
    from airflow.serialization.serialized_objects import DagSerialization

    (policies / "brand_voice.yaml").write_text("title: {")
    for dag in dags().values():
        stored = DagSerialization.to_dict(dag)
        assert stored["dag"]["dag_id"] == dag.dag_id


def test_the_form_takes_a_proposal_and_refuses_a_bad_one(dags):
    from airflow.sdk.exceptions import ParamValidationError

    from belay.orchestration.form import proposal_of

    params = dags()["rollout__checkout_wording"].params
    assert proposal_of(params.validate()) is None
    good = {
        "optimization": "free-returns",
        "title": "Free returns",
        "hypothesis": "People dare more.",
        "variants": [{"key": "treatment", "payload": 1}],
        "agent": "copywriter",
        "agent_owner": "dana",
    }
    params.update(good)
    assert proposal_of(params.validate()) == good | {"capability": "checkout_wording"}
    for bad in (
        {"variants": []},
        {"optimization": "No Name"},
        {"title": ""},
        {"capability": "brand_voice"},
        {"variants": [{"key": "x", "payload": 1, "more": 2}]},
    ):
        other = dags()["rollout__checkout_wording"].params
        with pytest.raises(ParamValidationError):
            other.update(good | bad)


def test_every_task_is_told_what_the_run_is_about(dags):
    """The form is the DAG's; what a run brings reaches every task."""
    from airflow.sdk.definitions.param import process_params

    dag = dags()["rollout__checkout_wording"]
    for task in dag.tasks:
        assert not task.params
        found = process_params(dag, task, {"optimization": "free-returns"}, suppress_exception=False)
        assert (found["optimization"], found["capability"]) == ("free-returns", "checkout_wording")


def test_a_broken_file_shows_in_its_own_dag_and_nowhere_else(dags, policies):
    from airflow.sdk.exceptions import AirflowFailException

    healthy = dags()
    (policies / "search_ranking.yaml").write_text("title: Search\nowner: carla\nsurfase: search\n")
    found = dags()
    assert set(found) == set(healthy)
    broken = found["rollout__search_ranking"]
    assert "broken policy" in broken.tags
    assert "search_ranking.yaml:3" in broken.doc_md
    (task,) = broken.tasks
    with pytest.raises(AirflowFailException, match=r"search_ranking\.yaml:3.*surfase"):
        task.execute({})
    assert [t.task_id for t in found["rollout__checkout_wording"].topological_sort()] == CHAIN


def test_a_task_that_starts_builds_its_own_dag_only(dags, monkeypatch):
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "rollout__brand_voice")
    assert list(dags()) == ["rollout__brand_voice"]


def test_parsing_imports_nothing_heavy(policies):
    """What a DAG file imports, every task start pays for."""
    heavy = ["great_expectations", "duckdb", "altair", "scipy", "belay.measurement", "belay.quality"]
    program = (
        f"import runpy, sys; runpy.run_path({str(REPOSITORY / 'dags' / 'rollouts.py')!r}); "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
