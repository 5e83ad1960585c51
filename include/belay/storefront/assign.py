"""Who sees what: assignment through OpenFeature, from the flagd file that Belay writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from belay.domain.proposal import CONTROL


class Assigner:
    """Asks the real OpenFeature provider, once a unit and version of the flags file.

    Assignment is sticky, so an answer holds until the file changes; then everybody is asked anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._version: tuple[int, int] | None = None
        self._client: Any = None
        self._known: dict[str, dict[str, str]] = {}

    def live(self) -> dict[str, str]:
        """Return the flags that are shown to anybody, by the surface they show on."""
        self._refresh()
        if self._version is None:
            return {}
        flags = json.loads(self.path.read_text())["flags"]
        about = {key: flag.get("metadata", {}) for key, flag in flags.items()}
        return {
            said.get("belay_surface", ""): key
            for key, said in about.items()
            if said.get("belay_scope", 0) > 0
        }

    def variants(self, flag: str, units: list[str], attributes: Mapping[str, list[str]]) -> list[str]:
        """Return the variant that each of ``units`` sees of ``flag``, given its attributes."""
        from openfeature.evaluation_context import EvaluationContext

        self._refresh()
        if self._client is None:
            return [CONTROL] * len(units)
        known = self._known.setdefault(flag, {})
        for index, unit in enumerate(units):
            if unit not in known:
                own = {name: values[index] for name, values in attributes.items()}
                details = self._client.get_object_details(flag, {}, EvaluationContext(unit, own))
                known[unit] = details.variant or CONTROL
        return [known[unit] for unit in units]

    def close(self) -> None:
        """Stop the provider's thread."""
        if self._client is not None:
            from openfeature import api

            api.shutdown()
            self._client = None

    def _refresh(self) -> None:
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            return
        version = (stat.st_mtime_ns, stat.st_ino)
        if version == self._version:
            return
        from openfeature import api
        from openfeature.contrib.provider.flagd import FlagdProvider
        from openfeature.contrib.provider.flagd.config import ResolverType

        # The provider polls its file every few seconds of wall-clock time, which can be days of a fast
        # simulation. A new provider reads at once.
        self.close()
        api.set_provider_and_wait(
            FlagdProvider(resolver_type=ResolverType.FILE, offline_flag_source_path=str(self.path))
        )
        self._client, self._version, self._known = api.get_client(), version, {}
