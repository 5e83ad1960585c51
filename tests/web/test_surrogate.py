"""The text of a reason never makes a stop or a veto over HTTP fail; what is no text elsewhere is a 422."""

from __future__ import annotations

import json

import pytest
from tests.web.conftest import document

JSON = {"content-type": "application/json"}
REASONS = {
    "cut inside an emoji": b'"wrong \\ud83d"',
    "only half a character": b'"\\ud83d"',
    "NUL": b'"wrong\\u0000"',
    "huge": json.dumps("w" * 900_000).encode(),
}


@pytest.mark.parametrize("reason", REASONS.values(), ids=REASONS)
def test_whatever_the_reason_says_it_is_taken_down(browse, belay, reason: bytes) -> None:
    client = browse("nora", raise_server_exceptions=False)
    assert client.post("/api/proposals", json=document("hint")).status_code == 201
    veto = client.post("/api/vetoes/hint", content=b'{"reason":%s}' % reason, headers=JSON)
    assert veto.status_code == 200, veto.text
    assert veto.json()["remark"]
    assert belay.ledger.state().optimizations["hint"].status == "vetoed"
    stop = client.post("/api/stops", content=b'{"target":"all","reason":%s}' % reason, headers=JSON)
    assert stop.status_code == 200, stop.text
    assert "Its reason: " in stop.json()["told"], "a reason that is not kept as given says so"
    assert "all" in belay.ledger.state().freezes


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/stops", b'{"target":"\\ud83d","reason":"x"}'),
        ("/api/freezes", b'{"target":"all","reason":"x","frozen":"\\ud83d"}'),
        ("/api/stops", b'{"target":"all","reason":NaN}'),
        ("/api/proposals", b'{"optimization":"hint","title":"cut \\ud83d"}'),
        ("/api/requests/none/votes", b'{"choice":"\\ud83d","reason":"x","digest":""}'),
    ],
)
def test_what_is_no_text_elsewhere_is_no_defect(browse, path: str, body: bytes) -> None:
    client = browse("nora", raise_server_exceptions=False)
    assert client.post(path, content=body, headers=JSON).status_code == 422
