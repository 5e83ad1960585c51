"""The review as one PNG picture, for channels that show pictures and not pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from belay.domain.scope import percent
from belay.review.charts import effects_chart, to_png

_WIDTH, _SCALE = 340, 3.0
"""Drawn for a phone, where a wider picture would be shrunk until nobody can read it; sharp on a desk."""


def picture(document: Mapping[str, Any]) -> bytes | None:
    """Return the effects against their margins as a PNG, 1,020 pixels wide; None before any exposure."""
    chart = effects_chart(document, width=_WIDTH)
    if chart is None:
        return None
    step = f"{percent(document['from_scope'])} → {percent(document['to_scope'])}"
    title = {"text": f"{document['verdict'].replace('_', ' ').capitalize()}: {step}", "offset": 14}
    return to_png(chart.properties(title=title), scale=_SCALE)


def alt_text(document: Mapping[str, Any]) -> str:
    """Return the same in words, for those who do not see the picture."""
    lines = [str(line["sentence"]) for line in document.get("metrics", ())]
    return " ".join([f"Verdict: {document['verdict'].replace('_', ' ')}.", *lines])
