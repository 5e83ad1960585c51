"""One suite asked of one scope: from data to questions, and from results to checks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from belay.domain.figures import moment
from belay.quality.great_expectations_engine import ROWS_QUERY, Question, Result, UnknownExpectationError
from belay.quality.report import Finding, Severity, Statistic
from belay.quality.scope import Rows, literal
from belay.quality.session import Session, plain
from belay.quality.standing import check_freshness, check_split, check_volume
from belay.quality.suites import CheckSpec, Reads, When
from belay.warehouse.catalogue import Column, Kind, Relation, read_relation, relation_names
from belay.warehouse.errors import UnusableColumnError
from belay.warehouse.forms import TIMES
from belay.warehouse.parts import disagreements

_FIGURES = frozenset({Kind.INTEGER, Kind.BOOLEAN})
_HOLDS = {
    "text": frozenset({Kind.TEXT}),
    "timestamp": frozenset({Kind.TIMESTAMP, Kind.ZONED, Kind.DATE}),
    "integer": _FIGURES,
    "number": _FIGURES | {Kind.NUMBER},
    "boolean": frozenset({Kind.BOOLEAN}),
}
"""What a column may hold, by what the suite says; a boolean is a figure, 0 or 1."""

_LOADER = "The loader that writes this table; run it again, or remove the broken part file."


def ask_suite(session: Session) -> None:
    """Ask everything of the session's suite. Never raises: what could not be asked is an unknown check."""
    try:
        relation = _there(session)
        if relation is not None and _columns(session, relation):
            _rows(session, relation)
    except Exception as error:  # noqa: BLE001 - every driver has its own; whatever it is, nothing is known
        sentence = f"table {session.suite.table} cannot be read: {message_of(error)}"
        session.add("readable", Finding.UNKNOWN, sentence, _LOADER)


def message_of(error: BaseException) -> str:
    """Return what a driver says, without the statement that it says it about."""
    inner = getattr(error, "orig", None) or error
    text = " ".join(str(inner).split())
    return text.split(" LINE 1:")[0].split(" [SQL: ")[0][:400] or type(error).__name__


def _there(session: Session) -> Relation | None:
    """Return the table when it is there and answers; raises what the driver says when it does not."""
    import sqlalchemy as sa

    table = session.suite.table
    with session.engine.connect() as connection:
        relation = read_relation(connection, table)
        if relation is None:
            tables = ", ".join(relation_names(connection)) or "none"
            sentence = f"the warehouse has no table {table}; it has {tables}"
            session.add("readable", Finding.UNKNOWN, sentence, _LOADER)
            return None
        if relation.problem:
            sentence = f"table {table} cannot be read: {relation.problem}"
            session.add("readable", Finding.UNKNOWN, sentence, _LOADER)
            return None
        connection.execute(sa.select(1).select_from(sa.table(table)).limit(1))
    return relation


# Columns


def _columns(session: Session, relation: Relation) -> bool:
    """Check that the columns are there and hold what they should; return whether rows can be scoped."""
    suite = session.suite
    absent = [name for name in suite.columns if name not in relation.columns]
    wrong = {
        name: relation.columns[name].type
        for name, kind in suite.columns.items()
        if name in relation.columns and not _fits(relation.columns[name], kind, session.engine.dialect.name)
    }
    numbers: dict[str, Statistic] = {
        "columns": len(suite.columns),
        "absent": ", ".join(absent),
        "wrong_types": ", ".join(f"{column}: {kind}" for column, kind in wrong.items()),
    }
    session.asked.statements[session.key("columns")] = f"columns: {', '.join(suite.columns)}"
    if absent or wrong:
        parts = [f"there is no column {', '.join(absent)}"] if absent else []
        parts += [f"{column} holds {kind} and not {suite.columns[column]}" for column, kind in wrong.items()]
        finding, sentence = Finding.FAILED, f"{suite.table}: {'; '.join(parts)}"
    else:
        finding, sentence = Finding.PASSED, f"{suite.table} has its {len(suite.columns)} columns"
    session.add("columns", finding, sentence, suite.columns_look_at, numbers)
    session.asked.unusable |= {*absent, *wrong}
    _parts(session)
    needed = {"event_time", "surface", "ingested_at"} if suite.reads is Reads.EVENTS else set()
    return not needed & set(absent)


def _parts(session: Session) -> None:
    """Check that part files agree about types; nothing is said when they do."""
    with session.engine.connect() as connection:
        found = disagreements(connection, session.suite.table)
    if not found:
        return
    severity = Severity.WARNING if all(each.widened for each in found) else Severity.CRITICAL
    sentence = "; ".join(str(each) for each in found[:3])
    numbers: dict[str, Statistic] = {"columns": ", ".join(each.column for each in found)}
    look_at = "The loader, or the release that changed what it writes; convert the parts that differ."
    session.add("parts-agree", Finding.FAILED, sentence, look_at, numbers, severity)


def _fits(column: Column, wanted: str, dialect: str) -> bool:
    """Whether ``column`` holds what the suite says; how a time is stored, is looked at where it is read."""
    if column.kind is Kind.UNDECLARED or column.kind in _HOLDS[wanted]:
        return True
    if wanted == "boolean" and column.kind is Kind.INTEGER and dialect == "sqlite":
        return True  # SQLite has no booleans
    if wanted == "timestamp" and column.name in TIMES:
        return dialect == "sqlite" or column.kind in {Kind.INTEGER, Kind.NUMBER}
    return False


# Rows


def _rows(session: Session, relation: Relation) -> None:
    suite, scope, engine = session.suite, session.scope, session.engine
    figures = {name for name, kind in suite.columns.items() if kind in {"integer", "number"}}
    try:
        with engine.connect() as connection:
            rows = Rows(connection, relation, scope, figures)
    except UnusableColumnError as error:
        session.add("times", Finding.UNKNOWN, str(error), suite.columns_look_at)
        return
    whole = suite.reads is Reads.TABLE
    with engine.connect() as connection:
        count, newest = connection.execute(rows.count(whole_table=whole)).one()
    session.asked.rows = int(count)
    if count:
        _expectations(session, rows.everything() if whole else rows.period())
    else:
        _empty(session)
    if not whole:
        check_freshness(session, rows, newest)
        check_volume(session, rows)
        if scope.live and session.shares and count and "variant" in relation.columns:
            check_split(session, rows)


def _empty(session: Session) -> None:
    suite, scope = session.suite, session.scope
    sentence = f"{suite.table} has no rows"
    if suite.reads is Reads.EVENTS:
        of = f"surface {scope.surface}" + (f", optimization {scope.optimization}" if scope.live else "")
        sentence += f" of {of} from {moment(scope.since)} to {moment(scope.until)}"
    needed = suite.required is When.ALWAYS or (suite.required is When.LIVE and scope.live)
    finding = Finding.UNKNOWN if needed else Finding.NOT_APPLICABLE
    look_at = f"The loader of {suite.table}, and whether the product was in use then."
    session.add("rows", finding, sentence, look_at, {"rows": 0})


def _expectations(session: Session, query: str) -> None:
    """Ask the suite's expectations of the rows, all in one go."""
    scope, suite = session.scope, session.suite
    values = {
        "latest": scope.latest,
        "since": scope.since,
        "until": scope.until,
        "now": scope.now,
        "variants": sorted(session.shares),
    }
    specs: dict[str, tuple[CheckSpec, str | None]] = {}
    questions = []
    for spec in suite.checks:
        for column in spec.columns or (None,):
            check = spec.id + (f".{column}" if column and len(spec.columns) > 1 else "")
            if not session.applies(check, spec.when, spec.severity):
                continue
            kwargs = {name: _filled(value, values) for name, value in spec.kwargs.items()}
            kwargs |= {"column": column} if column else {}
            if lacking := session.asked.unusable & {str(value) for value in kwargs.values()}:
                # Asked together, one question that cannot be answered takes the others down with it.
                sentence = f"it cannot be checked without a usable column {', '.join(sorted(lacking))}"
                session.add(check, Finding.UNKNOWN, sentence, spec.look_at, severity=spec.severity)
                continue
            specs[check] = (spec, column)
            questions.append(Question(check, spec.expect, kwargs, str(spec.severity)))
    try:
        results = session.asker.ask_rows(query, questions)
    except UnknownExpectationError as error:
        session.add("usable", Finding.UNKNOWN, str(error), f"The suite {suite.name}.yaml.")
        return
    for check, result in results.items():
        _judge(session, check, *specs[check], result)


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    """Put the run's values where the suite has ``$names``; inside SQL as literals."""
    if not isinstance(value, str):
        return value
    if value.startswith("$") and value[1:] in values:
        return values[value[1:]]
    for name, found in values.items():
        if isinstance(found, datetime):
            value = value.replace(f"${name}", literal(found))
    return value


def _judge(session: Session, check: str, spec: CheckSpec, column: str | None, result: Result) -> None:
    wrong, rows, observed = spec.wrong.replace("{column}", column or ""), session.asked.rows, result.observed
    session.asked.statements[session.key(check)] = result.statement
    unexpected = observed.get("unexpected_count")
    if spec.expect == ROWS_QUERY:
        unexpected = observed.get("observed_value")
    if result.success is None:
        finding, sentence = Finding.UNKNOWN, f"it could not be checked whether {wrong}: {result.error}"
    elif result.success:
        within = f"{unexpected:,} of {rows:,} rows, within the limit" if unexpected else f"no row of {rows:,}"
        finding, sentence = Finding.PASSED, f"{within}: {wrong}"
    else:
        finding, sentence = Finding.FAILED, f"{_counted(unexpected, observed)}: {wrong}"
        session.asked.examples[session.key(check)] = result.examples
    session.add(check, finding, sentence, spec.look_at, _statistics(observed), spec.severity)


def _counted(unexpected: Any, observed: Mapping[str, Any]) -> str:
    elements = observed.get("element_count")
    if isinstance(unexpected, int) and elements:
        return f"{unexpected:,} of {elements:,} rows ({unexpected / elements * 100:.2f} %)"
    if isinstance(unexpected, int):
        return f"{unexpected:,} cases"
    return f"observed {plain(observed.get('observed_value'))}"


def _statistics(observed: Mapping[str, Any]) -> dict[str, Statistic]:
    """Return the counts of a result; never values of single rows."""
    kept = ("element_count", "unexpected_count", "unexpected_percent", "missing_count", "observed_value")
    return {name: plain(observed[name]) for name in kept if observed.get(name) is not None}
