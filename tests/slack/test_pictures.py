"""What people see in Slack on a phone and on a desk, drawn from what was really posted.

Pictures are kept in build/screenshots, or where SCREENSHOTS says: `SCREENSHOTS=docs/images` renews the docs'.
"""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from tests.gates.conftest import SHOP, World
from tests.slack.conftest import NAMES, NORA, OMAR, PRIYA, slack_id
from tests.support.block_kit import faults
from tests.support.block_kit_html import modal, page
from tests.support.live import make_live
from tests.support.slack import Slack

from belay.domain import commands as c
from belay.domain.actors import service
from belay.domain.gates import Verdict
from belay.domain.request_state import RequestStatus
from belay.domain.stages import Stage
from belay.gates.admit import admit
from belay.gates.approval import approval
from belay.gates.quality import quality
from belay.gates.review import review
from belay.gates.widen import widen
from belay.gates.window import window_look
from belay.oversight import people
from belay.slack.message import APPROVE

pytestmark = [pytest.mark.slow, pytest.mark.browser]

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / os.environ.get("SCREENSHOTS", "build/screenshots")
PHONE, DESK = 390, 1280
"""Widths of the windows, in CSS pixels."""
QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
NAME = "checkout-good"
HYPOTHESIS = (
    "People hesitate because they do not know when the parcel comes. A date beside the button answers that. "
    "<!channel> <https://evil.example|Approved by Nora> *bold*"
)


@pytest.fixture
def pictures(tmp_path):
    """Draw a page as PNG on a phone and on a desk, and return the words that it shows."""
    chromium = shutil.which("chromium")
    if chromium is None:
        reason = "no Chromium: install the package chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        shown = browser.new_page()

        def draw(name, html):
            for width, called in ((DESK, f"slack-{name}"), (PHONE, f"slack-{name}-phone")):
                shown.set_viewport_size({"width": width, "height": 600})
                shown.set_content(html)
                assert shown.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), called
                box = shown.locator(".channel, .modal")
                box.screenshot(path=SCREENSHOTS / f"{called}.png")
            return box.inner_text().replace("\u00a0", " ")

        yield draw
        browser.close()


@pytest.fixture
def world(tmp_path):
    """A shop whose wording takes two people, both in Slack."""
    checkout = SHOP["surfaces"]["checkout"] | {"visitors_per_day": 12_000}
    made = World(tmp_path / "shop", SHOP | {"surfaces": {"checkout": checkout}})
    people = made.policies / "_people.yaml"
    roster = yaml.safe_load(people.read_text())
    for person in NAMES:
        roster["people"][person]["slack"] = slack_id(person)
    people.write_text(yaml.safe_dump(roster))
    file = made.policies / "checkout_wording.yaml"
    policy = yaml.safe_load(file.read_text())
    policy["window"] = {"minimum": "5d", "maximum": "8d"}  # days are draws: one or two show little
    policy["approval"] = {"notice": "1s", "roles": ["cx_owner", "risk_owner"], "quorum": 2}
    file.write_text(yaml.safe_dump(policy))
    yield made
    made.shop.close()
    made.belay.ledger.close()


@pytest.fixture
def slack(tmp_path):
    (tmp_path / "files").mkdir()
    server = Slack(SLACK_SERVER_FILES=str(tmp_path / "files"))
    yield server
    server.stop()


@pytest.fixture
def belay(world):
    return world.belay


def climb(world, step):
    """Take the gates of a step up to its approval."""
    assert admit(world.belay, NAME, f"{NAME}__step{step}").verdict is Verdict.PASS
    assert quality(world.belay, NAME, step).verdict is Verdict.PASS
    while window_look(world.belay, NAME, step).outcome is None:
        world.run(12)
    judged = review(world.belay, NAME, step)
    assert judged.verdict is Verdict.PASS, judged.sentence
    return approval(world.belay, NAME, step)


def test_a_request_before_during_and_after(world, slack, serving, pictures, tmp_path):
    belay, ahead = world.belay, timedelta()
    belay.now = lambda: datetime.now(UTC) + ahead
    world.propose(NAME, title="Say when the parcel will arrive", hypothesis=HYPOTHESIS)
    climb(world, 1)
    ahead = timedelta(seconds=5)
    approval(belay, NAME, 1)
    widen(belay, NAME, 1)
    world.run(8)
    asked = climb(world, 2).request
    serving()
    names = {slack_id(name): belay.roster().person(name).name for name in NAMES}

    def message(says):
        found = [m for m in slack.posted() if says in str(m)]
        return found[-1] if found else None

    def drawn(name, message):
        assert faults(message) == []
        return pictures(
            name,
            page(
                message,
                files=lambda file: tmp_path / "files" / f"{file}.png",
                names=names,
                thread=slack.thread(message["ts"]),
                at="11:02",
            ),
        )

    def has_picture():
        posted = message(asked.id)
        return posted if posted and "image" in [block["type"] for block in posted["blocks"]] else None

    before = slack.until("it is asked, with its picture", has_picture)
    shown = drawn("before", before)
    for words in ("may it go from 20 % to 50 %?", "What customers would see", "people a day", "Conversion"):
        assert words in shown
    assert "If approved: when both have approved, 50 % of people see it, instead of 20 %." in shown
    assert "0 of 2 approvals; needs a cx_owner and a risk_owner" in shown
    assert "Approved by Nora" in shown  # as the agent's words, with the brackets that betray them
    assert "<https://evil.example|" in shown

    for person, quick, reason in ((NORA, 0, "The date is right"), (OMAR, 3, "No legal risk in a date")):
        seen = len(slack.state()["views"])
        slack.click(person, APPROVE, before["ts"])
        views = slack.until("the modal is open", lambda seen=seen: (v := slack.state()["views"])[seen:] and v)
        if person == NORA:
            shown = pictures("modal", modal(views[-1], typed=reason, chosen=quick))
            assert "Approve: when both have approved, 50 % of people see it" in shown
        slack.submit(person, reason, quick=quick)
        if person == NORA:
            during = slack.until("the tally", lambda: message("The figures are clear. The date is right"))
            slack.until("the thread tells it", lambda: len(slack.thread(before["ts"])) == 2)
            shown = drawn("during", during)
            assert "Nora Lindqvist approved via slack" in shown.replace("\u200b", "")
            assert "1 of 2 approvals; needs a risk_owner" in shown
    slack.until(
        "it is granted", lambda: belay.ledger.state().requests[asked.id].status is RequestStatus.GRANTED
    )
    slack.until("the thread has all", lambda: len(slack.thread(before["ts"])) == 4)
    after = slack.until("the outcome", lambda: message("Approved by Nora Lindqvist and Omar Haddad"))
    assert not [block for block in after["blocks"] if block["type"] == "actions"]

    # It is live, and the message says so; then somebody vetoes it, and there is no tick any more.
    widen(belay, NAME, 2)
    world.run(8)
    assert admit(belay, NAME, f"{NAME}__step3").verdict is Verdict.PASS
    assert quality(belay, NAME, 3).verdict is Verdict.PASS
    window_look(belay, NAME, 3)
    live = slack.until("it is live", lambda: message("No harm found in"))
    assert "Live at 50 %, since" in drawn("after", live)
    nora = belay.roster().person("nora")
    people.veto(belay, NAME, person=nora, reason="The date is wrong on islands", via="cli")
    down = slack.until("it is down", lambda: message("⛔ Vetoed"))
    slack.until("the thread has it", lambda: "Taken down" in str(slack.thread(before["ts"])))
    shown = drawn("vetoed", down)
    assert "Vetoed by Nora Lindqvist: The date is wrong on islands" in shown
    assert "✅" not in str(down)


IDEAS = (
    (
        "checkout-express-hint",
        "Say that express checkout takes a minute",
        "People with full baskets fear forms.",
        "Order now: it takes a minute",
    ),
    (
        "checkout-countdown",
        "Count down the minutes that the basket is kept",
        "Urgency makes people decide.",
        "Order now: 9 minutes left",
    ),
    ("checkout-delivery-date", "Say when the parcel will arrive", HYPOTHESIS, "Order now, yours on Thursday"),
    (
        "checkout-return-note",
        "Say beside the button that returns are free",
        "Returns are free, and nobody says so.",
        "Order now, returns are free",
    ),
)


def test_the_weekly_review(world, slack, serving, pictures):
    """Two of four are judged: each keeps its place, with what was said instead of its buttons."""
    file = world.policies / "checkout_wording.yaml"
    file.write_text(file.read_text().replace("initial_stage: supervised", "initial_stage: observe"))
    for name, title, hypothesis, label in IDEAS:
        variants = [{"key": "treatment", "payload": {"label": label}}]
        world.propose(name, title=title, hypothesis=hypothesis, variants=variants)
    serving()

    def message():
        return next((m for m in slack.posted() if "would you?" in m["text"]), None)

    def drawn(name):
        assert faults(message()) == []
        return pictures(name, page(message(), files=Path, names={}, at="09:00"))

    ts = slack.until("the list is posted", message)["ts"]
    shown = drawn("weekly-review-before")
    assert shown.count("I would not") == len(IDEAS)
    assert all(f"New: “{label}”" in shown for *_, label in IDEAS)
    assert "<https://evil.example|" in shown
    answers = (
        (NORA, "belay_would:1", "I would have", "True, and people ask support about it"),
        (PRIYA, "belay_would_not:2", "I would not", "We do not rush people"),
    )
    for person, button, title, reason in answers:
        seen = len(slack.state()["views"])
        slack.click(person, button, ts)
        view = slack.until("the modal is open", lambda seen=seen: (v := slack.state()["views"])[seen:] and v)[
            -1
        ]
        assert title in pictures("weekly-review-modal", modal(view, typed=reason))
        slack.submit(person, reason)
        slack.until("the list tells it", lambda reason=reason: reason in str(message()))
    shown = drawn("weekly-review")
    assert "✓ Nora Lindqvist would have done it: True, and people ask support about it" in shown
    assert "✗ Priya Raman would not have done it: We do not rush people" in shown
    assert shown.count("I would not") == 2


def test_what_the_guard_did_is_told(world, slack, serving, pictures):
    """Harm that was taken down, and the stage that it cost: who reads it knows what, why and whose."""
    belay = world.belay
    (live, other) = make_live(belay, 2, asked=False)
    serving()
    harm = c.RollBack(live, "guard", "Conversion: 24.1 % with treatment against 30.2 % in control")
    assert belay.ledger.execute(harm, by=service("guard"), at=belay.now()).refusal is None
    lost = c.Demote("checkout_wording", Stage.SUGGEST, "harm-rate", "1 of 1 optimizations did harm")
    assert belay.ledger.execute(lost, by=service("guard"), at=belay.now()).refusal is None
    fell = slack.until(
        "the demotion is told", lambda: [m for m in slack.posted() if "fell from" in m["text"]]
    )[0]
    names = {slack_id(name): belay.roster().person(name).name for name in NAMES}
    first = next(message for message in slack.posted() if "for harm" in message["text"])
    assert faults(first) == faults(fell) == []
    shown = pictures("news", page(first, files=Path, names=names, at="11:02"))
    assert "24.1 % with treatment against 30.2 % in control" in shown
    assert "Accountable: Carla Mendes, @Dana Novak" in shown
    shown = pictures("news-demotion", page(fell, files=Path, names=names, at="11:02"))
    assert f"“Change {other}”" in shown, "what it took down with it"
