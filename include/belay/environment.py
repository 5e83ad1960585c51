"""Every setting there is: its variable, what it means, what is right, and what stands in without it.

One place reads the environment, so that a value that cannot be used is answered in one way everywhere: the
command line ends with exit code 2 and a sentence that names variable, value and an example. What runs on its
own (DAG files, tasks, the guard, a kill switch) goes on with the default where that is safe; `belay doctor`
says so.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

Environment = Mapping[str, str]
Group = Literal["parts", "times", "people", "slack", "local"]

LEDGERS, WAREHOUSES = ("sqlite", "postgresql"), ("duckdb", "sqlite", "postgresql")
"""Databases that a ledger, and a warehouse, can be."""

_LONGEST = 86_400.0


class BadSettingError(ValueError):
    """A setting cannot be used; the message names the variable, its value, what is wrong and an example."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One setting.

    Attributes
    ----------
    name : str
        Its environment variable.
    default : str
        What holds without it, in words.
    meaning : str
        What it is for, in a line of the table in docs/cli.md.
    example : str
        A right value.
    group : Group
        The table of docs/cli.md it stands in.
    read : Callable[[str], Any]
        From text to value; raises ``ValueError`` with what is wrong.
    instead : Any
        The value that stands in for one that cannot be used, where that is safe; None where nothing can.
    """

    name: str
    default: str
    meaning: str
    example: str
    group: Group
    read: Callable[[str], Any]
    instead: Any = None
    secret: bool = False


def text_of(name: str, environ: Environment | None = None) -> str:
    """Return a variable's text without the space around it; empty when it is not set, or blank."""
    return (os.environ if environ is None else environ).get(name, "").strip()


def value_of(name: str, environ: Environment | None = None) -> Any:
    """Return a setting as its type, or its stand-in when it is not set.

    Raises
    ------
    BadSettingError
        When what is set cannot be used.
    """
    variable, text = VARIABLES[name], text_of(name, environ)
    if not text:
        return variable.instead
    try:
        return variable.read(text)
    except ValueError as error:
        shown = "…" if variable.secret else text if len(text) <= 120 else f"{text[:119]}…"
        raise BadSettingError(f"{name}={shown}: {error}; for example {name}={variable.example}") from None


def safe_value_of(name: str, environ: Environment | None = None) -> Any:
    """Return a setting that has a stand-in; one that cannot be used is replaced by it and never raises."""
    try:
        return value_of(name, environ)
    except BadSettingError:
        return VARIABLES[name].instead


def problems(environ: Environment | None = None) -> list[str]:
    """Return a sentence for each setting that cannot be used."""
    found = []
    for name in VARIABLES:
        try:
            value_of(name, environ)
        except BadSettingError as error:
            found.append(str(error))
    return found


def unknown(environ: Environment | None = None) -> Iterator[str]:
    """Yield a sentence for each variable that looks like a setting of Belay's and is none."""
    for name in sorted(os.environ if environ is None else environ):
        if name.startswith("BELAY_") and name not in VARIABLES and name not in ELSEWHERE:
            near = get_close_matches(name, VARIABLES, 1, 0.8)
            yield f"{name} is no setting" + (f"; did you mean {near[0]}?" if near else "")


def seconds(text: str) -> timedelta:
    """Return a positive number of seconds, at most a day."""
    try:
        number = float(text)
    except ValueError:
        raise ValueError("a number of seconds is needed") from None
    if not math.isfinite(number) or not 0 < number <= _LONGEST:
        raise ValueError(f"a number of seconds above 0 and up to {_LONGEST:.0f} is needed")
    return timedelta(seconds=number)


def _settling(text: str) -> timedelta:
    if re.fullmatch(r"\+?0+(\.0*)?", text):
        return timedelta()
    return seconds(text)


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ValueError, OSError, KeyError):  # the name of no zone, of a folder, or no name at all
        raise ValueError("there is no such time zone") from None


def _path(text: str) -> Path:
    if "\0" in text:
        raise ValueError("a path cannot hold a zero byte")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError("nobody here has that home folder") from None


def _home(text: str) -> Path:
    home = _path(text).resolve()
    if home.exists() and not home.is_dir():
        raise ValueError("this is a file, and a folder is needed")
    return home


def _database(*kinds: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        from belay.urls import parse

        parsed = parse(text)
        if parsed.get_backend_name() not in kinds:
            raise ValueError(f"this is {parsed.get_backend_name()}; it can be {', '.join(kinds)}")
        return text

    return read


def _address(text: str) -> str:
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        fits = False
    if not fits or re.search(r"\s", text):
        raise ValueError("this is no web address")
    return text


def _flags(text: str) -> str:
    kind, _, where = text.partition(":")
    if text == "dry-run" or (kind == "flagd" and where) or (kind == "python" and where.count(":") >= 1):
        return text
    raise ValueError("this names no flag system: use flagd:PATH, dry-run or python:MODULE:FUNCTION:ARGUMENT")


NEVER = "none"
"""The schedule of what people start alone."""


def _schedule(text: str) -> str:
    if text == NEVER:
        return text
    names = ("@hourly", "@daily", "@weekly", "@monthly")
    if text not in names and not re.fullmatch(r"([0-9*/,A-Za-z-]+\s+){4}[0-9*/,A-Za-z#-]+", text):
        raise ValueError(f"this is no schedule: it can be five fields of cron, {', '.join(names)} or none")
    return text


def _word(text: str) -> str:
    if re.search(r"\s", text):
        raise ValueError("this holds a space")
    return text


def _token(start: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not text.startswith(start) or re.search(r"\s", text):
            raise ValueError(f"it begins with {start} and holds no space")
        return text

    return read


def _channel(text: str) -> str:
    if not re.fullmatch(r"[A-Z][A-Z0-9]+", text):
        raise ValueError("this is no channel's id: in Slack it stands at the end of the channel's details")
    return text


_ALL = (
    Variable("BELAY_HOME", "`.belay`", "folder of everything embedded", "/srv/belay", "parts", _home),
    Variable(
        "BELAY_LEDGER_URL",
        "`HOME/ledger.db`",
        "SQLAlchemy URL of the ledger: SQLite or PostgreSQL (`postgresql://` and `postgres://` will do)",
        "postgresql://belay@db.example.com/ledger",
        "parts",
        _database(*LEDGERS),
    ),
    Variable(
        "BELAY_WAREHOUSE_URL",
        "`HOME/warehouse.duckdb`",
        "SQLAlchemy URL of the warehouse: DuckDB, SQLite or PostgreSQL",
        "postgresql://reader@db.example.com/shop",
        "parts",
        _database(*WAREHOUSES),
    ),
    Variable(
        "BELAY_FLAGS",
        "`flagd:HOME/flags/flags.flagd.json`",
        "`flagd:PATH`, `dry-run`, or a flag system of your own: `python:MODULE:FUNCTION:ARGUMENT` calls a "
        "function that returns a `FlagTarget`",
        "flagd:/srv/flags/flags.flagd.json",
        "parts",
        _flags,
    ),
    Variable(
        "BELAY_POLICIES",
        "`HOME/capabilities` where the demo or `belay up` laid them out, else `include/capabilities`",
        "folder of capability files",
        "/srv/belay/capabilities",
        "parts",
        _path,
    ),
    Variable(
        "BELAY_EXPECTATIONS", "`expectations`", "folder of suites", "/srv/belay/expectations", "parts", _path
    ),
    Variable(
        "BELAY_DATA",
        "`../shared/data`",
        "folder of recorded experiments, for `belay replay`",
        "/srv/recorded",
        "parts",
        _path,
    ),
    Variable(
        "BELAY_AIRFLOW_URL",
        "–",
        "Airflow's address; with it answers go through Airflow's login",
        "https://airflow.example.com",
        "parts",
        _address,
    ),
    Variable(
        "BELAY_PAGES_URL",
        "–",
        "address of Belay's pages (Airflow's public address with `/belay`), for links in messages",
        "https://airflow.example.com/belay",
        "slack",
        _address,
    ),
    Variable(
        "BELAY_FLAG_SETTLE_SECONDS",
        "60",
        "data time that a change of scope needs to reach every client",
        "60",
        "times",
        _settling,
        timedelta(seconds=60),
    ),
    Variable(
        "BELAY_APPROVAL_RECHECK_SECONDS",
        "300",
        "how often a waiting task looks at the ledger",
        "300",
        "times",
        seconds,
        timedelta(seconds=300),
    ),
    Variable(
        "BELAY_GUARD_SECONDS",
        "60",
        "how often the DAG `guard` looks at everything live; after five intervals without a look nothing "
        "widens",
        "60",
        "times",
        seconds,
        timedelta(seconds=60),
    ),
    Variable(
        "BELAY_RECONCILE_SECONDS",
        "300",
        "how often the DAG `reconcile` compares what is served with what was decided",
        "300",
        "times",
        seconds,
        timedelta(seconds=300),
    ),
    Variable(
        "BELAY_INTAKE_SECONDS",
        "60",
        "how often the DAG `intake` starts the run of what was proposed and has none",
        "60",
        "times",
        seconds,
        timedelta(seconds=60),
    ),
    Variable(
        "BELAY_PROMOTION_SCHEDULE",
        "`0 6 * * *`",
        "when the promotion DAGs run: cron, `@daily` and the like, or `none`",
        "0 6 * * *",
        "times",
        _schedule,
        "0 6 * * *",
    ),
    Variable(
        "BELAY_ZONE",
        "`UTC`",
        "time zone of people who say until when",
        "Europe/Berlin",
        "times",
        _zone,
        ZoneInfo("UTC"),
    ),
    Variable("BELAY_USER", "your user name here", "who acts, without Airflow", "nora", "people", _word),
    Variable(
        "BELAY_AIRFLOW_USER", "–", "the Airflow user who acts at the command line", "nora", "people", _word
    ),
    Variable(
        "BELAY_AIRFLOW_PASSWORD", "–", "that user's password", "…", "people", lambda text: text, secret=True
    ),
    Variable(
        "BELAY_AIRFLOW_PASSWORD_FILE",
        "–",
        "a file that holds that password alone",
        "~/.config/belay/password",
        "people",
        _path,
    ),
    Variable("BELAY_SLACK_CHANNEL", "–", "id of the channel that is asked", "C0123ABCDEF", "slack", _channel),
    Variable("SLACK_BOT_TOKEN", "–", "the app's bot token", "xoxb-…", "slack", _token("xoxb-"), secret=True),
    Variable(
        "SLACK_APP_TOKEN",
        "–",
        "an app-level token, for Socket Mode",
        "xapp-…",
        "slack",
        _token("xapp-"),
        secret=True,
    ),
    Variable(
        "SLACK_SIGNING_SECRET",
        "–",
        "the app's signing secret, for answers over HTTP",
        "8f74…",
        "slack",
        _word,
        secret=True,
    ),
    Variable(
        "SLACK_API_URL",
        "`https://slack.com/api/`",
        "another server of the same protocol, for tests",
        "http://127.0.0.1:8081/api/",
        "slack",
        _address,
    ),
    Variable("BELAY_DEBUG", "–", "show tracebacks", "1", "local", lambda text: text),
)

VARIABLES: Mapping[str, Variable] = {variable.name: variable for variable in _ALL}
"""Every setting, by its variable."""

ELSEWHERE = frozenset({"BELAY_UID", "BELAY_IMAGE", "BELAY_PORT", "BELAY_URL", "BELAY_LOGINS", "BELAY_FAULTS"})
"""What docker-compose.yml and the tests read, and Belay does not."""
