"""Run suites on the warehouse and come back with a verdict, whatever happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from belay.quality.asking import ask_suite, message_of
from belay.quality.docs import write_page
from belay.quality.report import (
    Check,
    Finding,
    QualityReport,
    Severity,
    by_weight,
    sentence_of,
    verdict_of,
)
from belay.quality.scope import Scope
from belay.quality.session import Asked, Session
from belay.quality.suites import Suite, SuiteError, load_suite
from belay.urls import parse, written
from belay.warehouse.snapshot import one_state

__all__ = ["QualityReport", "run_suites"]


def run_suites(
    warehouse_url: str,
    suites: Sequence[str],
    *,
    folder: Path,
    surface: str,
    optimization: str,
    since: datetime,
    until: datetime,
    now: datetime,
    shares: Mapping[str, float] | None = None,
    max_age: timedelta | None = None,
    docs: Path | None = None,
) -> QualityReport:
    """Ask the suites of the rows in scope, and judge.

    Every check of one run sees one state of the warehouse, whatever its loader writes meanwhile.

    Never raises for anything in the data, the warehouse or the suites: what cannot be read is an unknown
    check, and its verdict is ``hold``. A critical check that fails makes it ``fail``; a warning that fails
    is told in the sentence, and passes.

    Parameters
    ----------
    warehouse_url
        SQLAlchemy URL; a DuckDB catalogue is opened read-only.
    suites
        Names of files in ``folder``.
    folder
        The folder of suites, ``expectations/``.
    surface, optimization
        What is read. An empty optimization reads the surface's history before the first exposure; checks
        that need a live optimization do not apply then.
    since, until
        The period, UTC. Within it the scope is constant: only then is one split right, and a unit in two
        variants wrong.
    now
        The data clock, UTC; an event after it is from the future.
    shares
        Expected split, ``control`` included, for the SRM test.
    max_age
        How old the newest data may be, when shorter than the suite's own limit.
    docs
        Folder of Data Docs; a page with example rows is written there. None writes none.
    """
    scope = Scope(surface, optimization, _naive(since), _naive(until), _naive(now))
    asked = {name: Asked() for name in suites}
    loaded: dict[str, Suite] = {}
    for name in suites:
        try:
            loaded[name] = load_suite(folder, name)
        except SuiteError as error:
            asked[name].checks.append(_unknown(f"{name}.usable", str(error), f"The file {name}.yaml."))
    if loaded:
        _ask(warehouse_url, loaded, scope, shares, max_age, asked)
    checks = tuple(sorted((check for one in asked.values() for check in one.checks), key=by_weight))
    rows = sum(one.rows for one in asked.values())
    verdict = verdict_of(checks)
    report = QualityReport(
        verdict=verdict,
        sentence=sentence_of(verdict, checks, rows),
        checks=checks,
        surface=surface,
        optimization=optimization,
        since=scope.since,
        until=scope.until,
        now=scope.now,
        rows=rows,
    )
    return report if docs is None else write_page(report, asked, docs)


def _ask(
    url: str,
    suites: Mapping[str, Suite],
    scope: Scope,
    shares: Mapping[str, float] | None,
    max_age: timedelta | None,
    asked: dict[str, Asked],
) -> None:
    from belay.quality.great_expectations_engine import Asker

    first = next(iter(suites))
    try:
        tables = [suite.table for suite in suites.values()]
        with Asker(readable_url(url)) as asker, one_state(asker.engine, tables) as state:
            for name, suite in suites.items():
                ask_suite(Session(asker, asker.engine, suite, scope, shares or {}, max_age, asked[name]))
            if replaced := state.changed():
                sentence = f"files were replaced while the checks ran: {', '.join(replaced[:3])}"
                look_at = "The loader: let it add part files, not replace them; then run the gate again."
                asked[first].checks.append(_unknown("warehouse.holds-still", sentence, look_at))
    except Exception as error:  # noqa: BLE001 - every driver has its own; whatever it is, nothing is known
        sentence = f"the warehouse does not answer: {_without_password(message_of(error), url)}"
        look_at = "Whether the warehouse runs, and what BELAY_WAREHOUSE_URL says (`belay doctor`)."
        asked[first].checks.append(_unknown("warehouse.answers", sentence, look_at))


def readable_url(url: str) -> str:
    """Return the URL to read from: DuckDB read-only, and no file made by opening it.

    Raises
    ------
    FileNotFoundError
        When an embedded warehouse's file does not exist.
    """
    parsed = parse(url)
    if parsed.get_backend_name() in {"duckdb", "sqlite"} and parsed.database not in (None, "", ":memory:"):
        path = Path(str(parsed.database))
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}: start the storefront, or your loader, once")
        if parsed.get_backend_name() == "duckdb":
            parsed = parsed.update_query_dict({"access_mode": "read_only"})
    return written(parsed)


def _unknown(name: str, sentence: str, look_at: str) -> Check:
    return Check(name, Finding.UNKNOWN, Severity.CRITICAL, sentence, look_at)


def _without_password(text: str, url: str) -> str:
    try:
        password = parse(url).password
    except ValueError:
        return text.replace(url, "…")
    return text.replace(password, "***") if password else text


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
