"""Where Belay finds its parts: environment variables, with embedded defaults that need no server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from belay.environment import VARIABLES, BadSettingError, problems, safe_value_of, text_of, value_of
from belay.urls import file_url

_PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = _PACKAGE.parents[1]


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, resolved. Each names its environment variable.

    Attributes
    ----------
    home : Path
        ``BELAY_HOME``: folder of everything embedded (``.belay``).
    ledger_url : str
        ``BELAY_LEDGER_URL``: SQLAlchemy URL (a SQLite file in the home).
    warehouse_url : str
        ``BELAY_WAREHOUSE_URL``: SQLAlchemy URL (the DuckDB catalogue in the home).
    flags : str
        ``BELAY_FLAGS``: ``flagd:PATH``, ``dry-run`` or ``python:…`` (a flagd file in the home).
    policies : Path
        ``BELAY_POLICIES``: folder of capability files (those in the home, where the demo or `belay up` laid
        them out; else the packaged ones).
    expectations : Path
        ``BELAY_EXPECTATIONS``: folder of Great Expectations suites.
    recorded : Path
        ``BELAY_DATA``: folder of recorded experiments, for replays and tests.
    airflow_url : str
        ``BELAY_AIRFLOW_URL``: Airflow's address; empty when Belay runs without it.
    flag_settle : timedelta
        ``BELAY_FLAG_SETTLE_SECONDS``: data time that a change of scope needs to reach every client;
        units first exposed in it are left out of the comparison.
    guard_every : timedelta
        ``BELAY_GUARD_SECONDS``: wall-clock time between two looks of the guard (60).
    zone : ZoneInfo
        ``BELAY_ZONE``: time zone of people who say until when (``UTC``).
    problems : tuple[str, ...]
        A sentence for each setting that cannot be used, of all that there are.
    """

    home: Path
    ledger_url: str
    warehouse_url: str
    flags: str
    policies: Path
    expectations: Path
    recorded: Path
    airflow_url: str
    flag_settle: timedelta
    guard_every: timedelta
    zone: ZoneInfo
    problems: tuple[str, ...] = ()

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings from ``environ`` (the process environment by default).

        Raises
        ------
        BadSettingError
            When one or more cannot be used; the message names each, a line each.
        """
        wrong: list[str] = []

        def read(name: str) -> Any:
            try:
                return value_of(name, environ)
            except BadSettingError as error:
                wrong.append(str(error))
                return None

        settings = cls._of(read, environ)
        if wrong:
            raise BadSettingError("\n".join(wrong))
        return settings

    @classmethod
    def forgiving(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings for what has to go on: DAG files, tasks, the guard, a kill switch.

        A time or zone that cannot be used gives way to its default. A part's address never does (another
        ledger would be worse than none): it is taken as it stands, and fails where the part is opened.
        """

        def read(name: str) -> Any:
            if VARIABLES[name].instead is not None:
                return safe_value_of(name, environ)
            try:
                return value_of(name, environ)
            except BadSettingError:
                text = text_of(name, environ).replace("\0", "")
                return Path(text).absolute() if name in _PATHS else text

        return cls._of(read, environ)

    @classmethod
    def _of(cls, read: Callable[[str], Any], environ: Mapping[str, str] | None) -> Settings:
        home = read("BELAY_HOME") or Path(".belay").resolve()
        return cls(
            home=home,
            ledger_url=read("BELAY_LEDGER_URL") or file_url("sqlite", home / "ledger.db"),
            warehouse_url=read("BELAY_WAREHOUSE_URL") or file_url("duckdb", home / "warehouse.duckdb"),
            flags=read("BELAY_FLAGS") or f"flagd:{home / 'flags' / 'flags.flagd.json'}",
            policies=read("BELAY_POLICIES") or _policies_of(home),
            expectations=read("BELAY_EXPECTATIONS") or _CHECKOUT / "expectations",
            recorded=read("BELAY_DATA") or _CHECKOUT.parent / "shared" / "data",
            airflow_url=read("BELAY_AIRFLOW_URL") or "",
            flag_settle=read("BELAY_FLAG_SETTLE_SECONDS"),
            guard_every=read("BELAY_GUARD_SECONDS"),
            zone=read("BELAY_ZONE"),
            problems=tuple(problems(environ)),
        )


_PATHS = frozenset({"BELAY_HOME", "BELAY_POLICIES", "BELAY_EXPECTATIONS", "BELAY_DATA"})


PACKAGED_POLICIES = _PACKAGE.parent / "capabilities"
"""The policies of the checkout, or of the package."""


def _policies_of(home: Path) -> Path:
    """Return the policies that a home brings, else the packaged ones."""
    own = home / "capabilities"
    return own if own.is_dir() else PACKAGED_POLICIES
