"""Who sees what: assignment through OpenFeature, from the flagd file that Belay writes."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from belay.domain.proposal import CONTROL

_REMEMBERED = 500_000
"""Units whose answer is kept; asked again they get the same one."""


class Assigner:
    """Asks OpenFeature's flagd provider, once a unit and version of the flags file.

    Assignment is sticky, so an answer holds until the file changes; then everybody is asked anew. A file
    that is missing or cannot be understood changes nothing: like any SDK, it goes on with what it read last.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._version: tuple[int, int] | None = None
        self._live: dict[str, tuple[str, ...]] = {}
        self._client: Any = None
        self._known: dict[str, dict[str, str]] = {}

    def live(self) -> dict[str, tuple[str, ...]]:
        """Read the flags as they are now; return those shown to anybody, by the surface they show on.

        A surface shows everything that completed there beside the one that climbs, in the order of names.
        """
        self._refresh()
        return self._live

    def variants(self, flag: str, units: list[str], attributes: Mapping[str, list[str]]) -> list[str]:
        """Return the variant that each of ``units`` sees of ``flag``, given its attributes.

        The flags are the ones that ``live`` read last.
        """
        from openfeature.evaluation_context import EvaluationContext
        from openfeature.exception import OpenFeatureError

        if self._client is None:
            return [CONTROL] * len(units)
        # The provider, not its client: nobody hooks into these evaluations, and a shop does many of them.
        resolve = self._client.provider.resolve_object_details
        known = self._known.setdefault(flag, {})
        if len(known) > _REMEMBERED:
            known.clear()
        for index, unit in enumerate(units):
            if unit not in known:
                own = {name: values[index] for name, values in attributes.items()}
                try:
                    known[unit] = resolve(flag, {}, EvaluationContext(unit, own)).variant or CONTROL
                except OpenFeatureError:
                    known[unit] = CONTROL
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
            version = (stat.st_mtime_ns, stat.st_ino)
            if version == self._version:
                return
            live = _live(json.loads(self.path.read_text()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
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
        self._client, self._version, self._live, self._known = api.get_client(), version, live, {}


def _live(document: Any) -> dict[str, tuple[str, ...]]:
    shown = defaultdict[str, list[str]](list)
    for key, flag in sorted(document["flags"].items()):
        said = flag.get("metadata", {})
        if said.get("belay_scope", 0) > 0:
            shown[said.get("belay_surface", "")].append(key)
    return {surface: tuple(keys) for surface, keys in shown.items()}
