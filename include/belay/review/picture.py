"""The review as one PNG picture, for channels that show pictures and not pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from belay.review.charts import effects_chart, to_png


def picture(document: Mapping[str, Any]) -> bytes | None:
    """Return the effects against their margins as a PNG of about 1,600 pixels; None before any exposure."""
    chart = effects_chart(document, width=560)
    return None if chart is None else to_png(chart)


def alt_text(document: Mapping[str, Any]) -> str:
    """Return the same in words, for those who do not see the picture."""
    lines = [str(line["sentence"]) for line in document.get("metrics", ())]
    return " ".join([f"Verdict: {document['verdict'].replace('_', ' ')}.", *lines])
