"""When a parked task may be woken, and what its page says: the clock here is the test's."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from belay.web import waiting
from belay.web.waiting import seconds_left, until_settled, with_progress

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TASK = ("rollout__wording", "opt__step1", "approval")


@pytest.mark.parametrize(
    ("state", "parked_for", "left"),
    [
        ("awaiting_input", timedelta(seconds=0.2), 2.8),
        ("awaiting_input", timedelta(seconds=1), 2.0),
        ("awaiting_input", timedelta(seconds=5), 0.0),
        ("awaiting_input", timedelta(hours=24), 0.0),
        ("awaiting_input", timedelta(hours=-1), 3.0),  # the clock went back
        ("awaiting_input", None, 0.0),
        ("running", timedelta(0), 0.25),
        ("queued", timedelta(hours=24), 0.25),
        ("success", timedelta(0), 0.0),
        (None, None, 0.0),
    ],
)
def test_how_long_an_answer_waits(state, parked_for, left):
    since = None if parked_for is None else NOW - parked_for
    assert seconds_left(state, since, NOW) == pytest.approx(left)


def waited(monkeypatch, looks):
    """Return what ``until_settled`` says, and how long it slept, when Airflow answers ``looks`` in turn."""
    slept = []
    clock = [0.0]

    async def sleep(seconds):
        slept.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(waiting.asyncio, "sleep", sleep)
    monkeypatch.setattr(waiting.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(waiting, "_look", lambda *task: looks[min(len(slept), len(looks) - 1)])
    return asyncio.run(until_settled(*TASK)), sum(slept)


def test_it_waits_until_the_task_has_parked_and_settled(monkeypatch):
    long_ago = datetime.now(UTC) - timedelta(minutes=1)
    looks = [("running", None), ("queued", None), ("awaiting_input", long_ago)]
    assert waited(monkeypatch, looks) == (True, 0.5)


def test_it_does_not_wait_for_ever(monkeypatch):
    settled, seconds = waited(monkeypatch, [("running", None)])
    assert not settled
    assert 19 <= seconds <= 20


def test_the_page_shows_where_it_stands_now():
    before = "Answers so far: 0 of 2 approvals; needs a cx_owner and a risk_owner."
    body = f"no harm shown\n\n{before}\n\nExpires soon."
    line = "Answers so far: 1 of 2 approvals; needs a risk_owner. Nora Lindqvist approved (cx_owner)."
    assert with_progress(body, line) == f"no harm shown\n\n{line}\n\nExpires soon."
