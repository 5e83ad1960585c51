"""One running Airflow for all end-to-end tests that can share it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.slack import Slack
from tests.support.world import World, policies_in, running

# The tests of the shared world use what others left: the pages show the rollout's review, and all of them
# climb on one surface, which the rollout has to find free.
FIRST, LAST = ("test_rollout.py", "test_answered_at_once.py"), ("test_pages.py",)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the files of this folder in the order that their shared world needs, whatever their names."""
    here = [at for at, item in enumerate(items) if item.path.parent == Path(__file__).parent]
    ordered = sorted((items[at] for at in here), key=lambda item: _place(item.path.name))
    for at, item in zip(here, ordered, strict=True):
        items[at] = item


def _place(name: str) -> int:
    if name in FIRST:
        return FIRST.index(name) - len(FIRST)
    return name in LAST


@pytest.fixture(scope="session")
def slack() -> Iterator[Slack]:
    """Return the Slack-compatible server of the shared world."""
    server = Slack()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, slack: Slack) -> Iterator[World]:
    """Return the world that most end-to-end tests share."""
    home = tmp_path_factory.mktemp("world")
    settings = {"BELAY_POLICIES": str(policies_in(home)), "BELAY_PROMOTION_SCHEDULE": "none"}
    with running(home, slack=slack, **settings) as started:
        yield started
