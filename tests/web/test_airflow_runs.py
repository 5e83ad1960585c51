"""Waking the run: this server and no other gets the token of the person who is logged in."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from fastapi import Request

from belay.services import Services

Asked = Callable[..., Any]


class Airflow(BaseHTTPRequestHandler):
    """A server that keeps what it is sent, and answers as it is told."""

    seen: list[tuple[str, str, Any]]
    status: int

    def do_PATCH(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append((self.path, self.headers["Authorization"], body))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def airflow() -> Iterator[HTTPServer]:
    handler = type("Kept", (Airflow,), {"seen": [], "status": 200})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def sent_to(port: int | None, **headers: str) -> Request:
    """Return a request that arrived at a port of this computer, whatever it says about where it went."""
    said = {"host": "evil.example", "cookie": "_token=from-cookie", **headers}
    return Request(
        {
            "type": "http",
            "method": "POST",
            "path": "/belay/api",
            "query_string": b"",
            "server": ("127.0.0.1", port) if port else ("/run/airflow.sock", None),
            "headers": [(name.encode(), value.encode()) for name, value in said.items()],
        }
    )


def test_the_run_is_woken_here_in_the_name_of_who_answered(
    belay: Services, asked: Asked, airflow: HTTPServer
) -> None:
    from belay.web.airflow_runs import wake_run

    request = asked()
    assert wake_run(belay, request, sent_to(airflow.server_port), "approve", "fine")
    ((path, token, body),) = airflow.RequestHandlerClass.seen  # type: ignore[attr-defined]
    assert path == (
        "/api/v2/dags/rollout__checkout_wording/dagRuns/delivery-date__step1"
        "/taskInstances/approval/-1/hitlDetails"
    )
    assert token == "Bearer from-cookie"
    assert body == {
        "chosen_options": ["Approve"],
        "params_input": {"reason": "fine", "shown": request.digest},
    }


def test_the_token_is_the_one_airflow_goes_by(belay: Services, asked: Asked, airflow: HTTPServer) -> None:
    from belay.web.airflow_runs import wake_run

    request = sent_to(airflow.server_port, authorization="bearer from-header")
    assert wake_run(belay, asked(), request, "reject", "no")
    ((_, token, body),) = airflow.RequestHandlerClass.seen  # type: ignore[attr-defined]
    assert token == "Bearer from-header"
    assert body["chosen_options"] == ["Reject"]


@pytest.mark.parametrize("port", [1, None])
def test_nobody_there_is_no_harm(belay: Services, asked: Asked, port: int | None) -> None:
    from belay.web.airflow_runs import wake_run

    assert not wake_run(belay, asked(), sent_to(port), "approve", "fine")


def test_airflow_says_no(belay: Services, asked: Asked, airflow: HTTPServer) -> None:
    from belay.web.airflow_runs import wake_run

    airflow.RequestHandlerClass.status = 409  # type: ignore[attr-defined]
    assert not wake_run(belay, asked(), sent_to(airflow.server_port), "approve", "fine")
