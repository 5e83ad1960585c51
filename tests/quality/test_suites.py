"""Suites as data: the shipped ones, and those that cannot be used."""

import pytest
from tests.quality.conftest import EXPECTATIONS, SHIPPED

from belay.policy.load import load_policies
from belay.quality.suites import SuiteError, load_suite


def test_the_shipped_suites_know_every_column_that_policies_may_name():
    import yaml

    catalogue = yaml.safe_load((EXPECTATIONS.parent / "include/capabilities/_metrics.yaml").read_text())
    for name, source in catalogue["sources"].items():
        assert set(source["columns"]) <= set(load_suite(EXPECTATIONS, name).columns)


def test_every_policy_asks_for_suites_that_exist():
    loaded = load_policies(EXPECTATIONS.parent / "include" / "capabilities")
    assert not loaded.errors
    assert {suite for policy in loaded.capabilities.values() for suite in policy.suites} == set(SHIPPED)


def test_every_check_says_what_is_wrong_and_where_to_look():
    for name in SHIPPED:
        suite = load_suite(EXPECTATIONS, name)
        assert suite.checks
        for check in suite.checks:
            assert len(check.look_at) > 15
            assert check.wrong


VALID = """\
table: t
columns: {a: text}
columns_look_at: the loader
"""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("table: [", "x.yaml cannot be read"),
        ("- a", "is not a mapping"),
        ("", "is not a mapping"),
        (VALID + "chekcs: []", "chekcs: Extra inputs are not permitted"),
        (VALID.replace("text", "words"), "columns.a"),
        (VALID.replace("table: t", "table: 't; DROP'"), "table"),
        (VALID + "freshness: {max_age: 12, look_at: x}", "such as 12h"),
        (VALID + "volume: {at_least: 2, at_most: 3, look_at: x}", "volume.at_least"),
        (VALID + "checks: [{id: a, expect: b, wrong: c}]", "checks.0.look_at: Field required"),
        (VALID + "checks:\n" + "- {id: a, expect: b, wrong: c, look_at: d}\n" * 2, "names of their own: a"),
    ],
)
def test_a_suite_that_cannot_be_used_says_why(tmp_path, text, says):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(SuiteError) as raised:
        load_suite(tmp_path, "x")
    assert says in str(raised.value)


def test_a_suite_that_is_not_there(tmp_path):
    with pytest.raises(SuiteError, match="known suites: none"):
        load_suite(tmp_path, "x")
