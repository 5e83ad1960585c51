"""The pictures of messages: they follow the message, are uploaded a few times at most, and may fail.

Slack finishes an upload after it has said that it is complete: until then a message that shows the file is
refused with ``invalid_blocks``. So the file is kept and shown again later, never uploaded anew for that.
Contract: https://docs.slack.dev/messaging/working-with-files
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from belay.slack.channel import NotKnownYetError, SlackChannel
from belay.slack.client import SlackUnavailableError
from belay.slack.history import thread_name
from belay.slack.message_store import Claim, Posted

NO_PICTURE = "none"
INVALID_BLOCKS = "invalid_blocks"
_UPLOADS = 3
"""How often a picture is uploaded at most, over all watchers and restarts."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_TRIES = 20
"""How often a file that is there is offered to a message: about a quarter of an hour in all."""
_REFUSED_SECONDS = 600.0
"""How long nothing is uploaded after Slack has said that this app may not."""
_MAY_NOT = frozenset({"missing_scope", "not_allowed_token_type", "not_allowed", "no_permission"})
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Next:
    """When a picture is tried again, and how often it was."""

    at: float = 0.0
    tries: int = 0

    def later(self) -> None:
        """Wait twice as long as before."""
        self.at = time.monotonic() + min(_FIRST_PAUSE * 2**self.tries, _LONGEST_PAUSE)
        self.tries += 1


class Pictures:
    """The pictures of one channel's messages. Nothing of it raises for Slack."""

    def __init__(self, channel: SlackChannel) -> None:
        self._channel = channel
        self._next: dict[str, _Next] = {}
        self._settled: set[str] = set()
        self._no_uploads_before = 0.0

    @staticmethod
    def in_use(posted: Posted | None) -> str | None:
        """Return the file that a message shows; None where it shows none (yet)."""
        picture = str(posted.payload.get("picture") or NO_PICTURE) if posted else NO_PICTURE
        return None if picture == NO_PICTURE else picture

    def ready(self, name: str, review: Callable[[], Mapping[str, Any] | None]) -> str | None:
        """Return the file to add to the message ``name`` now, uploaded where it has to be.

        Parameters
        ----------
        review
            Gives the document to be drawn, or None.
        """
        if name in self._settled:
            return None
        following = self._next.setdefault(name, _Next())
        posted = self._channel.find(name)
        if posted is None or time.monotonic() < following.at:
            return None
        if posted.payload.get("picture"):
            self._settled.add(name)
            return None
        return str(posted.payload.get("file") or "") or self._uploaded(name, posted, review)

    def add(self, name: str, message: Mapping[str, Any], picture: str) -> None:
        """Make the message ``name`` show its picture."""
        posted = self._channel.find(name)
        if posted is None:
            return
        following = self._next[name]
        try:
            self._channel.show(name, message, shown=posted.shown, picture=picture)
        except NotKnownYetError:
            following.later()
        except SlackUnavailableError as error:
            following.later()
            if error.error == INVALID_BLOCKS and following.tries >= _TRIES:
                _log.warning("%s stays without its picture %s: %s", name, picture, error)
                self._channel.remember(name, picture=NO_PICTURE)
            else:
                _log.info("the picture %s of %s cannot be shown yet: %s", picture, name, error)

    def _uploaded(
        self, name: str, posted: Posted, review: Callable[[], Mapping[str, Any] | None]
    ) -> str | None:
        """Upload a picture, and return its file; the message remembers each try, and then the file."""
        if time.monotonic() < self._no_uploads_before:
            return None
        uploads = int(posted.payload.get("uploads") or 0)
        if uploads >= _UPLOADS:
            self._settled.add(name)
            return None
        document = review()
        png, alt_text = _drawn(document) if document is not None else (None, "")
        if png is None:
            self._channel.remember(name, picture=NO_PICTURE)
            self._settled.add(name)
            return None
        if not self._claimed(name):
            return None
        self._channel.remember(name, uploads=str(uploads + 1))
        try:
            file = self._channel.upload(png, f"{name}.png", alt_text)
            self._channel.remember(name, file=file)
        except SlackUnavailableError as error:
            _log.warning("%s stands without its picture: %s", name, error)
            self._refused(name, error, uploads)
            return None
        finally:
            self._channel.store.forget(thread_name(name, "picture"))
        return file

    def _claimed(self, name: str) -> bool:
        """Return whether this watcher uploads it; one that began and ended is followed by another."""
        claim = thread_name(name, "picture")
        claimed = self._channel.store.claim(claim)
        if claimed is Claim.IN_DOUBT:
            self._channel.store.forget(claim)  # and taken up at the next turn
        return claimed is Claim.MINE

    def _refused(self, name: str, error: SlackUnavailableError, uploads: int) -> None:
        """Come back later; what says nothing of this picture does not count as a try of it."""
        self._next[name].later()
        if error.error in _MAY_NOT or error.retry_after is not None:
            self._channel.remember(name, uploads=str(uploads))
            self._no_uploads_before = time.monotonic() + (error.retry_after or _REFUSED_SECONDS)


def _drawn(document: Mapping[str, Any]) -> tuple[bytes | None, str]:
    """Return a review's picture as PNG, and what it shows in words; None where there is nothing to show."""
    if document.get("kind") != "review":
        return None, ""
    from belay.review.picture import alt_text, picture

    return picture(document), alt_text(document)[:1000]
