"""Our messages in a channel's history: read only where the store that remembers them was lost.

Slack allows about fifty calls a minute. The search is a page at a time and remembers where it is, so that
whoever runs it never sleeps: it stops where Slack says so and goes on when it may.
Contract: https://docs.slack.dev/reference/methods/conversations.history
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from slack_sdk import WebClient

from belay.slack.client import SlackUnavailableError, asked
from belay.slack.message_store import MessageStore, Posted

EVENT_TYPE = "belay"
"""Metadata event type of everything that Belay posts."""
_PAGE = 200
_PAGES_AT_ONCE = 10


def thread_name(message: str, line: str) -> str:
    """Return by which name a line of a message's thread is remembered."""
    return f"{message}#{line}"


class HistorySearch:
    """Finds what Belay posted since ``oldest``, with the lines of its threads, and puts it into the store.

    Attributes
    ----------
    began : datetime
        What came up later cannot be in the history that is read, unless the store knows it.
    """

    def __init__(self, client: WebClient, channel: str, store: MessageStore, oldest: datetime) -> None:
        self.began = datetime.now(UTC)
        self._client, self._channel, self._store = client, channel, store
        self._oldest = f"{oldest.timestamp():.6f}"
        self._found: dict[str, Posted] = {}
        self._threads: deque[tuple[str, Posted]] | None = None
        self._cursor: str | None = None
        self._not_before = 0.0

    def go_on(self) -> bool:
        """Read some pages more; return whether everything is read and in the store.

        Raises
        ------
        SlackUnavailableError
            When Slack does not answer, or refuses; not for too many calls, which only take longer.
        """
        for _ in range(_PAGES_AT_ONCE):
            if time.monotonic() < self._not_before:
                return False
            try:
                if self._step():
                    return True
            except SlackUnavailableError as error:
                if error.retry_after is None:
                    raise
                self._not_before = time.monotonic() + error.retry_after
        return False

    def _step(self) -> bool:
        """Read one page: of the channel first, then of each thread."""
        if self._threads is None:
            page, self._cursor = self._page(self._client.conversations_history, oldest=self._oldest)
            for name, posted in page:
                self._keep(name, posted)
            if self._cursor is None:
                self._threads = deque(self._found.items())
        elif self._threads:
            name, posted = self._threads[0]
            page, self._cursor = self._page(self._client.conversations_replies, ts=posted.ts)
            for line, reply in page:
                if reply.ts != posted.ts:
                    self._store.put(thread_name(name, line), reply)
            if self._cursor is None:
                self._threads.popleft()
        return self._threads is not None and not self._threads

    def _page(self, method: Callable[..., Any], **where: str) -> tuple[list[tuple[str, Posted]], str | None]:
        answer = asked(
            lambda: method(
                channel=self._channel, include_all_metadata=True, limit=_PAGE, cursor=self._cursor, **where
            )
        )
        cursor = (answer.get("response_metadata") or {}).get("next_cursor") or None
        return list(_named(answer.get("messages", []), self._channel)), cursor

    def _keep(self, name: str, posted: Posted) -> None:
        """Remember a message; of two of the same name the first stays, and the other is taken back."""
        if (known := self._store.get(name)) is not None and known.ts != posted.ts:
            self._found[name] = known
        other = self._found.get(name)
        if other is not None and other.ts != posted.ts:
            first, double = sorted((other, posted), key=lambda one: one.ts)
            with suppress(SlackUnavailableError):  # another watcher has deleted it
                asked(lambda: self._client.chat_delete(channel=double.channel, ts=double.ts))
            posted = first
        self._found[name] = posted
        if known is None or known.ts != posted.ts:
            self._store.put(name, replace(posted, shown=""))


def _named(messages: list[dict[str, Any]], channel: str) -> Iterator[tuple[str, Posted]]:
    for message in messages:
        metadata = message.get("metadata") or {}
        payload = dict(metadata.get("event_payload") or {})
        if metadata.get("event_type") == EVENT_TYPE and payload.get("name"):
            yield str(payload.pop("name")), Posted(channel, str(message["ts"]), payload)
