"""One running Airflow for all end-to-end tests that can share it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.world import World, running


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Return the world that most end-to-end tests share."""
    with running(tmp_path_factory.mktemp("world")) as started:
        yield started
