"""The pages in a real browser, against the running Airflow. Screenshots are kept in build/screenshots."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from belay.domain.run import Run

pytestmark = [pytest.mark.airflow, pytest.mark.browser, pytest.mark.slow]

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium")
    if chromium is None:
        reason = "no Chromium: install the package chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        yield started
        started.close()


@pytest.fixture
def page(browser, world):
    """A page of somebody who is logged in as nora."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_cookies([{"name": "_token", "value": world.token("nora"), "url": world.airflow.url}])
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    yield context.new_page()
    context.close()


def test_who_is_not_logged_in_sees_nothing(browser, world):
    page = browser.new_page()
    for path in ("/belay/", "/belay/api/board", "/belay/static/belay.css", "/belay/review/any/1"):
        answer = page.goto(f"{world.airflow.url}{path}")
        assert answer.status == 401, path
    page.close()


def test_the_autonomy_page_stands_in_airflows_navigation(page, world):
    page.goto(f"{world.airflow.url}/", wait_until="networkidle")
    page.get_by_role("link", name="Autonomy").first.click()
    frame = page.frame_locator("iframe")
    frame.get_by_role("heading", name="Autonomy").wait_for()
    frame.get_by_role("heading", name="Checkout wording").wait_for()
    page.screenshot(path=SCREENSHOTS / "autonomy.png")


def test_the_review_of_a_step_explains_itself(page, world):
    known = world.optimization("checkout-delivery-date")
    assert known is not None, "the rollout test runs before this one"
    answer = page.goto(f"{world.airflow.url}/belay/review/{known.id}/2")
    assert answer.status == 200
    assert page.locator("svg").count() >= 2
    assert "Conversion" in page.content()
    page.screenshot(path=SCREENSHOTS / "review.png", full_page=True)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.screenshot(path=SCREENSHOTS / "review-phone.png", full_page=True)


def test_the_graph_of_a_rollout_reads_from_left_to_right(page, world):
    page.goto(f"{world.airflow.url}/dags/rollout__checkout_wording", wait_until="networkidle")
    page.get_by_text("admit").first.wait_for()
    page.screenshot(path=SCREENSHOTS / "dag.png")


def test_the_pages_load_nothing_from_elsewhere(page, world):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{world.airflow.url}/belay/", wait_until="networkidle")
    assert asked
    assert all(url.startswith((world.airflow.url, "data:")) for url in asked)


def test_a_person_answers_on_required_actions(page, world):
    """The hidden field of Airflow's form carries what was shown: another page's answer does not count."""
    name, dag = "checkout-in-browser", "rollout__checkout_wording"
    run = f"{name}__step1"
    proposal = {
        "optimization": name,
        "title": "A calmer button",
        "hypothesis": "Less haste, fewer errors.",
        "variants": [{"key": "treatment", "payload": {"label": "order"}}],
        "agent": "copywriter",
        "agent_owner": "dana",
        "tags": ["brand"],
    }
    body = {"dag_run_id": run, "logical_date": None, "conf": proposal}
    world.trigger(dag, body)
    world.until("it waits for people", lambda: world.client().waits(Run("rollout__checkout_wording", run)))
    task = f"{dag}/dagRuns/{run}/taskInstances/approval/-1/hitlDetails"
    stale = {"chosen_options": ["Approve"], "params_input": {"reason": "seen", "shown": "0" * 64}}
    refused = world.call("nora", "PATCH", f"/api/v2/dags/{task}", stale)
    assert refused.status_code == 403
    assert "open the request again" in refused.json()["detail"]

    page.goto(f"{world.airflow.url}/dags/{dag}/runs/{run}/tasks/approval/required_actions")
    reason = page.locator("[name=element_reason]")
    for _ in range(60):  # every look at the ledger closes the form for a moment
        if reason.is_enabled():
            break
        page.wait_for_timeout(500)
    reason.fill("calm is good")
    assert page.locator("[name=element_shown]").is_hidden()
    approve = page.get_by_role("button", name="Approve")
    approve.click(trial=True)  # it is grey until the form has seen the reason
    page.screenshot(path=SCREENSHOTS / "required-actions.png", animations="disabled")
    approve.click()
    world.until("1 % is served", lambda: world.served(name) == 100)
    (request,) = [r for r in world.belay.ledger.state().requests.values() if r.optimization == name]
    assert [(vote.voter, vote.via, vote.reason) for vote in request.votes] == [
        ("nora", "airflow", "calm is good")
    ]
    kept = world.call("nora", "GET", f"/api/v2/dags/{task}").json()
    assert kept["params_input"] == {"reason": "calm is good", "shown": request.digest}
