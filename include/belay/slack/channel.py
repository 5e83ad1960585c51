"""Belay's side of a Slack channel: one message a subject, found again rather than posted twice.

Posting has no idempotency key in Slack, so every message carries its name in its metadata, and is looked
up before it is posted: a retried post finds what was posted before it was interrupted, and a second
process finds what the first one posted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import ClientError
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.builtin_handlers import ConnectionErrorRetryHandler, RateLimitErrorRetryHandler

EVENT_TYPE = "belay"
"""Metadata event type of everything that Belay posts."""

_HISTORY_PAGES = 5
_SERVER_ERROR = 500
T = TypeVar("T")
AWAY = (SlackClientError, ClientError, OSError)
"""What the clients raise when Slack does not answer, or says no (TimeoutError is an OSError)."""


class SlackUnavailableError(Exception):
    """Slack cannot be reached, or says no; the message says what it said. The other channels still work.

    ``unreachable`` is true where asking for something else would be answered as little.
    """

    def __init__(self, message: str, *, unreachable: bool = False) -> None:
        super().__init__(message)
        self.unreachable = unreachable


@dataclass(frozen=True, slots=True)
class Posted:
    """Where a message is, and what its metadata says besides its name."""

    channel: str
    ts: str
    payload: Mapping[str, Any]


def web_client(token: str, api_url: str) -> WebClient:
    """Return a client that honours rate limits (``Retry-After``) and retries broken connections."""
    client = WebClient(token=token, base_url=api_url, timeout=10)
    client.retry_handlers = [
        ConnectionErrorRetryHandler(max_retry_count=2),
        RateLimitErrorRetryHandler(max_retry_count=3),
    ]
    return client


class SlackChannel:
    """Posts, updates and threads in one channel. Every method raises `SlackUnavailableError`."""

    def __init__(self, client: WebClient, channel: str) -> None:
        self.client = client
        self.channel = channel

    def show(self, name: str, message: Mapping[str, Any], found: Posted | None, **payload: str) -> Posted:
        """Make the message called ``name`` be ``message``: updated where it is, posted where it is not.

        Parameters
        ----------
        message
            ``text`` and ``blocks``.
        found
            Where it is, from `find`.
        payload
            What its metadata keeps besides the name.
        """
        metadata = {"event_type": EVENT_TYPE, "event_payload": {"name": name, **payload}}
        content = {**message, "metadata": metadata}
        if found is not None:
            _asked(lambda: self.client.chat_update(channel=found.channel, ts=found.ts, **content))
            return Posted(found.channel, found.ts, metadata["event_payload"])  # type: ignore[arg-type]
        sent = _asked(
            lambda: self.client.chat_postMessage(
                channel=self.channel, **content, unfurl_links=False, unfurl_media=False
            )
        )
        return self.find(name) or Posted(str(sent["channel"]), str(sent["ts"]), payload)

    def find(self, name: str) -> Posted | None:
        """Return where the message called ``name`` is; of two that were posted at once, the first stays."""
        return self._first(name, _asked(lambda: list(self._recent())))

    def named(self) -> dict[str, Posted]:
        """Return where every message of ours is that the channel's recent history holds."""
        recent = _asked(lambda: list(self._recent()))
        return {name: posted for name in {n for n, _ in recent} if (posted := self._first(name, recent))}

    def threaded(self, posted: Posted) -> set[str]:
        """Return the names of what stands in a message's thread already."""
        return {named for named, _ in self._replies(posted)}

    def thread(self, posted: Posted, name: str, text: str) -> None:
        """Add a line (mrkdwn) called ``name`` to a message's thread; of two at once, the first stays."""
        metadata = {"event_type": EVENT_TYPE, "event_payload": {"name": name}}
        _asked(
            lambda: self.client.chat_postMessage(
                channel=posted.channel, thread_ts=posted.ts, text=text, metadata=metadata
            )
        )
        self._first(name, self._replies(posted))

    def upload(self, png: bytes, name: str, alt_text: str) -> str:
        """Upload a picture for an image block, and return its file id.

        Slack cannot fetch pictures of a private server: a ticket, the bytes, and the completion.
        """

        def send() -> str:
            import requests

            ticket = self.client.files_getUploadURLExternal(filename=name, length=len(png), alt_txt=alt_text)
            requests.post(str(ticket["upload_url"]), data=png, timeout=20).raise_for_status()
            self.client.files_completeUploadExternal(files=[{"id": str(ticket["file_id"]), "title": name}])
            return str(ticket["file_id"])

        return _asked(send)

    def members(self, group: str) -> frozenset[str]:
        """Return the member ids of a user group."""
        answer = _asked(lambda: self.client.usergroups_users_list(usergroup=group))
        return frozenset(map(str, answer.get("users", [])))

    def _first(self, name: str, messages: list[tuple[str, Posted]]) -> Posted | None:
        mine = sorted((posted for named, posted in messages if named == name), key=lambda posted: posted.ts)
        for double in mine[1:]:
            with suppress(SlackUnavailableError):  # the other process has deleted it
                _asked(lambda ts=double.ts: self.client.chat_delete(channel=self.channel, ts=ts))  # type: ignore[misc]
        return mine[0] if mine else None

    def _replies(self, posted: Posted) -> list[tuple[str, Posted]]:
        answer = _asked(
            lambda: self.client.conversations_replies(
                channel=posted.channel, ts=posted.ts, include_all_metadata=True, limit=200
            )
        )
        return list(_named(answer.get("messages", []), posted.channel))

    def _recent(self) -> Iterator[tuple[str, Posted]]:
        cursor: str | None = None
        for _ in range(_HISTORY_PAGES):
            page = self.client.conversations_history(
                channel=self.channel, include_all_metadata=True, limit=200, cursor=cursor
            )
            yield from _named(page.get("messages", []), self.channel)
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return


def _named(messages: list[dict[str, Any]], channel: str) -> Iterator[tuple[str, Posted]]:
    for message in messages:
        metadata = message.get("metadata") or {}
        payload = metadata.get("event_payload") or {}
        if metadata.get("event_type") == EVENT_TYPE and payload.get("name"):
            yield str(payload["name"]), Posted(channel, str(message["ts"]), payload)


def _asked(call: Callable[[], T]) -> T:
    """Return what Slack answers.

    Raises
    ------
    SlackUnavailableError
        When it does not answer or refuses.
    """
    try:
        return call()
    except SlackApiError as error:
        raise SlackUnavailableError(
            f"Slack says {_words(error)}", unreachable=error.response.status_code >= _SERVER_ERROR
        ) from error
    except (SlackClientError, OSError) as error:
        raise SlackUnavailableError(f"Slack cannot be reached: {error}", unreachable=True) from error


def _words(error: SlackApiError) -> str:
    """Return Slack's own word for what is wrong; a gateway before it answers with no JSON."""
    said = error.response.get("error") if isinstance(error.response.data, dict) else None
    return str(said or f"no ({error.response.status_code})")
