"""A proposal file is read as what it is, JSON or YAML, within limits; what is odd is said with its field."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.conftest import Belay

from belay.gates.documents import parse_json, read_proposal
from belay.gates.intake import BadProposalError, oddities, parse_proposal
from belay.services import Services

DOCUMENT = {
    "optimization": "small",
    "capability": "checkout_wording",
    "title": "A calmer hint",
    "hypothesis": "people plan",
    "agent": "copywriter",
    "agent_owner": "dana",
    "variants": [{"key": "calm", "payload": {"rate": 0.00001}}],
    "rollback": {"rate": 0.5},
}
YAML = """\
optimization: odd
capability: checkout_wording
title: A calmer hint
hypothesis: people plan
variants:
  - key: calm
    payload: {payload}
agent: copywriter
agent_owner: dana
"""


def yaml_with(payload: str) -> str:
    return YAML.replace("{payload}", payload)


@pytest.mark.parametrize(
    ("name", "change", "indent"),
    [("small", {}, None), ("emoji", {"title": "A calmer hint \U0001f600"}, None), ("tabs", {}, "\t")],
)
def test_json_is_read_as_json(
    belay: Belay, services: Services, tmp_path: Path, name: str, change: dict[str, str], indent: str | None
) -> None:
    file = tmp_path / f"{name}.json"
    file.write_text(json.dumps(DOCUMENT | change | {"optimization": name}, indent=indent))
    done = belay("propose", file, "--no-start")
    assert done.exit_code == 0, done.output
    (variant,) = services.ledger.state().optimizations[name].proposal.variants
    assert variant.payload == {"rate": 0.00001}


ODD = {
    "more digits than can be read": ("{n: " + "9" * 5000 + "}", "variants.0.payload.n: a"),
    "a number that is not the same everywhere": ("{n: 9007199254740993}", "beyond 2^53"),
    "deep": ("[" * 600 + "]" * 600, "nested more than"),
    "deeper than a payload": ("[" * 25 + "]" * 25, "nested more than 20 levels deep"),
    "an alias": ("&a [1, *a]", "anchors and aliases"),
    "a tag": ("!!python/object/apply:os.system [ls]", "tags"),
    "infinite": ("{n: .inf}", "a finite number is needed"),
    "a key twice": ("{n: 1, n: 2}", "given twice"),
}


@pytest.mark.parametrize("what", ODD)
def test_odd_input_is_bad_input_and_records_nothing(
    belay: Belay, services: Services, tmp_path: Path, what: str
) -> None:
    payload, says = ODD[what]
    file = tmp_path / "odd.yaml"
    file.write_text(yaml_with(payload))
    done = belay("propose", file, "--no-start")
    assert done.exit_code == 2, done.output
    assert says in " ".join(done.output.split())
    assert len(done.output) < 1000
    assert not (services.settings.home / "ledger.db").exists()


def test_words_of_yaml_stay_words(belay: Belay, services: Services, tmp_path: Path) -> None:
    file = tmp_path / "onoff.yaml"
    file.write_text(yaml_with("{on: 1, off: 0, day: 2026-12-01, rate: 1e-05}"))
    assert belay("propose", file, "--no-start").exit_code == 0
    (variant,) = services.ledger.state().optimizations["odd"].proposal.variants
    assert variant.payload == {"on": 1, "off": 0, "day": "2026-12-01", "rate": 0.00001}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=12,
    )
)
def test_every_json_payload_is_taken_or_said_to_be_odd(payload) -> None:
    document = parse_json(json.dumps(DOCUMENT | {"variants": [{"key": "calm", "payload": payload}]}))
    if odd := list(oddities(document)):
        with pytest.raises(BadProposalError, match=re.escape(odd[0])):
            parse_proposal(document)
    else:
        assert parse_proposal(document).variants[0].payload == payload


@pytest.mark.parametrize(
    "text", ["", "{", '{"a": 1, "a": 2}', "[" * 100_000, '{"n": NaN}', '{"n": ' + "9" * 5000 + "}", b"\xff"]
)
def test_no_body_is_a_defect(text: str | bytes) -> None:
    with pytest.raises(BadProposalError):
        parse_proposal(parse_json(text))


def test_a_folder_is_no_proposal(tmp_path: Path) -> None:
    with pytest.raises(BadProposalError, match="is not a file"):
        read_proposal(tmp_path)
