"""Great Expectations, reduced to what Belay asks of it: ask expectations of rows, get plain results.

Everything that is particular to the library is here and in ``duckdb_adaptation``. Importing it takes
seconds, so it is imported inside functions only.
"""

from __future__ import annotations

import difflib
import logging
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from belay.quality.duckdb_adaptation import adapt
from belay.warehouse.connection import pin_to_utc

if TYPE_CHECKING:
    import sqlalchemy as sa

EXAMPLES = 5
"""Example rows that a failed expectation shows at most."""

ROWS_QUERY = "unexpected_rows_expectation"
"""The expectation whose failures are the rows of its own query."""

_COUNTS = {"result_format": "BASIC", "partial_unexpected_count": 0}
_SOME_ROWS = {
    "result_format": "SUMMARY",
    "partial_unexpected_count": EXAMPLES,
    "include_unexpected_rows": True,
}
_ALL_ROWS = {"result_format": "COMPLETE"}
"""Gives rows of a query of one's own, of which the library fetches a few hundred at most."""


class UnknownExpectationError(ValueError):
    """Great Expectations has no such expectation, or it does not take these arguments."""


@dataclass(frozen=True, slots=True)
class Question:
    """One expectation to ask.

    Attributes
    ----------
    key : str
        Name that its result comes back under.
    expect : str
        Great Expectations' name of it, in snake case.
    kwargs : dict[str, Any]
        Its arguments.
    severity : str
        ``critical`` or ``warning``.
    """

    key: str
    expect: str
    kwargs: dict[str, Any]
    severity: str = "critical"


@dataclass(frozen=True, slots=True)
class Result:
    """What came back.

    Attributes
    ----------
    success : bool | None
        None when it could not be evaluated; then ``error`` says why, in words for people.
    observed : dict[str, Any]
        Great Expectations' result: counts, observed values.
    examples : tuple[dict[str, Any], ...]
        A few of the rows that failed.
    error : str
        Why it could not be evaluated.
    statement : str
        The expectation in Great Expectations' words, where it was not met, and what the library said when
        it could not evaluate it. For the Data Docs only.
    """

    success: bool | None
    observed: dict[str, Any] = field(default_factory=dict)
    examples: tuple[dict[str, Any], ...] = ()
    error: str = ""
    statement: str = ""


class Asker:
    """A session on one warehouse. Use as a context manager: it releases its connection.

    Attributes
    ----------
    engine : sa.Engine
        What the library reads with, in UTC; whoever reads with it too can see the same state.
    """

    def __init__(self, url: str) -> None:
        # Read when the library is imported: it must not call home.
        os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
        with _quiet():
            import great_expectations as gx
            from great_expectations.data_context.types.base import ProgressBarsConfig

            adapt()
            self._context: Any = gx.get_context(mode="ephemeral")
            self._context.variables.progress_bars = ProgressBarsConfig(globally=False)
            # Without temporary tables: the warehouse is read-only, and so are we.
            self._source: Any = self._context.data_sources.add_sql(
                "warehouse", connection_string=url, create_temp_table=False
            )
            self.engine: sa.Engine = self._source.get_execution_engine().engine
        pin_to_utc(self.engine)
        self._assets = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with _quiet():
            self._source.get_execution_engine().close()
            self._source.get_engine().dispose()

    def ask_table(self, table: str, questions: Sequence[Question]) -> dict[str, Result]:
        """Ask ``questions`` of a table as it is."""
        self._assets += 1
        with _quiet():
            asset = self._source.add_table_asset(f"asset-{self._assets}", table_name=table)
            return self._ask(asset, questions)

    def ask_rows(self, query: str, questions: Sequence[Question]) -> dict[str, Result]:
        """Ask ``questions`` of the rows that ``query`` selects."""
        self._assets += 1
        with _quiet():
            asset = self._source.add_query_asset(f"asset-{self._assets}", query=query)
            return self._ask(asset, questions)

    def _ask(self, asset: Any, questions: Sequence[Question]) -> dict[str, Result]:
        batch = asset.add_batch_definition_whole_table("rows").get_batch()
        results = self._validate(batch, questions, _COUNTS)
        # Rows are fetched for what failed only: they cost a query each.
        failed = [question for question in questions if results[question.key].success is False]
        for asked, with_rows in (
            ([q for q in failed if q.expect == ROWS_QUERY], _ALL_ROWS),
            ([q for q in failed if q.expect != ROWS_QUERY], _SOME_ROWS),
        ):
            if asked:
                results |= self._validate(batch, asked, with_rows)
        return results

    def _validate(
        self, batch: Any, questions: Sequence[Question], result_format: dict[str, Any]
    ) -> dict[str, Result]:
        import great_expectations as gx

        suite = gx.ExpectationSuite(
            f"suite-{self._assets}", expectations=[_expectation(question) for question in questions]
        )
        found = batch.validate(suite, result_format=result_format)
        return {result.expectation_config.meta["belay"]: _plain(result) for result in found.results}


def _expectation(question: Question) -> Any:
    import great_expectations.expectations as gxe

    name = "".join(part.capitalize() for part in question.expect.split("_"))
    kind = getattr(gxe, name, None)
    if kind is None or not isinstance(kind, type):
        near = difflib.get_close_matches(name, dir(gxe), n=1)
        hint = f"; did you mean {_snake(near[0])!r}?" if near else ""
        raise UnknownExpectationError(f"Great Expectations has no {question.expect!r}{hint}")
    try:
        return kind(**question.kwargs, severity=question.severity, meta={"belay": question.key})
    except (TypeError, ValueError) as error:
        raise UnknownExpectationError(
            f"{question.expect} does not take these arguments: {' '.join(str(error).split())}"
        ) from error


def _snake(name: str) -> str:
    return "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in name).lstrip("_")


def _plain(result: Any) -> Result:
    if raw := _error(result.exception_info or {}):
        return Result(None, error=why_unevaluated(raw), statement=f"{_statement(result)}: {raw}")
    observed = dict(result.result or {})
    if impossible := {name: n for name, n in observed.items() if name in _COUNTED and _is_negative(n)}:
        told = f"{_statement(result)}: {impossible}"
        return Result(None, error="its counts contradict each other", statement=told)
    rows = observed.pop("unexpected_rows", None) or (observed.get("details") or {}).pop(
        "unexpected_rows", None
    )
    for values in ("partial_unexpected_list", "partial_unexpected_counts"):
        observed.pop(values, None)
    examples = tuple(dict(row) for row in (rows or ())[:EXAMPLES])
    statement = "" if result.success else _statement(result)  # words cost 20 ms each
    return Result(bool(result.success), observed, examples, statement=statement)


_COUNTED = ("element_count", "missing_count", "unexpected_count")


def _is_negative(count: Any) -> bool:
    return isinstance(count, int | float) and count < 0


_DRIVER = re.compile(r"\((?:[a-z_0-9]+\.)+([A-Za-z]+)\) (.*)", re.DOTALL)
_AFTER = re.compile(r" (?:LINE \d+:|\[SQL:|\(Background on|CONTEXT:|HINT:)")


def why_unevaluated(raw: str) -> str:
    """Return for people why an expectation could not be evaluated: the warehouse's own words, or ours.

    What the library itself says is about its own classes and counts; it stays in the Data Docs.
    """
    if found := _DRIVER.search(raw):
        return f"the warehouse says: {_AFTER.split(found[2])[0].strip()[:300]}"
    return "Great Expectations could not evaluate it (its own words are on the page of the Data Docs)"


def _error(info: dict[str, Any]) -> str:
    """Return what went wrong; the library gives one exception, or one for each metric."""
    if "raised_exception" in info:
        return _one_line(info["exception_message"]) if info["raised_exception"] else ""
    messages = [_one_line(one["exception_message"]) for one in info.values() if one.get("raised_exception")]
    return messages[0] if messages else ""


def _one_line(message: Any) -> str:
    return " ".join(str(message).split())


def _statement(result: Any) -> str:
    """Return the expectation in the library's own words, or the query that must find nothing."""
    if query := result.expectation_config.kwargs.get("unexpected_rows_query"):
        return f"no row must come of {_one_line(query)}"
    from great_expectations.render.renderer.inline_renderer import InlineRenderer

    try:
        for content in InlineRenderer(render_object=result.expectation_config).get_rendered_content():
            value: Any = content.value.to_json_dict()
            text, params = str(value.get("template") or ""), value.get("params") or {}
            for name, param in sorted(params.items(), key=lambda item: -len(item[0])):
                text = text.replace(f"${name}", str(param.get("value")))
            if text:
                return text
    except Exception:  # noqa: BLE001 - words for a page; the result itself is not in doubt
        return str(result.expectation_config.type)
    return str(result.expectation_config.type)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library's remarks out of task logs; what matters comes back as a result."""
    logger = logging.getLogger("great_expectations")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
