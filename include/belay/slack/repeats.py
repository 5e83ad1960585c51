"""The same request of Slack arriving twice: its second copy is met with silence.

Slack sends an envelope again when a connection broke before it was acknowledged, to this process or to
another one. Each press and each command has a trigger of its own, by which its copies are told.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import Any

from belay.ledger.errors import LedgerError
from belay.slack.message_store import Claim, MessageStore, Posted

_MOST = 10_000
_WHOSE = ("user", "view")


class Repeats:
    """The requests that were heard: by this process, and by others where the store is asked."""

    def __init__(self, store: MessageStore) -> None:
        self._store = store
        self._heard: OrderedDict[str, None] = OrderedDict()
        self._turn = Lock()

    def again(self, request: Mapping[str, Any]) -> bool:
        """Return whether this process has heard ``request`` before; one without a trigger is always new."""
        key = _key(request)
        if key is None:
            return False
        with self._turn:
            if key in self._heard:
                return True
            self._heard[key] = None
            while len(self._heard) > _MOST:
                self._heard.popitem(last=False)
        return False

    def elsewhere(self, request: Mapping[str, Any]) -> bool:
        """Return whether another process has heard ``request``; what cannot be asked counts as new."""
        key = _key(request)
        if key is None:
            return False
        name = f"heard {key}"
        try:
            if self._store.claim(name) is not Claim.MINE:
                return True
            self._store.put(name, Posted("", "heard"))
        except LedgerError:
            return False
        return False


def _key(request: Mapping[str, Any]) -> str | None:
    trigger = request.get("trigger_id")
    if not trigger:
        return None
    user, view = (found.get("id") if isinstance(found := request.get(of), dict) else "" for of in _WHOSE)
    told_by = repr((trigger, request.get("user_id") or user, view))
    return hashlib.sha256(told_by.encode("utf-8", "replace")).hexdigest()
