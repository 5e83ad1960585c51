"""Where Belay finds its parts: environment variables, with embedded defaults that need no server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

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

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings from ``environ`` (the process environment by default)."""
        env = os.environ if environ is None else environ
        home = Path(env.get("BELAY_HOME", ".belay")).expanduser().resolve()
        return cls(
            home=home,
            ledger_url=env.get("BELAY_LEDGER_URL", f"sqlite:///{home / 'ledger.db'}"),
            warehouse_url=env.get("BELAY_WAREHOUSE_URL", f"duckdb:///{home / 'warehouse.duckdb'}"),
            flags=env.get("BELAY_FLAGS", f"flagd:{home / 'flags' / 'flags.flagd.json'}"),
            policies=Path(env.get("BELAY_POLICIES") or _policies_of(home)),
            expectations=Path(env.get("BELAY_EXPECTATIONS", _CHECKOUT / "expectations")),
            recorded=Path(env.get("BELAY_DATA", _CHECKOUT.parent / "shared" / "data")),
            airflow_url=env.get("BELAY_AIRFLOW_URL", ""),
            flag_settle=timedelta(seconds=float(env.get("BELAY_FLAG_SETTLE_SECONDS", "60"))),
            guard_every=timedelta(seconds=float(env.get("BELAY_GUARD_SECONDS", "60"))),
            zone=ZoneInfo(env.get("BELAY_ZONE", "UTC")),
        )


PACKAGED_POLICIES = _PACKAGE.parent / "capabilities"
"""The policies of the checkout, or of the package."""


def _policies_of(home: Path) -> Path:
    """Return the policies that a home brings, else the packaged ones."""
    own = home / "capabilities"
    return own if own.is_dir() else PACKAGED_POLICIES
