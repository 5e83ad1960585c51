"""Airflow from outside, over its REST API as one of its users: start a run, answer a question, ask how it is.

Imports no Airflow: the command line, the demo and Slack use it on machines that have none.
API: https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import requests
from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_exponential

from belay.domain.run import Run
from belay.gates.airflow_answers import LOOK, SHOWN
from belay.orchestration.names import API, APPROVAL_TASK

_SECONDS = 30
_UNAUTHORIZED, _SERVER_ERROR = 401, 500
_TRIES, _PAUSE = 4, wait_exponential(multiplier=1)
"""How often a call is sent that Airflow stumbles over, after 1, 2 and 4 seconds. Every call of this client
may be sent twice: runs have names, and a question takes one answer."""
_WAITING = "awaiting_input"
_OVER, _MOST_RUNS = frozenset({"success", "failed"}), 100
_LOOKING = frozenset({"scheduled", "queued", "running", "up_for_retry", "up_for_reschedule"})
"""States of an approval that looks at the ledger, as it does every few minutes, and waits again then."""
_LOOKS, _LOOK_SECONDS = 60, 0.5


class AirflowUnavailableError(Exception):
    """Airflow does not answer, or not as it should; the message says where and what it said."""


class AirflowRefusedError(Exception):
    """Airflow knows who asks, and says no; the message says what it said."""


class NotAskedError(Exception):
    """The run waits for no answer: it has one, or its task is not waiting (yet, or any more)."""


class AirflowClient:
    """A session of one Airflow user.

    Parameters
    ----------
    url
        Airflow's address, such as ``http://127.0.0.1:8080``.
    user, password
        Whose session it is; what Airflow records as the author of every answer. ``health`` needs none.
    token
        The token of a person who is logged in already, instead of a password.
    seconds
        How long an answer is waited for.
    tries
        How often a call is sent that Airflow stumbles over.
    """

    def __init__(
        self,
        url: str,
        user: str = "",
        password: str = "",
        *,
        token: str = "",
        seconds: float = _SECONDS,
        tries: int = _TRIES,
    ) -> None:
        self.url = url.rstrip("/")
        self.user = user
        self._password = password
        self._seconds, self._tries = seconds, tries
        self._session = requests.Session()
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def health(self) -> dict[str, str]:
        """Return the state of each of Airflow's parts that it reports: ``healthy`` or what else."""
        found = self._call("GET", f"{API}/monitor/health", login=False)
        return {
            name: str(said.get("status") or "absent")
            for name, said in found.items()
            if isinstance(said, dict)
        }

    def is_paused(self, dag: str) -> bool | None:
        """Return whether a DAG is paused; None where Airflow has none of that name."""
        found = self._call("GET", f"{API}/dags/{quote(dag, safe='')}", fine=(404,))
        return None if found is None else bool(found.get("is_paused"))

    def unpause(self, dag: str) -> None:
        """Let the runs of a DAG start."""
        self._call("PATCH", f"{API}/dags/{quote(dag, safe='')}?update_mask=is_paused", {"is_paused": False})

    def start(self, run: Run, conf: Mapping[str, Any]) -> bool:
        """Start a run with ``conf`` for its form; False when there is such a run already."""
        body = {"dag_run_id": run.run_id, "logical_date": None, "conf": dict(conf)}
        path = f"{API}/dags/{quote(run.dag, safe='')}/dagRuns"
        return self._call("POST", path, body, fine=(409,)) is not None

    def start_anew(self, run: Run, conf: Mapping[str, Any]) -> Run:
        """Start a run with ``conf`` for its form, and return it.

        One of that name that is under way is that run. One that is over (it was held before it took the
        step up) keeps its name, and the new one gets a number.
        """
        for number in range(1, _MOST_RUNS):
            wanted = run.again(number)
            if self.start(wanted, conf) or self.run_state(wanted) not in _OVER:
                return wanted
        message = f"run {run.run_id} was started {_MOST_RUNS - 1} times and is over each time"
        raise AirflowUnavailableError(message)

    def run_state(self, run: Run) -> str | None:
        """Return a run's state (``queued``, ``running``, ``success``, ``failed``), or None without one."""
        found = self._call("GET", _path(run), fine=(404,))
        return None if found is None else str(found["state"])

    def task_states(self, run: Run) -> dict[str, str]:
        """Return the state of each task of a run, by its name."""
        found = self._call("GET", f"{_path(run)}/taskInstances", fine=(404,)) or {}
        return {task["task_id"]: str(task["state"]) for task in found.get("task_instances", ())}

    def waits(self, run: Run) -> bool:
        """Return whether the run's approval waits for an answer now."""
        return self.task_states(run).get(APPROVAL_TASK) == _WAITING

    def answer(self, run: Run, option: str, *, reason: str, shown: str, patient: bool = True) -> None:
        """Answer the question of a run on the Required Actions page, as this session's user.

        Parameters
        ----------
        option
            ``Approve``, ``Reject`` or ``Veto``.
        shown
            Digest of the request that the user was shown: an answer counts for nothing else.
        patient
            Wait while the run looks at the ledger, as it does now and then, and waits again after that.

        Raises
        ------
        NotAskedError
            When the run waits for no answer.
        AirflowRefusedError
            When this user may not answer.
        """
        self._choose(run, option, {"reason": reason, SHOWN: shown}, patient=patient)

    def look_again(self, run: Run) -> None:
        """Let a run that waits for an answer look at the ledger now. It answers nothing.

        Raises
        ------
        NotAskedError
            When the run waits for no answer.
        """
        self._choose(run, LOOK, {})

    def _choose(self, run: Run, option: str, form: Mapping[str, str], *, patient: bool = True) -> None:
        path = f"{_path(run)}/taskInstances/{APPROVAL_TASK}/-1/hitlDetails"
        if patient and not self._will_wait(run):
            raise NotAskedError(f"run {run.run_id} of {run.dag} at {self.url} waits for no answer now")
        body = {"chosen_options": [option], "params_input": dict(form)}
        if self._call("PATCH", path, body, fine=(404, 409)) is None:
            raise NotAskedError(f"run {run.run_id} of {run.dag} at {self.url} was answered already")

    def _will_wait(self, run: Run) -> bool:
        """Return whether the approval waits, now or as soon as it has looked at the ledger once more."""
        for _ in range(_LOOKS):
            state = self.task_states(run).get(APPROVAL_TASK)
            if state not in _LOOKING:
                return state == _WAITING
            time.sleep(_LOOK_SECONDS)
        return False

    # -- inside ---------------------------------------------------------------------------------

    def _login(self) -> None:
        body = {"username": self.user, "password": self._password}
        token = self._call("POST", "/auth/token", body, login=False)["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        login: bool = True,
        fine: tuple[int, ...] = (),
    ) -> Any:
        """Return the parsed answer, or None for a status in ``fine``."""
        if login and "Authorization" not in self._session.headers:
            self._login()
        answer = self._send(method, path, body)
        # A session ends after a day, and who waits for weeks logs in again; who came with a token cannot.
        if login and self._password and answer.status_code == _UNAUTHORIZED:
            self._login()
            answer = self._send(method, path, body)
        if answer.status_code in fine:
            return None
        if answer.status_code in (401, 403):
            raise AirflowRefusedError(
                f"Airflow refused {repr(self.user) if self.user else 'it'}: {_detail(answer)}"
            )
        if not answer.ok:
            raise AirflowUnavailableError(
                f"Airflow at {self.url} answered {answer.status_code} to {method} {path}: {_detail(answer)}"
            )
        try:
            return answer.json() if answer.content else {}
        except ValueError as error:
            raise AirflowUnavailableError(f"{self.url}{path} sent no JSON: is it Airflow?") from error

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> requests.Response:
        """Send a request; one that Airflow stumbles over (its database was busy) is sent again."""
        patiently = Retrying(
            stop=stop_after_attempt(self._tries),
            wait=_PAUSE,
            retry=retry_if_result(lambda answer: answer.status_code >= _SERVER_ERROR),
            retry_error_callback=lambda last: last.outcome and last.outcome.result(),
        )
        answer: requests.Response = patiently(self._send_once, method, path, body)
        return answer

    def _send_once(self, method: str, path: str, body: Mapping[str, Any] | None) -> requests.Response:
        try:
            # Whatever changes something goes where it was sent, and nowhere else.
            return self._session.request(
                method, self.url + path, json=body, timeout=self._seconds, allow_redirects=method == "GET"
            )
        except requests.RequestException as error:
            raise AirflowUnavailableError(
                f"Airflow at {self.url} does not answer ({type(error).__name__}): "
                "check BELAY_AIRFLOW_URL, and that its API server runs"
            ) from error


def _path(run: Run) -> str:
    dag, run_id = (quote(name, safe="") for name in run)
    return f"{API}/dags/{dag}/dagRuns/{run_id}"


def _detail(answer: requests.Response) -> str:
    try:
        found = answer.json().get("detail", answer.text)
    except (ValueError, AttributeError):
        found = answer.text
    return str(found)[:300]
