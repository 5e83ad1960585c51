"""The pictures of a review, as Vega-Lite drawn by Altair: effects, their course, and segments.

Colours are Okabe and Ito's, told apart by people with any colour vision; shape says the same again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

FINDINGS = ("harmless", "unknown", "harmful")
_COLOURS = ("#0072B2", "#7F7F7F", "#D55E00")
_SHAPES = ("circle", "square", "triangle-down")
_WIDTH = 640


def effects_chart(document: Mapping[str, Any], width: int = _WIDTH) -> Any | None:
    """Return effects with intervals against their margins, or None when nothing was measured."""
    rows = [_row(line, line["title"]) for line in document.get("metrics", ()) if line["effect"] is not None]
    return _forest(rows, width) if rows else None


def segments_chart(document: Mapping[str, Any], width: int = _WIDTH) -> Any | None:
    """Return the primary metric's effect in every segment, or None without segments."""
    primary = {line["metric"] for line in document.get("metrics", ()) if line["role"] == "primary"}
    rows = [
        _row(line, str(line["segment"]))
        for line in document.get("segments", ())
        if line["effect"] is not None and line["metric"] in primary
    ]
    return _forest(rows, width) if rows else None


def timeline_chart(document: Mapping[str, Any], width: int = _WIDTH) -> Any | None:
    """Return the primary metric's effect over time with its confidence sequence, or None without days."""
    import altair as alt

    primary = next((line for line in document.get("metrics", ()) if line["role"] == "primary"), None)
    points = [
        {"day": p["day"], "arm": p["arm"]} | {k: p[k] * 100 for k in ("effect", "low", "high")}
        for p in document.get("timeline", ())
        if primary and p["metric"] == primary["metric"] and None not in (p["effect"], p["low"], p["high"])
    ]
    if not points or primary is None:
        return None
    data = alt.Data(values=points)
    days = alt.X("day:T", title="units first exposed up to", axis=alt.Axis(format="%d %b", tickCount=6))
    band = (
        alt.Chart(data)
        .mark_area(opacity=0.2, color=_COLOURS[0])
        .encode(x=days, y=alt.Y("low:Q", title=f"{primary['title']}, effect in %"), y2="high:Q")
    )
    line = alt.Chart(data).mark_line(color=_COLOURS[0], point=True).encode(x=days, y="effect:Q")
    zero = alt.Chart(alt.Data(values=[{"at": 0}])).mark_rule(color="#555").encode(y="at:Q")
    layers = [band, zero, line]
    if primary["margin"]:
        sign = -1 if primary["direction"] == "increase" else 1
        margin = alt.Chart(alt.Data(values=[{"at": sign * primary["margin"] * 100}]))
        layers.append(margin.mark_rule(color=_COLOURS[2], strokeDash=[4, 3]).encode(y="at:Q"))
    return _styled(alt.layer(*layers).properties(width=width, height=200))


def to_svg(chart: Any) -> str:
    """Return a chart as SVG text."""
    import vl_convert

    svg: str = vl_convert.vegalite_to_svg(chart.to_dict())
    return svg


def to_png(chart: Any, scale: float = 2.0) -> bytes:
    """Return a chart as a PNG picture."""
    import vl_convert

    png: bytes = vl_convert.vegalite_to_png(chart.to_dict(), scale=scale)
    return png


def _row(line: Mapping[str, Any], label: str) -> dict[str, Any]:
    """Turn an effect so that right is always better: a person should not have to think about signs."""
    sign = 1 if line["direction"] == "increase" else -1
    ends = [None if line[k] is None else sign * line[k] * 100 for k in ("low", "high")]
    known = sorted(end for end in ends if end is not None)
    effect = sign * line["effect"] * 100
    return {
        "label": label,
        "effect": effect,
        "low": known[0] if len(known) == 2 else effect,
        "high": known[-1] if len(known) == 2 else effect,
        "margin": -line["margin"] * 100 if line["margin"] else None,
        "finding": line["finding"],
    }


def _forest(rows: Iterable[dict[str, Any]], width: int) -> Any:
    import altair as alt

    values = list(rows)
    data = alt.Data(values=values)
    labels = alt.Y(
        "label:N", title=None, sort=[row["label"] for row in values], axis=alt.Axis(labelLimit=220)
    )
    colour = alt.Color(
        "finding:N",
        scale=alt.Scale(domain=list(FINDINGS), range=list(_COLOURS)),
        legend=alt.Legend(title=None, orient="bottom"),
    )
    shape = alt.Shape("finding:N", scale=alt.Scale(domain=list(FINDINGS), range=list(_SHAPES)))
    base = alt.Chart(data)
    interval = base.mark_rule(strokeWidth=3).encode(
        y=labels, x=alt.X("low:Q", title="effect in %, better to the right"), x2="high:Q", color=colour
    )
    point = base.mark_point(filled=True, size=110).encode(y=labels, x="effect:Q", color=colour, shape=shape)
    margin = (
        base.transform_filter("datum.margin != null")
        .mark_tick(color=_COLOURS[2], thickness=2, size=22)
        .encode(y=labels, x="margin:Q")
    )
    zero = alt.Chart(alt.Data(values=[{"at": 0}])).mark_rule(color="#555").encode(x="at:Q")
    chart = alt.layer(zero, margin, interval, point).properties(width=width, height=34 * len(values) + 10)
    return _styled(chart)


def _styled(chart: Any) -> Any:
    font = "system-ui, sans-serif"
    return (
        chart.configure_view(stroke=None)
        .configure_axis(
            labelFont=font, titleFont=font, labelFontSize=13, titleFontSize=13, titleFontWeight="normal"
        )
        .configure_legend(labelFont=font, labelFontSize=13)
        .configure(background="white", padding=8)
    )
