"""Belay's side of a Slack channel: one message a request, found again rather than posted twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.builtin_handlers import ConnectionErrorRetryHandler, RateLimitErrorRetryHandler

from belay.approval.card import Card
from belay.slack.message import EVENT_TYPE, request_message

_HISTORY_PAGES = 5


class SlackUnavailableError(Exception):
    """Slack cannot be reached, or says no; the message says what it said. The other channels still work."""


@dataclass(frozen=True, slots=True)
class Posted:
    """Where a request's message is."""

    channel: str
    ts: str


def web_client(token: str, api_url: str) -> WebClient:
    """Return a client that honours rate limits (``Retry-After``) and retries broken connections."""
    client = WebClient(token=token, base_url=api_url, timeout=10)
    client.retry_handlers = [
        ConnectionErrorRetryHandler(max_retry_count=2),
        RateLimitErrorRetryHandler(max_retry_count=3),
    ]
    return client


class SlackChannel:
    """Posts, updates and threads the requests of one channel."""

    def __init__(self, client: WebClient, channel: str) -> None:
        self.client = client
        self.channel = channel

    def show(self, card: Card, *, review_url: str, picture: str | None = None) -> Posted:
        """Make the request's message show ``card``: updated where it exists, posted where it does not.

        Posting has no idempotency key in Slack, so the message is looked up by its metadata first; a
        retried task finds what it posted before it was interrupted.

        Raises
        ------
        SlackUnavailableError
            When Slack does not answer or refuses.
        """
        message = request_message(card, review_url=review_url, picture=picture)
        found = self.find(card.request)
        try:
            if found is None:
                sent = self.client.chat_postMessage(channel=self.channel, **message)
                return Posted(str(sent["channel"]), str(sent["ts"]))
            self.client.chat_update(channel=found.channel, ts=found.ts, **_updatable(message))
        except (SlackClientError, OSError) as error:
            raise _unavailable(error) from error
        return found

    def find(self, request: str) -> Posted | None:
        """Return where the message of ``request`` is, if it was posted."""
        try:
            for message in self._recent():
                metadata = message.get("metadata") or {}
                mine = metadata.get("event_type") == EVENT_TYPE
                if mine and metadata.get("event_payload", {}).get("request") == request:
                    return Posted(self.channel, str(message["ts"]))
        except (SlackClientError, OSError) as error:
            raise _unavailable(error) from error
        return None

    def thread(self, posted: Posted, text: str) -> None:
        """Add a line to the request's thread."""
        try:
            self.client.chat_postMessage(channel=posted.channel, thread_ts=posted.ts, text=text)
        except (SlackClientError, OSError) as error:
            raise _unavailable(error) from error

    def upload(self, png: bytes, name: str, alt_text: str) -> str:
        """Upload a picture for an image block, and return its file id."""
        try:
            ticket = self.client.files_getUploadURLExternal(filename=name, length=len(png), alt_txt=alt_text)
            import requests

            answer = requests.post(str(ticket["upload_url"]), data=png, timeout=20)
            answer.raise_for_status()
            self.client.files_completeUploadExternal(files=[{"id": str(ticket["file_id"]), "title": name}])
        except (SlackClientError, OSError) as error:
            raise _unavailable(error) from error
        return str(ticket["file_id"])

    def _recent(self) -> Iterator[dict[str, Any]]:
        cursor: str | None = None
        for _ in range(_HISTORY_PAGES):
            page = self.client.conversations_history(
                channel=self.channel, include_all_metadata=True, limit=200, cursor=cursor
            )
            yield from page.get("messages", [])
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return


def _updatable(message: dict[str, Any]) -> dict[str, Any]:
    return {name: message[name] for name in ("text", "blocks", "metadata")}


def _unavailable(error: Exception) -> SlackUnavailableError:
    if isinstance(error, SlackApiError):
        return SlackUnavailableError(f"Slack says {error.response.get('error', 'no')}")
    return SlackUnavailableError(f"Slack cannot be reached: {error}")
