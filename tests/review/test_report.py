"""The page: hostile text stays text, every figure has its unit and its place in the evidence."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from tests.review.conftest import GOOD, proposal_document

from belay.domain.capability import CapabilityPolicy
from belay.gates.intake import parse_proposal
from belay.review.charts import effects_chart, segments_chart, timeline_chart, to_svg
from belay.review.picture import alt_text, picture
from belay.review.report import amount, limit, number, render, surprise
from belay.review.verdict import Review, judge_before_exposure

Judge = Callable[..., Review]
HOSTILE = "</blockquote><script>alert(1)</script><img src=x onerror=alert(1)>\"' onload=alert(1) {{ 7 * 7 }}"


class Seen(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.handlers: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "xlink:href")]
        self.ids += [value or "" for name, value in attrs if name == "id"]


def seen(page: str) -> Seen:
    parser = Seen()
    parser.feed(page)
    return parser


def page_of(document: Any) -> str:
    return render(document, sha256="ab" * 32, evidence_url="../../evidence/" + "ab" * 32)


def test_hostile_text_of_an_agent_stays_text(reviewed: Judge) -> None:
    hostile = proposal_document(
        title=HOSTILE[:150], hypothesis=HOSTILE, tags=[HOSTILE], rollback=HOSTILE, agent=HOSTILE[:60]
    )
    page = page_of(reviewed(GOOD, document=hostile).document)
    found = seen(page)
    assert not {"script", "img", "iframe", "object", "form"} & found.tags
    assert found.handlers == []
    assert "&lt;script&gt;alert(1)" in page
    assert "{{ 7 * 7 }}" in page


def test_hostile_text_of_the_data_stays_text(reviewed: Judge) -> None:
    document = json.loads(json.dumps(dict(reviewed(GOOD).document)))
    for line in (*document["segments"], *document["metrics"]):
        line["segment"], line["title"] = HOSTILE, HOSTILE
    found = seen(page_of(document))
    assert not {"script", "img"} & found.tags
    assert found.handlers == []


def test_the_page_needs_no_network(reviewed: Judge) -> None:
    page = page_of(reviewed(GOOD).document)
    assert all(link.startswith(("../../evidence/", "#")) for link in seen(page).links)
    assert "@import" not in page
    assert not re.search(r"url\(\s*['\"]?http", page)


def test_every_figure_leads_to_its_place_in_the_evidence(reviewed: Judge) -> None:
    document = reviewed(GOOD).document
    pointers = [link.partition("#")[2] for link in seen(page_of(document)).links if "#/" in link]
    assert len(pointers) > 20
    for pointer in pointers:
        place: Any = json.loads(json.dumps(document))
        for part in pointer.split("/")[1:]:
            place = place[int(part)] if isinstance(place, list) else place[part]
        assert place is None or isinstance(place, int | float)


def test_sentence_verdict_and_next_come_first(reviewed: Judge) -> None:
    review = reviewed(GOOD)
    page = page_of(review.document)
    assert (
        page.index("Measured on 24,000 people") < page.index("<strong>Widen</strong>") < page.index("Next: ")
    )
    assert page.index("Next: ") < page.index("<svg")
    assert 'class="verdict good"' in page


@pytest.mark.parametrize("lift", [GOOD, {"conversion": -0.5}, {}])
@pytest.mark.parametrize("units", [0, 30, 3000])
def test_every_review_can_be_shown(reviewed: Judge, lift: dict[str, float], units: int) -> None:
    review = reviewed(lift, units=units)
    assert seen(page_of(review.document)).ids
    assert alt_text(review.document).startswith("Verdict: ")


def test_a_first_exposure_can_be_shown(policy: CapabilityPolicy) -> None:
    review = judge_before_exposure(
        proposal=parse_proposal(proposal_document()),
        policy=policy,
        from_scope=0,
        to_scope=100,
        quality=None,
        admission=None,
    )
    assert "Nobody has seen it yet" in page_of(review.document)
    assert picture(review.document) is None


def test_two_treatments_have_rows_of_their_own(reviewed: Judge) -> None:
    document = reviewed(GOOD, variants=("one", "two")).document
    chart = effects_chart(document, 640)
    assert chart is not None
    svg = to_svg(chart)
    assert "one: Conversion" in svg
    assert "two: Conversion" in svg


def test_an_unknown_end_reaches_the_edge_of_the_picture(reviewed: Judge) -> None:
    document = json.loads(json.dumps(dict(reviewed(GOOD).document)))
    document["metrics"][0] |= {"low": None, "high": None}
    drawn = effects_chart(document, 640)
    assert drawn is not None
    rows = drawn.to_dict()["layer"][2]["data"]["values"]
    domain = drawn.to_dict()["layer"][2]["encoding"]["x"]["scale"]["domain"]
    assert [rows[0]["low"], rows[0]["high"]] == domain
    assert rows[1]["high"] - rows[1]["low"] < domain[1] - domain[0]


def test_a_margin_far_away_is_named_and_does_not_squeeze_the_picture(reviewed: Judge) -> None:
    document = json.loads(json.dumps(dict(reviewed(GOOD).document)))
    document["metrics"][0]["margin"] = 50.0
    chart = effects_chart(document, 640)
    assert chart is not None
    assert "margin ← −5000 %" in to_svg(chart)


def test_table_and_picture_have_one_sign(reviewed: Judge) -> None:
    document = reviewed(GOOD).document
    lines = {line["title"]: line for line in document["metrics"]}
    chart = effects_chart(document, 640)
    assert chart is not None
    rows = chart.to_dict()["layer"][2]["data"]["values"]
    assert len(rows) == len(lines)
    for row in rows:
        line = lines[row["label"].removesuffix(" (fewer is better)")]
        fewer = line["direction"] == "decrease"
        assert row["label"].endswith(" (fewer is better)") is fewer
        assert (row["effect"], row["low"], row["high"]) == tuple(
            pytest.approx(100 * line[k]) for k in ("effect", "low", "high")
        )
        if row["margin"] is not None:
            assert row["margin"] == pytest.approx((100 if fewer else -100) * line["margin"])
    page = page_of(document)
    assert page.count("fewer is better") >= sum(line["direction"] == "decrease" for line in lines.values())


def test_a_margin_far_away_where_fewer_is_better_is_named_on_its_side(reviewed: Judge) -> None:
    document = json.loads(json.dumps(dict(reviewed(GOOD).document)))
    line = next(line for line in document["metrics"] if line["direction"] == "decrease")
    line["margin"] = 50.0
    chart = effects_chart(document, 640)
    assert chart is not None
    assert "margin +5000 % →" in to_svg(chart)


def test_both_effects_are_told_by_name(reviewed: Judge) -> None:
    page = page_of(reviewed(GOOD).document)
    assert "So far, and expected" in page
    assert "effects of days agree within chance over 6 exposure days" in page


def test_a_review_from_before_there_were_two_effects_is_still_shown(reviewed: Judge) -> None:
    document = json.loads(json.dumps(dict(reviewed(GOOD).document)))
    for line in (*document["metrics"], *document["segments"]):
        for name in ("expected", "so_far", "lasting", "dispersion", "raw_treatment", "raw_control"):
            del line[name]
    assert "So far, and expected" not in page_of(document)


def test_harm_in_a_segment_is_drawn_whatever_the_metric(reviewed: Judge) -> None:
    document = reviewed(GOOD | {"page_errors": 2.0}, only="desktop").document
    chart = segments_chart(document, 640)
    assert chart is not None
    assert "device: desktop, Page errors" in to_svg(chart)


def test_without_days_there_is_no_course(reviewed: Judge) -> None:
    assert timeline_chart({**reviewed(GOOD).document, "timeline": []}, 640) is None


def test_the_picture_is_a_png_of_1020_pixels(reviewed: Judge) -> None:
    png = picture(reviewed(GOOD).document)
    assert png is not None
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(png[16:20], "big") == 1020


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.2132, "%", "21.3 %"),
        (0.0203, "per 1,000 visitors", "20.3"),
        (4.611, "EUR", "4.61"),
        (None, "%", "unknown"),
    ],
)
def test_values_are_shown_in_their_unit(value: float | None, unit: str, shown: str) -> None:
    assert amount(value, unit) == shown


def test_figures_as_people_read_them() -> None:
    assert number(12_345.6) == "12,346"
    assert number(-0.5) == "−0.5"
    assert limit({"direction": "increase", "margin": 0.2}) == "−20 %"
    assert limit({"direction": "decrease", "margin": 0.5}) == "+50 %"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ((0.05, 0.01, 0.09), "as predicted"),
        ((0.01, -0.01, 0.03), "outside what was predicted, within the uncertainty"),
        ((-0.1, -0.2, -0.05), "shown not to be what was predicted"),
        ((None, None, None), ""),
    ],
)
def test_the_prediction_is_held_against_what_was_found(found: tuple[Any, Any, Any], said: str) -> None:
    told = {"effect": 0.08, "low": 0.02, "high": 0.14}
    assert (
        surprise({"prediction": told, "found": dict(zip(("effect", "low", "high"), found, strict=True))})
        == said
    )
