"""Odd proposals over HTTP are 422 with the field, and a name that nothing can have is 404, not a defect."""

from __future__ import annotations

import json

import pytest
from tests.web.conftest import document

from belay.services import Services

JSON = {"content-type": "application/json"}
PAYLOADS = {
    "digits": ("9" * 5000, "variants.0.payload"),
    "inexact": ("9007199254740993", "variants.0.payload"),
    "deep": ("[" * 600 + "]" * 600, "nested more than"),
    "deeper": ("[" * 200_000 + "]" * 200_000, "nested too deep"),
    "endless": ("Infinity", "variants.0.payload"),
    "half a character": ('"\\ud83d"', "variants.0.payload"),
    "a key twice": ('{"a": 1, "a": 2}', "given twice"),
    "cut": ('{"a": ', "this is not JSON"),
}


@pytest.mark.parametrize("what", PAYLOADS)
def test_an_odd_payload_is_422_with_its_field(browse, belay: Services, what: str) -> None:
    payload, says = PAYLOADS[what]
    body = json.dumps(document()).replace('{"label": "yours on Thursday"}', payload)
    answer = browse("nora").post("/api/proposals", content=body, headers=JSON)
    assert answer.status_code == 422, answer.text
    assert says in answer.json()["detail"]
    assert len(answer.text) < 1000
    assert not belay.ledger.state().optimizations


@pytest.mark.parametrize("body", ["[]", "null", '"text"', ""])
def test_a_body_that_is_no_mapping_is_422(browse, body: str) -> None:
    assert browse("nora").post("/api/proposals", content=body, headers=JSON).status_code == 422


@pytest.mark.parametrize("path", ["explain/{}", "explain/%23{}", "optimization/{}", "capability/{}"])
def test_an_id_of_5000_digits_is_404(browse, path: str) -> None:
    assert browse("nora").get("/" + path.format("9" * 5000)).status_code == 404


def test_a_step_of_5000_digits_is_no_defect(browse) -> None:
    assert browse("nora").get(f"/review/some-change/{'9' * 5000}").status_code in (404, 422)
