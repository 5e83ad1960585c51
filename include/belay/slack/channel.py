"""Belay's side of a Slack channel: one message a subject, never posted twice.

Posting has no idempotency key in Slack. So who posts says so in the store first, and writes down where it
went; every message carries its name in its metadata as well, by which it is found where the store was lost
or nobody knows whether Slack took it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import requests
from slack_sdk import WebClient

from belay.slack.client import SlackUnavailableError, asked, web_client
from belay.slack.history import EVENT_TYPE, HistorySearch, thread_name
from belay.slack.message_store import Claim, MessageStore, Posted
from belay.slack.text import mrkdwn

_MOST_TEXT = 3900
"""Characters of a message's text; Slack cuts it at 4,000."""
_GONE = frozenset({"message_not_found", "channel_not_found"})
_UPLOAD_SECONDS = 20
_CLOCKS_DIFFER = timedelta(minutes=5)
_log = logging.getLogger(__name__)


class NotKnownYetError(Exception):
    """It may be in the channel already: its history is read first."""


class SlackChannel:
    """Posts, updates and threads in one channel. Every method raises `SlackUnavailableError`."""

    def __init__(self, client: WebClient, channel: str, store: MessageStore | None = None) -> None:
        """Use ``client``, which must not wait (`prompt_client`); without a ``store`` memory has to do."""
        self.client = client
        self.channel = channel
        self.store = store or MessageStore(None, channel)
        self._patient = web_client(client.token or "", client.base_url)
        self._search: HistorySearch | None = None
        self._blind = False  # Slack does not let us read the history: what the store knows has to do

    def look_up(self, oldest: datetime) -> None:
        """Find again what the store does not know (any more), as far as Slack lets it; waits for nothing.

        Parameters
        ----------
        oldest
            No message that matters is older.
        """
        doubts = self.store.begun()
        if self._search is None:
            if (self.store.complete or self._blind) and not doubts:
                return
            since = min(doubts.values(), default=oldest) - _CLOCKS_DIFFER if self.store.complete else oldest
            self._search = HistorySearch(self.client, self.channel, self.store, since)
        try:
            if not self._search.go_on():
                return
        except SlackUnavailableError as error:
            if error.unreachable:
                raise
            _log.warning("what was posted before is not looked up: %s", error)
            self._blind = True
        else:
            self.store.completed()
        for name, began in doubts.items():  # not found: it was never posted
            if began < self._search.began and self.store.get(name) is None:
                self.store.forget(name)
        self._search = None

    def find(self, name: str) -> Posted | None:
        """Return where the message called ``name`` is; None where it is not known to be posted."""
        return self.store.get(name)

    def show(
        self,
        name: str,
        message: Mapping[str, Any],
        *,
        shown: str = "",
        born: datetime | None = None,
        **payload: str,
    ) -> Posted:
        """Make the message called ``name`` be ``message``: updated where it is, posted where it is not.

        Parameters
        ----------
        message
            ``text`` and ``blocks``.
        shown
            Digest of what it shows, to be remembered.
        born
            Since when there is something to post: what came up after the history began to be read is not in
            it. None where that does not say.
        payload
            What is remembered besides, here and in its metadata.

        Raises
        ------
        NotKnownYetError
            When it may have been posted: the next `look_up` says.
        """
        content = {
            "text": mrkdwn(message["text"], _MOST_TEXT),
            "blocks": message["blocks"],
            "metadata": {"event_type": EVENT_TYPE, "event_payload": {"name": name, **payload}},
        }
        found = self.store.get(name)
        if found is not None:
            try:
                asked(lambda: self.client.chat_update(channel=found.channel, ts=found.ts, **content))
            except SlackUnavailableError as error:
                if error.error in _GONE:
                    self.store.forget(name)  # somebody deleted it
                raise
            posted = replace(found, payload={**found.payload, **payload}, shown=shown)
            self.store.put(name, posted)
            return posted
        posted = self._post(name, content, born)
        posted = replace(posted, payload=payload, shown=shown)
        self.store.put(name, posted)
        return posted

    def remember(self, name: str, **payload: str) -> None:
        """Remember more of a message than it shows."""
        if (found := self.store.get(name)) is not None:
            self.store.put(name, replace(found, payload={**found.payload, **payload}))

    def thread(
        self, message: str, posted: Posted, line: str, text: str, *, born: datetime | None = None
    ) -> None:
        """Add a line to a message's thread, once; it is called ``line``. ``born`` is the message's."""
        name = thread_name(message, line)
        if self.store.get(name) is not None:
            return
        content = {
            "text": mrkdwn(text, _MOST_TEXT),
            "thread_ts": posted.ts,
            "metadata": {"event_type": EVENT_TYPE, "event_payload": {"name": line}},
        }
        self.store.put(name, self._post(name, content, born))

    def upload(self, png: bytes, name: str, alt_text: str) -> str:
        """Upload a picture for an image block, and return its file id; it may take Slack a while to show it.

        Slack cannot fetch pictures of a private server: a ticket, the bytes, and the completion.
        """
        ticket = asked(
            lambda: self.client.files_getUploadURLExternal(filename=name, length=len(png), alt_txt=alt_text)
        )
        answer = asked(lambda: requests.post(str(ticket["upload_url"]), data=png, timeout=_UPLOAD_SECONDS))
        if not answer.ok:
            raise SlackUnavailableError(f"Slack answers {answer.status_code} to the bytes of an upload")
        file = str(ticket["file_id"])
        asked(lambda: self.client.files_completeUploadExternal(files=[{"id": file, "title": name}]))
        return file

    def members(self, group: str) -> frozenset[str]:
        """Return the member ids of a user group."""
        answer = asked(lambda: self._patient.usergroups_users_list(usergroup=group))
        return frozenset(map(str, answer.get("users", [])))

    def _post(self, name: str, content: Mapping[str, Any], born: datetime | None) -> Posted:
        """Post something that is not there, and return where it went."""
        if not self._is_new(born):
            raise NotKnownYetError(f"{name} may be in the channel already")
        match self.store.claim(name):
            case Claim.TAKEN:
                raise NotKnownYetError(f"another watcher posts {name}")
            case Claim.IN_DOUBT:
                raise NotKnownYetError(f"{name} may be posted already")
        try:
            sent = asked(
                lambda: self.client.chat_postMessage(
                    channel=self.channel, **content, unfurl_links=False, unfurl_media=False
                )
            )
        except SlackUnavailableError as error:
            if error.unreachable and error.retry_after is None:
                self.store.doubt(name)  # it may have been taken all the same
            else:
                self.store.forget(name)
            raise
        return Posted(str(sent["channel"]), str(sent["ts"]))

    def _is_new(self, born: datetime | None) -> bool:
        """Return whether the channel's history cannot hold it without the store knowing."""
        if self.store.complete or self._blind:
            return True
        return self._search is not None and born is not None and born > self._search.began
