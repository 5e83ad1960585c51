"""Flags as the tests of this room build them, and the OpenFeature SDK that evaluates them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from belay.domain.proposal import Variant
from belay.flags.flagd import FlagdFile
from belay.flags.target import ServedFlag

Evaluate = Callable[..., list[Any]]


@pytest.fixture
def make_flag() -> Callable[..., ServedFlag]:
    """Return a flag; every field can be changed."""

    def build(**changes: Any) -> ServedFlag:
        settings: dict[str, Any] = {
            "key": "calm-button",
            "scope": 100,
            "variants": (Variant("treatment", {"label": "Order now"}),),
            "rollback": {"label": "Order"},
            "epoch": 1,
            "surface": "checkout",
        }
        return ServedFlag(**(settings | changes))

    return build


@pytest.fixture
def target(tmp_path: Path) -> FlagdFile:
    return FlagdFile(tmp_path / "flags" / "flags.flagd.json")


@pytest.fixture
def evaluate() -> Iterator[Evaluate]:
    """Evaluate a flag for units through the real OpenFeature SDK and its flagd provider, in process."""
    from openfeature import api
    from openfeature.contrib.provider.flagd import FlagdProvider
    from openfeature.contrib.provider.flagd.config import ResolverType
    from openfeature.evaluation_context import EvaluationContext

    def details(
        path: Path, key: str, units: Sequence[str], attributes: Mapping[str, str] | None = None
    ) -> list[Any]:
        provider = FlagdProvider(resolver_type=ResolverType.FILE, offline_flag_source_path=str(path))
        api.set_provider_and_wait(provider)
        client = api.get_client()
        return [
            client.get_object_details(key, {}, EvaluationContext(unit, dict(attributes or {})))
            for unit in units
        ]

    yield details
    api.shutdown()
