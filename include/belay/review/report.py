"""The review's document as one stand-alone page: no script, no network, readable on a phone."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup

from belay.domain.scope import percent
from belay.review.charts import effects_chart, segments_chart, timeline_chart, to_svg

VERDICTS = {
    "widen": ("Widen", "good"),
    "hold": ("Hold", "unknown"),
    "stop": ("Stop", "bad"),
    "roll_back": ("Roll back", "bad"),
}


def render(document: Mapping[str, Any], *, sha256: str, evidence_url: str) -> str:
    """Return the page of a review.

    Parameters
    ----------
    document
        The review's evidence document.
    sha256
        Its name in the ledger, shown so that every figure can be traced.
    evidence_url
        Where the document itself can be fetched.
    """
    label, tone = VERDICTS[document["verdict"]]
    return (
        environment()
        .get_template("review.html")
        .render(
            document=document,
            label=label,
            tone=tone,
            sha256=sha256,
            evidence_url=evidence_url,
            charts={
                "effects": _svg(effects_chart(document)),
                "timeline": _svg(timeline_chart(document)),
                "segments": _svg(segments_chart(document)),
            },
        )
    )


def _svg(chart: Any | None) -> Markup | None:
    """Draw a chart. The SVG comes from vl-convert, which escapes the text in it."""
    return None if chart is None else Markup(to_svg(chart))  # noqa: S704 - see above


@cache
def environment() -> Environment:
    """Return the template environment; every value is escaped unless it is marked as safe."""
    made = Environment(
        loader=PackageLoader("belay.review", "templates"), autoescape=select_autoescape(default=True)
    )
    made.filters |= {"percent": percent, "relative": relative, "number": number}
    return made


def relative(value: float | None) -> str:
    """Return a relative effect as people read it: ``+3.1 %``."""
    return "unknown" if value is None else f"{value * 100:+.1f} %".replace("-", "−")


def number(value: float | None, digits: int = 4) -> str:
    """Return a number with ``digits`` significant digits."""
    if value is None:
        return "unknown"
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.{digits}g}"
