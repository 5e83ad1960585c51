"""The review's document as one stand-alone page: no script, no network, readable on a phone."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup

from belay.cells.plan import Earlier
from belay.domain.digest import canonical_json
from belay.domain.figures import signed_percent
from belay.domain.scope import percent
from belay.domain.vocabulary import Finding
from belay.measurement.dispersion import Dispersion
from belay.measurement.effects import NEARLY
from belay.measurement.words import scale_of
from belay.review.charts import FEWER, effects_chart, prediction_chart, segments_chart, timeline_chart, to_svg
from belay.review.verdict import named_segment

VERDICTS = {
    "widen": ("Widen", "good"),
    "hold": ("Hold", "unknown"),
    "stop": ("Stop", "bad"),
    "roll_back": ("Roll back", "bad"),
}
_ROOMY, _NARROW = 720, 330
"""Widths of the pictures in pixels: on a desk, on a phone."""


def render(
    document: Mapping[str, Any],
    *,
    sha256: str,
    evidence_url: str,
    home: str = "",
    answer_url: str = "",
    explain_url: str = "",
) -> str:
    """Return the page of a review.

    Parameters
    ----------
    document
        The review's evidence document.
    sha256
        Its name in the ledger, shown so that every figure can be traced.
    evidence_url
        Where the document itself can be seen; every figure links to its place in it, named by a JSON
        pointer (RFC 6901).
    home
        Address of the board; empty for a page that stands alone.
    answer_url
        Where people answer the open request about this step; empty when nobody is waited for.
    explain_url
        Where it is told who answered for what; empty for a page that stands alone.
    """
    label, tone = VERDICTS[document["verdict"]]
    metrics = document.get("metrics", ())
    return (
        environment()
        .get_template("review.html")
        .render(
            document=document,
            label=label,
            tone=tone,
            sha256=sha256,
            evidence_url=evidence_url,
            home=home,
            answer_url=answer_url,
            explain_url=explain_url,
            primary=next((line for line in metrics if line["role"] == "primary"), None),
            several=len({line["arm"] for line in metrics}) > 1,
            fewer=FEWER,
            effects=_both_effects(document),
            raw_differs=any(_raw_differs(line) for line in metrics),
            surprise=surprise(document.get("predicted") or {}),
            charts=_pictures(canonical_json(document)),
        )
    )


def _both_effects(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the metrics with both intervals, and the segments whose days differ; none in old documents."""
    lines = [line for line in document.get("metrics", ()) if line.get("expected") and not line["silent"]]
    told = [line for line in document.get("segments", ()) if line.get("expected") and not line["silent"]]
    return lines + [line for line in told if _noticed(line) or line["finding"] == Finding.HARMFUL]


def _noticed(line: Mapping[str, Any]) -> bool:
    return dispersion_in(line).noticed


def dispersion_in(line: Mapping[str, Any]) -> Dispersion:
    """Return the dispersion that an effect's document keeps."""
    kept = line["dispersion"]
    figures = {name: math.nan if kept[name] is None else kept[name] for name in ("q", "p", "ratio")}
    earlier = Earlier(**kept["earlier"]) if kept["earlier"] else None
    return Dispersion(kept["days"], kept["effective"], **figures, earlier=earlier)


def days(line: Mapping[str, Any]) -> str:
    """Return what an effect's days say, for people."""
    return dispersion_in(line).sentence


def _raw_differs(line: Mapping[str, Any]) -> bool:
    """Whether the raw values are noticeably not those stratified by day."""
    pairs = (("treatment", "raw_treatment"), ("control", "raw_control"))
    return any(
        line.get(raw) is not None
        and line[value] is not None
        and not math.isclose(line[raw], line[value], rel_tol=NEARLY)
        for value, raw in pairs
    )


_CHARTS = {
    "effects": effects_chart,
    "timeline": timeline_chart,
    "segments": segments_chart,
    "prediction": prediction_chart,
}
_OF_A_LOOK = {"metrics": "effects", "segments": "segments"}
_KEPT = 32

Pictures = Mapping[str, Mapping[str, Markup] | None]


def look_pictures(look: Mapping[str, Any]) -> Pictures:
    """Return what one look of the window saw as pictures: for a step that ended before its review."""
    seen = look.get("monitoring") or {}
    document = {name: [named_segment(line) for line in seen.get(old, ())] for name, old in _OF_A_LOOK.items()}
    return _pictures(canonical_json(document))


@lru_cache(maxsize=_KEPT)
def _pictures(document: str) -> Pictures:
    """Draw every picture of a document for a desk and for a phone; kept, because evidence never changes."""
    read = json.loads(document)
    return {name: _pair(chart, read) for name, chart in _CHARTS.items()}


def _pair(chart: Callable[..., Any], document: Mapping[str, Any]) -> dict[str, Markup] | None:
    drawn = {name: chart(document, width) for name, width in (("roomy", _ROOMY), ("narrow", _NARROW))}
    if None in drawn.values():
        return None
    return {name: Markup(to_svg(one)) for name, one in drawn.items()}  # noqa: S704 - vl-convert escapes text


def surprise(predicted: Mapping[str, Any]) -> str:
    """Return whether what was found is what was predicted, in words; empty when that cannot be said."""
    told, found = predicted.get("prediction"), predicted.get("found")
    if not told or not found or found.get("effect") is None:
        return ""
    if told["low"] <= found["effect"] <= told["high"]:
        return "as predicted"
    apart = None not in (found["low"], found["high"]) and (
        found["high"] < told["low"] or found["low"] > told["high"]
    )
    return (
        "shown not to be what was predicted"
        if apart
        else "outside what was predicted, within the uncertainty"
    )


@cache
def environment() -> Environment:
    """Return the template environment; every value is escaped unless it is marked as safe."""
    made = Environment(
        loader=PackageLoader("belay.review", "templates"), autoescape=select_autoescape(default=True)
    )
    made.filters |= {
        "percent": percent,
        "relative": relative,
        "number": number,
        "amount": amount,
        "limit": limit,
        "compact": compact,
        "days": days,
    }
    return made


def relative(value: float | None) -> str:
    """Return a relative effect as people read it: ``+3.1 %``."""
    return "unknown" if value is None else signed_percent(value)


def limit(line: Mapping[str, Any]) -> str:
    """Return the margin of a metric on the side where harm is: ``−20 %``."""
    sign = "−" if line["direction"] == "increase" else "+"
    return f"{sign}{number(abs(line['margin']) * 100, 3)} %"


def amount(value: float | None, unit: str) -> str:
    """Return a value per unit, scaled to its unit: a proportion of 0.213 in ``%`` is ``21.3 %``."""
    if value is None:
        return "unknown"
    shown = number(value * scale_of(unit), 3)
    return f"{shown} %" if unit == "%" else shown


def number(value: float | None, digits: int = 4) -> str:
    """Return a number with ``digits`` significant digits."""
    if value is None:
        return "unknown"
    if abs(value) >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.{digits}g}".replace("-", "−")


def compact(value: Any) -> str:
    """Return plain data as short JSON text."""
    return json.dumps(value, ensure_ascii=False)
