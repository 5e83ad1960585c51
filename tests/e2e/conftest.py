"""One running Airflow for all end-to-end tests that can share it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.slack import Slack
from tests.support.world import World, policies_in, running


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
