"""Keep Slack in step with the ledger: ask what is open, show what was answered, say how it ended.

Nothing waits for Slack. The watcher reads the ledger, so that what happened while Slack (or the watcher)
was away is shown when it is back; and posting twice is avoided by looking the message up first.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from belay.approval.card import Card, build_card, build_promotion_card
from belay.domain.gates import Gate
from belay.domain.state import RequestState, RequestStatus
from belay.ledger.store import LedgerError
from belay.slack.channel import SlackChannel, SlackUnavailableError
from belay.slack.message import vote_line

if TYPE_CHECKING:
    from belay.domain.state import State
    from belay.services import Services

_log = logging.getLogger(__name__)


class Watcher:
    """Shows the requests of one ledger in one Slack channel.

    Remembers what it showed, so that a tick costs Slack nothing when nothing changed; a new watcher looks
    its messages up.
    """

    def __init__(self, belay: Services, channel: SlackChannel, pages: str) -> None:
        self.belay = belay
        self.channel = channel
        self._pages = pages.rstrip("/")
        self._shown: dict[str, tuple[RequestStatus, int]] = {}

    def tick(self) -> list[str]:
        """Show every request whose message is not up to date; return their names.

        A request that had ended before this watcher first saw it is not posted any more, only brought up
        to date where its message is.
        """
        state, changed = self.belay.ledger.state(), []
        for request in sorted(state.requests.values(), key=lambda r: r.asked_at):
            stands = (request.status, len(request.votes))
            if self._shown.get(request.id) == stands:
                continue
            try:
                self._show(state, request)
            except SlackUnavailableError as error:
                _log.warning("%s is not shown in Slack yet: %s", request.id, error)
                continue
            self._shown[request.id] = stands
            changed.append(request.id)
        return changed

    def _show(self, state: State, request: RequestState) -> None:
        first_seen = request.id not in self._shown
        if first_seen and request.status is not RequestStatus.OPEN and self.channel.find(request.id) is None:
            return
        card = self.card(state, request)
        page = f"review/{request.optimization}/{request.step}"
        if request.promotes:
            page = f"capability/{request.capability}"
        address = f"{self._pages}/{page}"
        posted = self.channel.show(card, review_url=address)
        known = 0 if first_seen else self._shown[request.id][1]
        for vote in card.votes[known:]:
            self.channel.thread(posted, vote_line(vote))

    def card(self, state: State, request: RequestState) -> Card:
        """Return what people see of ``request``."""
        if request.promotes:
            return self._promotion_card(state, request)
        optimization = state.optimizations[request.optimization]
        step = optimization.step
        review = step.gates.get(Gate.REVIEW) if step else None
        document = None
        if (evidence := request.evidence or (review.evidence if review else None)) is not None:
            try:
                document = self.belay.ledger.get_evidence(evidence)
            except LedgerError as error:
                _log.warning("the review of %s cannot be shown: %s", request.id, error)
        return build_card(
            request=request,
            optimization=optimization,
            capability=state.capabilities[request.capability],
            review=document,
            roster=self.belay.roster(),
            ledger_head=self.belay.ledger.head(),
        )

    def _promotion_card(self, state: State, request: RequestState) -> Card:
        document = None
        if request.evidence is not None:
            try:
                document = self.belay.ledger.get_evidence(request.evidence)
            except LedgerError as error:
                _log.warning("the record behind %s cannot be shown: %s", request.id, error)
        return build_promotion_card(
            request=request,
            capability=state.capabilities[request.capability],
            review=document,
            roster=self.belay.roster(),
            ledger_head=self.belay.ledger.head(),
        )
