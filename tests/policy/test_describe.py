"""Policies as people and editors read them."""

import json

import jsonschema
import pytest
import yaml

from belay.policy.describe import describe
from belay.policy.schema import export_schemas, schemas


def test_a_description_says_who_what_and_how_far(folder):
    loaded = folder.load()
    text = describe(loaded.capabilities["example"], loaded.roster)
    for part in (
        "# Checkout wording",
        "Carla Mendes",
        "1 % → 5 % → 25 % → 100 %",
        "at most 20 % worse",
        "Visitors who ask for support",
        "nora or priya",
        "3d to 14d",
        "| `supervised` | notice |",
    ):
        assert part in text


def test_a_description_says_what_can_tell_of_what_was_never_shown(folder):
    assert "none: what was never shown is not known" in describe(folder.load().capabilities["example"])
    shadow = "shadow: {choice: decisions.item, propensity: decisions.propensity, payload: a_b}"
    folder.edit("example", "segments:", f"{shadow}\nsegments:")
    text = describe(folder.load().capabilities["example"])
    assert (
        "`decisions.item`, chosen by chance with `decisions.propensity`, beside `a\\_b` of a payload" in text
    )


def test_a_title_cannot_forge_markup(folder):
    folder.edit("example", "title: Checkout wording", "title: 'a | b](http://x) <b>'")
    text = describe(folder.load().capabilities["example"])
    assert "# a \\| b\\](http://x) \\<b\\>" in text


def test_schemas_accept_the_shipped_files_and_refuse_unknown_keys(folder):
    for name, schema in schemas().items():
        jsonschema.Draft202012Validator.check_schema(schema)
        file = "example" if name == "capability" else name
        document = yaml.safe_load((folder.path / f"{file}.yaml").read_text())
        jsonschema.validate(document, schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document | {"nonsense": 1}, schema)


def test_schemas_are_written_for_editors(tmp_path):
    paths = export_schemas(tmp_path / "schemas")
    assert len(paths) == 6
    assert "decision_class" in json.loads(paths[0].read_text())["properties"]
