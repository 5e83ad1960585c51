"""A small shop, its flags, and a look into its lake."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from belay.domain.proposal import Variant
from belay.flags.flagd import FlagdFile
from belay.flags.target import ServedFlag
from belay_lab.shop.lake import CATALOGUE
from belay_lab.shop.scenario import Scenario
from belay_lab.shop.simulate import Storefront


@pytest.fixture
def make_scenario() -> Callable[..., Scenario]:
    """Return a shop of two small surfaces; every field can be changed."""

    def build(**changes: Any) -> Scenario:
        behaviour = {"conversion": 0.2}
        settings: dict[str, Any] = {
            "title": "A small shop",
            "seed": 11,
            "start": "2026-03-02T00:00:00",
            "history_days": 0.25,
            "surfaces": {
                "checkout": {"visitors_per_day": 2400, "behaviour": behaviour},
                "search": {"visitors_per_day": 1200, "behaviour": behaviour},
            },
        }
        return Scenario.model_validate(settings | changes)

    return build


@pytest.fixture
def make_shop(tmp_path: Path, make_scenario: Callable[..., Scenario]) -> Iterator[Callable[..., Storefront]]:
    """Open shops; each is closed at the end of the test."""
    opened: list[Storefront] = []

    def build(home: str = "home", scenario: Scenario | None = None) -> Storefront:
        folder = tmp_path / home
        shop = Storefront(folder, scenario or make_scenario(), folder / "flags.json")
        opened.append(shop)
        return shop

    yield build
    for shop in opened:
        shop.close()


@pytest.fixture
def serve() -> Callable[..., None]:
    """Show an optimization on the checkout of a shop."""

    def apply(
        shop: Storefront,
        scope: int,
        epoch: int,
        variants: tuple[str, ...] = ("treatment",),
        name: str = "calm-button",
        **more: Any,
    ) -> None:
        treatments = tuple(Variant(key, {"variant": key}) for key in variants)
        flag = ServedFlag(name, scope, treatments, None, epoch, surface="checkout", **more)
        FlagdFile(shop.home / "flags.json").apply(flag)

    return apply


@pytest.fixture
def ask() -> Callable[..., list[tuple[Any, ...]]]:
    """Ask a shop's catalogue, opened as every reader opens it."""
    import duckdb

    def query(home: Path, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(home / CATALOGUE), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    return query


@pytest.fixture(scope="session")
def recorded_data() -> Path:
    """Return the folder of recorded experiments (BELAY_DATA)."""
    folder = Path(os.environ.get("BELAY_DATA") or Path(__file__).parents[3] / "shared" / "data")
    if not folder.is_dir():
        reason = f"no recorded experiments in {folder}: set BELAY_DATA"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
