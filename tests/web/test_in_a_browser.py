"""The pages in a real browser: the buttons work, hostile words do nothing, a phone shows all of it."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Response
from fastapi.testclient import TestClient

from belay.services import Services

pytestmark = pytest.mark.browser

CHROMIUM = Path("/usr/bin/chromium")
HOSTILE = "</p><script>alert(1)</script><img src=x onerror=alert(1)>\"'"
Asked = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists():
        reason = "no Chromium: install the package chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        yield started
        started.close()


@pytest.fixture
def address(browse: Callable[..., TestClient]) -> Iterator[str]:
    """Serve the pages at ``/belay`` of a free port, as Airflow's web server does, with nora logged in."""
    import uvicorn

    root = FastAPI()
    root.add_api_route("/favicon.ico", lambda: Response(status_code=204))  # Airflow has one
    root.mount("/belay", browse("nora").app)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(root, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/belay/"
        server.should_exit = True
        thread.join()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page on a phone that fails the test on a dialog, a script's error or a policy's violation."""
    context = browser.new_context(viewport={"width": 360, "height": 740})
    opened, wrong = context.new_page(), []
    opened.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda told: wrong.append(told.text) if told.type == "error" else None)
    opened.wrong = wrong
    yield opened
    context.close()


def test_an_approval_by_its_button(page: Any, address: str, asked: Asked, belay: Services) -> None:
    request = asked()
    page.goto(address)
    page.get_by_role("button", name="Approve").click()
    page.get_by_text("An answer needs a reason.").wait_for()
    assert not belay.ledger.state().requests[request.id].votes
    page.get_by_label("Reason").first.fill("it helps people")
    page.get_by_role("button", name="Approve").click()
    page.get_by_text("No approvals waiting").wait_for()
    (vote,) = belay.ledger.state().requests[request.id].votes
    assert (vote.voter, vote.reason) == ("nora", "it helps people")
    assert page.wrong == []


def test_a_refusal_is_said_beside_the_button(page: Any, address: str, asked: Asked, folder: Path) -> None:
    asked()
    people = folder / "_people.yaml"
    people.write_text(people.read_text().replace("roles: [cx_owner, veto]", "roles: [veto]"))
    page.goto(address)
    page.get_by_label("Reason").first.fill("it helps people")
    page.get_by_role("button", name="Approve").click()
    page.get_by_text("it takes cx_owner").wait_for()


def test_freeze_and_lift_by_their_buttons(page: Any, address: str, asked: Asked, belay: Services) -> None:
    asked()
    page.goto(address)
    page.get_by_text("Freeze something").click()
    form = page.locator("details.freeze form")
    form.get_by_label("What to freeze").select_option("surface:checkout")
    form.get_by_label("Reason").fill("launch day")
    form.get_by_role("button", name="Freeze").click()
    page.get_by_role("heading", name="Frozen: surface:checkout").wait_for()
    assert list(belay.ledger.state().freezes) == ["surface:checkout"]
    page.locator(".frozen").get_by_label("Reason").fill("the launch is over")
    page.get_by_role("button", name="Lift the freeze").click()
    page.get_by_role("heading", name="Frozen").wait_for(state="detached")
    assert not belay.ledger.state().freezes
    assert page.wrong == []


def test_hostile_words_do_nothing_and_a_phone_shows_all_of_it(page: Any, address: str, asked: Asked) -> None:
    asked(title=HOSTILE, hypothesis=HOSTILE * 3, rollback={HOSTILE: "x" * 500})
    for path in ("", "optimization/delivery-date", "review/delivery-date/1"):
        page.goto(f"{address}{path}")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
    page.get_by_text("Evidence").locator("a").click()
    page.get_by_text("named by its SHA-256").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.wrong == []


def test_the_kill_switch_asks_once_more_and_then_acts(page: Any, address: str, belay: Services) -> None:
    """The question is the page's own: a frame like Airflow's may not open the browser's dialogs."""
    from tests.support.live import make_live

    make_live(belay, 2)
    page.goto(address)
    page.get_by_role("link", name="Kill switch").click()
    page.get_by_label("What to stop").select_option("surface:checkout")
    page.get_by_label("Reason").fill("wrong prices")
    _picture(page, "kill-switch")
    page.get_by_role("button", name="Stop it").click()
    page.get_by_text("Take everything of surface:checkout down to 0 % now?").wait_for()
    _picture(page, "kill-switch-question")
    page.get_by_role("button", name="Cancel").click()
    assert all(flag.scope for flag in belay.flags.read_all().values())
    page.get_by_role("button", name="Stop it").click()
    page.locator("dialog").get_by_role("button", name="Stop it").click()
    page.get_by_text("2 optimizations taken down to 0 %").wait_for()
    assert not any(flag.scope for flag in belay.flags.read_all().values())
    assert page.wrong == []


def test_a_stop_that_is_not_complete_stands_first_on_the_board(
    page: Any, address: str, belay: Services
) -> None:
    from datetime import UTC, datetime

    from tests.support.live import make_live

    from belay.actuation import outbox

    make_live(belay, 1)
    at = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    problem = "the ledger failed (database is locked): another process holds it locked"
    outbox.put(
        belay.settings.home,
        outbox.Note("stop-1", "all", "wrong prices", "nora", "cli", at, flags=True, problem=problem),
    )
    page.goto(address)
    page.get_by_role("heading", name="Stop not complete: all").wait_for()
    _picture(page, "stop-not-complete")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def _picture(page: Any, name: str) -> None:
    folder = Path(__file__).parents[2] / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png")
