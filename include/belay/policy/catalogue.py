"""`_metrics.yaml`: the tables, their columns, and the metrics that are made of them."""

from __future__ import annotations

from typing import Any

from belay.domain.metrics import Grain, Metric, MetricKind
from belay.policy.checks import missing, validate
from belay.policy.document import Document
from belay.policy.errors import Path, PolicyError, did_you_mean
from belay.policy.shared import METRICS, Shared
from belay.policy.shared_files import CatalogueFile, MetricFile

_OF_CATALOGUE = {
    MetricKind.RATIO: frozenset({"cap", "covariate", "outcome_days"}),
    MetricKind.MEAN: frozenset({"cap", "covariate", "outcome_days"}),
    MetricKind.PROPORTION: frozenset({"covariate", "outcome_days"}),
    MetricKind.RARE_COUNT: frozenset({"outcome_days"}),
}
"""Optional keys that mean something for each kind of metric."""


def read_catalogue(shared: Shared, document: Document) -> None:
    """Read the sources and the metrics into ``shared``; what is wrong breaks its metric alone."""
    model, errors = validate(CatalogueFile, document, {**document.value, "metrics": {}})
    errors += missing(model, document, optional=(), reported=errors).values()
    shared.errors += errors
    sources = model.sources or {}
    for name, source in sources.items():
        shared.columns[name] = frozenset(source.columns or ())
    if sources and "exposures" not in sources:
        right = (
            "write exposures: {columns: [event_id, unit_id, optimization, variant, surface, event_time, …]}"
        )
        problem = "there is no source 'exposures': nobody could tell who saw what"
        shared.mark_broken(METRICS, [document.error(("sources",), ..., problem, right)])
    metrics = document.value.get("metrics")
    if not isinstance(metrics, dict) or not metrics:
        shared.mark_broken(
            METRICS,
            [
                document.error(
                    ("metrics",), ..., "no metric is declared", "write metrics: and one metric below"
                )
            ],
        )
        return
    if not sources:
        shared.broken.setdefault(METRICS, []).extend(errors)
        return
    for name in metrics:
        _one_metric(shared, document, name, metrics[name])


def _one_metric(shared: Shared, document: Document, name: str, value: Any) -> None:
    at: Path = ("metrics", name)
    wrapped, errors = validate(CatalogueFile, document, {"sources": None, "metrics": {name: value}})
    found = (wrapped.metrics or {}).get(name)
    if found is None:
        found = MetricFile()
    optional = {"denominator", "cap", "covariate", "outcome_days", "grain"}
    lacking = missing(found, document, at, optional=optional, reported=errors)
    if "direction" in lacking:
        lacking["direction"] = _no_direction(document, at, name)
    errors += lacking.values()
    for key in ("value", "denominator", "covariate"):
        errors += unresolved(shared, document, at, key, getattr(found, key))
    errors += _meaningless(document, at, found)
    errors += [error for error in document.errors if f"{error.where}.".startswith(f"metrics.{name}.")]
    if errors:
        shared.mark_broken(f"{METRICS}:{name}", [error for error in errors if error not in shared.errors])
        shared.broken[f"{METRICS}:{name}"] = errors
        return
    assert found.title and found.kind and found.unit  # noqa: PT018 - all are there, or there was an error
    assert found.direction and found.value  # noqa: PT018
    source, _, column = found.value.partition(".")
    shared.metrics[name] = Metric(
        id=name,
        title=found.title,
        kind=found.kind,
        unit=found.unit,
        direction=found.direction,
        source=source,
        value=column,
        denominator=found.denominator.partition(".")[2] if found.denominator else None,
        cap=found.cap,
        covariate=found.covariate.partition(".")[2] if found.covariate else None,
        outcome_days=found.outcome_days,
        grain=found.grain or Grain.TIME,
    )


def _no_direction(document: Document, at: Path, name: str) -> PolicyError:
    return document.error(
        at,
        ...,
        f"metric {name!r} has no direction, so a margin on it means nothing",
        "write direction: increase or direction: decrease, whichever is good",
    )


def unresolved(
    shared: Shared, document: Document, at: Path, key: str, value: str | None
) -> list[PolicyError]:
    """Return an error when ``value`` names no declared column (``source.column``)."""
    if value is None:
        return []
    source, _, column = value.partition(".")
    if source not in shared.columns:
        return [
            document.error(
                (*at, key),
                value,
                f"there is no source {source!r}",
                did_you_mean(source, shared.columns, "sources"),
            )
        ]
    if column not in shared.columns[source]:
        right = did_you_mean(column, shared.columns[source], f"columns of {source}")
        return [document.error((*at, key), value, f"source {source!r} has no column {column!r}", right)]
    if key == "covariate" and source != "units":
        right = "write a column of units: what was known before the exposure"
        return [document.error((*at, key), value, "a covariate must not come from outcomes", right)]
    return []


def _meaningless(document: Document, at: Path, found: MetricFile) -> list[PolicyError]:
    """Return errors for keys that cannot apply to this kind of metric."""
    if found.kind is None:
        return []
    errors = []
    if found.kind is MetricKind.RATIO and found.denominator is None:
        right = "write denominator: and the column it is a ratio to"
        errors.append(document.error(at, ..., "a ratio has no denominator", right))
    if found.denominator and found.kind is not MetricKind.RATIO:
        right = "remove it, or write kind: ratio"
        problem = f"a {found.kind} has no denominator"
        errors.append(document.error((*at, "denominator"), found.denominator, problem, right))
    elif found.denominator and found.value and found.denominator.split(".")[0] != found.value.split(".")[0]:
        problem, right = "value and denominator are in different sources", "use columns of one source"
        errors.append(document.error((*at, "denominator"), found.denominator, problem, right))
    for key in ("cap", "covariate", "outcome_days"):
        value = getattr(found, key)
        if value is not None and key not in _OF_CATALOGUE[found.kind]:
            problem = f"a {key} cannot apply to a {found.kind}"
            errors.append(document.error((*at, key), value, problem, "remove it"))
    return errors
