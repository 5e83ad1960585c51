"""The pictures of a review, as Vega-Lite drawn by Altair: effects, their course, segments, predictions.

Colours are Okabe and Ito's, told apart by people with any colour vision; shape says the same again.
Signs are as in the table and in the sentences: where fewer is better the row says so, and left is better.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from belay.domain.vocabulary import Finding

FINDINGS = (Finding.HARMLESS, Finding.UNKNOWN, Finding.HARMFUL)
BLUE, GREY, ORANGE, GREEN, PINK = "#0072b2", "#7f7f7f", "#d55e00", "#009e73", "#cc79a7"
INK, SOFT, LINE = "#1b1f24", "#57606a", "#d0d7de"
"""Every colour is one that the page's style sheet knows, and exchanges in the dark."""
FEWER = "fewer is better"
"""What a row says whose better side is the left one."""
_SHAPES = ("circle", "square", "triangle-down")
_FONT = "system-ui, -apple-system, Segoe UI, sans-serif"
_NARROW = 420
"""Below this width a margin that is off the picture stands in a line of its own."""
_ROWS = 24
"""Rows of a picture; what is harmful comes first, the rest is in the table and the evidence."""
_MARGIN_REACH = 2.5
"""A margin farther out than this many times the widest interval is named at the edge, not drawn to scale."""


def effects_chart(document: Mapping[str, Any], width: int) -> Any | None:
    """Return effects with intervals against their margins, or None when nothing was measured."""
    lines = document.get("metrics", ())
    several = len({line["arm"] for line in lines}) > 1
    rows = [_row(line, f"{line['arm']}: {line['title']}" if several else line["title"]) for line in lines]
    return _forest([row for row in rows if row["effect"] is not None], width)


def segments_chart(document: Mapping[str, Any], width: int) -> Any | None:
    """Return the primary metric in every segment, and what else does harm in one; None without segments."""
    primary = {line["metric"] for line in document.get("metrics", ()) if line["role"] == "primary"}
    several = len({line["arm"] for line in document.get("metrics", ())}) > 1
    chosen = [
        line
        for line in document.get("segments", ())
        if line["effect"] is not None and (line["metric"] in primary or line["finding"] == Finding.HARMFUL)
    ]
    chosen.sort(key=lambda line: line["finding"] != Finding.HARMFUL)
    rows = []
    for line in chosen[:_ROWS]:
        label = line["segment"] if line["metric"] in primary else f"{line['segment']}, {line['title']}"
        rows.append(_row(line, f"{line['arm']}: {label}" if several else str(label)))
    return _forest(rows, width)


def prediction_chart(document: Mapping[str, Any], width: int) -> Any | None:
    """Return what the agent predicted above what was found; None unless there are both."""
    told = document.get("predicted") or {}
    predicted, found = told.get("prediction"), told.get("found")
    primary = next((line for line in document.get("metrics", ()) if line["role"] == "primary"), None)
    if not predicted or not found or primary is None or found["effect"] is None:
        return None
    common = {"direction": primary["direction"], "margin": None, "finding": Finding.UNKNOWN}
    rows = [_row({**common, **predicted}, "predicted"), _row({**primary, **found, "margin": None}, "found")]
    return _forest(rows, width, legend=False)


def timeline_chart(document: Mapping[str, Any], width: int) -> Any | None:
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
    sign = -1 if primary["direction"] == "increase" else 1
    margin = sign * primary["margin"] * 100 if primary["margin"] else None
    arms = list(dict.fromkeys(point["arm"] for point in points))
    domain = _course_domain(points, arms)
    data = alt.Data(values=points)
    days = alt.X(
        "day:T",
        title="people first exposed up to",
        axis=alt.Axis(format="%d %b", tickCount=max(width // 110, 2)),
    )
    height = alt.Scale(domain=domain, clamp=True, nice=False)
    colour = alt.Color(
        "arm:N",
        scale=alt.Scale(domain=arms, range=[BLUE, GREEN, PINK, GREY][: len(arms)]),
        legend=alt.Legend(title=None, orient="bottom") if len(arms) > 1 else None,
    )
    band = (
        alt.Chart(data)
        .mark_area(opacity=0.2)
        .encode(x=days, y=alt.Y("low:Q", title="effect in %", scale=height), y2="high:Q", color=colour)
    )
    line = (
        alt.Chart(data)
        .mark_line(point=alt.OverlayMarkDef(size=45), strokeWidth=2.5)
        .encode(x=days, y="effect:Q", color=colour)
    )
    layers = [band, _rule("y", 0.0, SOFT), line]
    if margin is not None and domain[0] <= margin <= domain[1]:
        layers.insert(1, _rule("y", margin, ORANGE, dash=[5, 4]))
    return _styled(alt.layer(*layers).properties(height=210), width, "The effect over time")


def to_svg(chart: Any) -> str:
    """Return a chart as SVG text. It fetches nothing."""
    import vl_convert

    svg: str = vl_convert.vegalite_to_svg(chart.to_dict(), allowed_base_urls=[])
    return svg


def to_png(chart: Any, scale: float = 2.0) -> bytes:
    """Return a chart as a PNG picture on white."""
    import vl_convert

    drawn = chart.to_dict()
    drawn["config"]["background"] = "white"
    png: bytes = vl_convert.vegalite_to_png(drawn, scale=scale, allowed_base_urls=[])
    return png


def _course_domain(points: Sequence[Mapping[str, Any]], arms: Sequence[str]) -> list[float]:
    """Return the range that shows where the effect has come to; the first days may leave the picture."""
    last = [[point for point in points if point["arm"] == arm][-1] for arm in arms]
    reach = 2.0 * max(max(abs(point["low"]), abs(point["high"])) for point in last)
    reach = max(reach, 1.1 * max(abs(point["effect"]) for point in last), 0.1)
    # Zero stays in the picture: without it nobody sees which side the effect is on.
    low = min(0.0, *(point["low"] for point in points))
    high = max(0.0, *(point["high"] for point in points))
    return [max(low, -reach) * 1.05, min(high, reach) * 1.05]


def _row(line: Mapping[str, Any], label: str) -> dict[str, Any]:
    """Return an effect in percent, with the sign it was measured with. An end that is unknown stays None."""
    more = line["direction"] == "increase"
    low, high, effect = (None if line[k] is None else line[k] * 100 for k in ("low", "high", "effect"))
    margin = line["margin"] * 100 if line["margin"] else None
    return {
        "label": label if more else f"{label} ({FEWER})",
        "effect": effect,
        "low": low,
        "high": high,
        "margin": -margin if margin and more else margin,
        "finding": line["finding"],
    }


def _forest(rows: Sequence[dict[str, Any]], width: int, *, legend: bool = True) -> Any | None:
    import altair as alt

    if not rows:
        return None
    domain, narrow = _domain(rows), width < _NARROW
    values = [
        {
            **row,
            "low": domain[0] if row["low"] is None else row["low"],
            "high": domain[1] if row["high"] is None else row["high"],
            "said": row["label"] if narrow else f"{row['label']}{_far(row['margin'], domain)}",
            "far": _far(row["margin"], domain).replace(", margin", "allowed") if narrow else "",
            "margin": None if _beyond(row["margin"], domain) else row["margin"],
        }
        for row in rows
    ]
    data = alt.Data(values=values)
    places = alt.Y("label:N", title=None, sort=[row["label"] for row in rows], axis=None)
    key = alt.Legend(title=None, orient="bottom", symbolOpacity=1) if legend else None
    colour = alt.Color(
        "finding:N",
        scale=alt.Scale(domain=list(FINDINGS), range=[BLUE, GREY, ORANGE]),
        legend=key,
    )
    shape = alt.Shape("finding:N", scale=alt.Scale(domain=list(FINDINGS), range=list(_SHAPES)), legend=key)
    across = alt.X(
        "low:Q",
        title="effect in %, orange: what is allowed" if narrow else "effect in %",
        scale=alt.Scale(domain=domain, clamp=True, nice=False),
        axis=alt.Axis(tickCount=max(width // 90, 3)),
    )
    base = alt.Chart(data)
    interval = base.mark_rule(strokeWidth=3.5, strokeCap="round").encode(
        y=places, x=across, x2="high:Q", color=colour
    )
    point = base.mark_point(filled=True, size=130, opacity=1).encode(
        y=places, x="effect:Q", color=colour, shape=shape
    )
    margin = (
        base.transform_filter("datum.margin != null")
        .mark_tick(color=ORANGE, thickness=2.5, size=18)
        .encode(y=places, x="margin:Q")
    )
    said = base.mark_text(color=INK, align="left", baseline="middle", dy=-17, fontSize=13, font=_FONT).encode(
        y=places, x=alt.value(0), text="said:N"
    )
    far = base.mark_text(color=SOFT, align="left", baseline="middle", dy=15, fontSize=11, font=_FONT).encode(
        y=places, x=alt.value(0), text="far:N"
    )
    chart = alt.layer(_rule("x", 0.0, SOFT), margin, interval, point, said, far)
    return _styled(chart.properties(height=alt.Step(48)), width, "Effects with their intervals")


def _domain(rows: Iterable[Mapping[str, Any]]) -> list[float]:
    """Return the range of the picture: every known interval, zero, and the margins that are near enough."""
    known = [row[k] for row in rows for k in ("effect", "low", "high") if row[k] is not None]
    reach = max((abs(value) for value in known), default=0.0) or 1.0
    margins = [row["margin"] for row in rows if row["margin"] and abs(row["margin"]) <= _MARGIN_REACH * reach]
    low, high = min([0.0, *known, *margins]), max([0.0, *known, *margins])
    pad = 0.06 * (high - low) or 1.0
    return [low - pad, high + pad]


def _beyond(margin: float | None, domain: Sequence[float]) -> bool:
    return margin is not None and not domain[0] <= margin <= domain[1]


def _far(margin: float | None, domain: Sequence[float]) -> str:
    """Return where a margin is that the picture does not reach."""
    if not margin or not _beyond(margin, domain):
        return ""
    return f", margin ← −{-margin:g} %" if margin < 0 else f", margin +{margin:g} % →"


def _rule(axis: str, at: float, colour: str, dash: list[int] | None = None) -> Any:
    import altair as alt

    chart = alt.Chart(alt.Data(values=[{"at": at}]))
    mark = chart.mark_rule(color=colour, strokeWidth=1.5, strokeDash=dash or [1, 0])
    return mark.encode(x="at:Q") if axis == "x" else mark.encode(y="at:Q")


def _styled(chart: Any, width: int, description: str) -> Any:
    """Fit the whole picture, labels included, into ``width`` pixels."""
    words: dict[str, Any] = {"labelFont": _FONT, "labelFontSize": 13, "labelColor": INK}
    titles = {"titleFont": _FONT, "titleFontSize": 12, "titleFontWeight": "normal", "titleColor": SOFT}
    return chart.properties(
        width=width, description=description, autosize={"type": "fit-x", "contains": "padding"}
    ).configure(
        background="transparent",
        padding=6,
        view={"stroke": None},
        axis=words | titles | {"gridColor": LINE, "domainColor": LINE, "tickColor": LINE},
        legend=words | {"labelFontSize": 12, "labelColor": SOFT},
        title={"font": _FONT, "fontSize": 16, "color": INK, "anchor": "start"},
    )
