"""The client of Airflow's API: patient with a task that looks at the ledger, clear about everything else."""

from __future__ import annotations

import ast
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from tenacity import wait_none

from belay.domain.run import Run
from belay.local.airflow import free_port
from belay.orchestration import client as room
from belay.orchestration.client import (
    AirflowClient,
    AirflowRefusedError,
    AirflowUnavailableError,
    NotAskedError,
)

RUN = Run("rollout__wording", "opt__step1")


class Airflow:
    """Answers as Airflow does; the approval task is in each of ``states`` in turn, and stays in the last."""

    def __init__(self, *states):
        self.states, self.answers, self.logins, self.expired = list(states), [], 0, ""
        self.stumbles = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                if outer.stumbles:
                    outer.stumbles -= 1
                    self.reply({"detail": "database is locked"}, 503)
                    return
                if outer.expired and self.headers["Authorization"] == outer.expired:
                    self.reply({"detail": "Token Expired"}, 401)
                    return
                state = outer.states.pop(0) if len(outer.states) > 1 else outer.states[0]
                self.reply({"task_instances": [{"task_id": "approval", "state": state}]})

            def do_POST(self):
                self.body()
                outer.logins += 1
                self.reply({"access_token": f"t{outer.logins}"}, 201)

            def do_PATCH(self):
                outer.answers.append(json.loads(self.body()))
                self.reply({}, 200 if len(outer.answers) == 1 else 409)

            def body(self):
                return self.rfile.read(int(self.headers["Content-Length"]))

            def reply(self, document, status=200):
                payload = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(room, "_LOOK_SECONDS", 0.0)


def answer(airflow):
    AirflowClient(airflow.url, "nora", "p").answer(RUN, "Approve", reason="fine", shown="d1")


def test_it_waits_while_the_task_looks_at_the_ledger():
    with Airflow("scheduled", "running", "awaiting_input") as airflow:
        answer(airflow)
    assert airflow.answers == [
        {"chosen_options": ["Approve"], "params_input": {"reason": "fine", "shown": "d1"}}
    ]


@pytest.mark.parametrize("state", ["success", "failed", "skipped", "upstream_failed", None])
def test_a_task_that_is_over_or_not_begun_is_not_waited_for(state):
    with Airflow(state) as airflow, pytest.raises(NotAskedError, match="waits for no answer"):
        answer(airflow)
    assert airflow.answers == []


def test_a_task_that_looks_for_ever_is_given_up():
    with Airflow("running") as airflow, pytest.raises(NotAskedError, match="waits for no answer"):
        answer(airflow)


def test_a_second_answer_is_told_that_it_is_late():
    with Airflow("awaiting_input") as airflow:
        answer(airflow)
        with pytest.raises(NotAskedError, match="answered already"):
            answer(airflow)


def test_a_session_that_has_ended_is_opened_again():
    with Airflow("awaiting_input") as airflow:
        client = AirflowClient(airflow.url, "nora", "secret")
        assert client.waits(RUN)
        airflow.expired = "Bearer t1"
        assert client.waits(RUN)
        assert airflow.logins == 2


def test_no_airflow_says_where_it_was_looked_for():
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(AirflowUnavailableError, match=url):
        AirflowClient(url, "nora", "p").health()


def test_one_module_names_the_paths_of_airflows_api():
    """Whatever speaks to Airflow over the network goes through the client, with its tries and refusals."""
    package = Path(room.__file__).resolve().parents[1]
    sources = [*package.rglob("*.py"), *(package.parents[1] / "plugins").rglob("*.py")]
    literals = {
        path.relative_to(package.parents[1]).as_posix()
        for path in sources
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "/api/v2" in node.value
    }
    assert literals == {"include/belay/orchestration/names.py"}


def test_a_call_that_airflow_stumbles_over_is_sent_again(monkeypatch):
    monkeypatch.setattr(room, "_PAUSE", wait_none())
    with Airflow("awaiting_input") as airflow:
        airflow.stumbles = 3
        assert AirflowClient(airflow.url, token="t").task_states(RUN) == {"approval": "awaiting_input"}
        airflow.stumbles = 2
        with pytest.raises(AirflowUnavailableError, match="503"):
            AirflowClient(airflow.url, token="t", tries=2).task_states(RUN)


def test_who_came_with_a_token_is_not_asked_for_a_password():
    with Airflow("awaiting_input") as airflow:
        airflow.expired = "Bearer old"
        with pytest.raises(AirflowRefusedError, match="Token Expired"):
            AirflowClient(airflow.url, token="old").task_states(RUN)
        assert airflow.logins == 0
