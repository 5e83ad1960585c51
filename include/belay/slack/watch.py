"""Keep Slack in step with the ledger: ask what is open, show what was answered, say how it ended.

Nothing waits for Slack. The watcher reads the ledger, so that what happened while Slack (or the watcher)
was away is shown when it is back; and nothing is posted twice, because it is looked up first.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from belay.approval.card import Card, build_card
from belay.domain.gates import Gate
from belay.domain.oversight import Oversight
from belay.domain.state import OptimizationState, RequestState, RequestStatus
from belay.ledger.store import LedgerError
from belay.slack.channel import Posted, SlackChannel, SlackUnavailableError
from belay.slack.message import inform_message, request_message
from belay.slack.thread import Line, lines

if TYPE_CHECKING:
    from belay.domain.state import State
    from belay.services import Services

_log = logging.getLogger(__name__)
_NO_PICTURE = "none"


class Watcher:
    """Shows the requests of one ledger in one Slack channel.

    Remembers what it showed, so that a tick costs Slack nothing when nothing changed; a new watcher looks
    its messages up.

    Attributes
    ----------
    away : str
        What Slack said when it could not be reached last; empty while all is well.
    """

    def __init__(self, belay: Services, channel: SlackChannel, pages: str) -> None:
        self.belay = belay
        self.channel = channel
        self.away = ""
        self._pages = pages.rstrip("/")
        self._shown: dict[str, tuple[object, ...]] = {}
        self._posted: dict[str, Posted] = {}

    def tick(self) -> list[str]:
        """Show everything whose message is not up to date; return the names of what was brought up to date.

        A request that had ended before this watcher first saw it is not posted any more, only brought up
        to date where its message is.
        """
        state, changed = self.belay.ledger.state(), []
        self.away = ""
        for request in sorted(state.requests.values(), key=lambda request: request.asked_at):
            if self._up_to_date(request.id, _standing(request)):
                continue
            if self._tried(request.id, lambda r=request: self._show(state, r), _standing(request)):
                changed.append(request.id)
        for name, known in _informed(state):
            if self._up_to_date(name, ()):
                continue
            if self._tried(name, lambda n=name, k=known: self._inform(state, n, k), ()):
                changed.append(name)
        return changed

    def card(self, state: State, request: RequestState) -> Card:
        """Return what people see of ``request``."""
        return build_card(
            request=request,
            optimization=state.optimizations.get(request.optimization),
            capability=state.capabilities[request.capability],
            review=self._review(request.evidence, request.id),
            roster=self.belay.roster(),
            ledger_head=self.belay.ledger.head(),
        )

    def page_of(self, request: RequestState) -> str:
        """Return the address of the page that a request rests on."""
        if request.promotes:
            return f"{self._pages}/capability/{request.capability}"
        return f"{self._pages}/review/{request.optimization}/{request.step}"

    # -- inside ---------------------------------------------------------------------------------

    def _up_to_date(self, name: str, standing: tuple[object, ...]) -> bool:
        return self._shown.get(name) == standing

    def _tried(self, name: str, show: Any, standing: tuple[object, ...]) -> bool:
        try:
            show()
        except SlackUnavailableError as error:
            self.away = str(error)
            _log.warning("%s is not shown in Slack yet: %s", name, error)
            return False
        self._shown[name] = standing
        return True

    def _show(self, state: State, request: RequestState) -> None:
        found = self._posted.get(request.id) or self.channel.find(request.id)
        if found is None and request.status is not RequestStatus.OPEN:
            return
        card = self.card(state, request)
        picture = self._picture(request, found)
        message = request_message(card, review_url=self.page_of(request), picture=picture)
        posted = self.channel.show(request.id, message, found, picture=picture or _NO_PICTURE)
        self._posted[request.id] = posted
        self._thread(posted, list(lines(card, self.belay.roster(), request)), known=found is None)

    def _thread(self, posted: Posted, wanted: list[Line], *, known: bool) -> None:
        """Add the lines that are not there. ``known`` means that the message is new: nothing is there."""
        there = set() if known or not wanted else self.channel.threaded(posted)
        for line in wanted:
            if line.name not in there:
                self.channel.thread(posted, line.name, line.text)

    def _picture(self, request: RequestState, found: Posted | None) -> str | None:
        """Return the id of the request's picture, uploaded once; None where there is nothing to show."""
        if found is not None and (known := found.payload.get("picture")):
            return None if known == _NO_PICTURE else str(known)
        document = self._review(request.evidence, request.id)
        if document is None or document.get("kind") != "review":
            return None
        from belay.review.picture import alt_text, picture

        png = picture(document)
        return self.channel.upload(png, f"{request.id}.png", alt_text(document)[:1000]) if png else None

    def _inform(self, state: State, name: str, known: OptimizationState) -> None:
        if self.channel.find(name) is not None or known.grant is None:
            return
        step = known.grant.step
        message = inform_message(
            known,
            state.capabilities[known.capability],
            self._review(_evidence_of(known), name) or {},
            review_url=f"{self._pages}/review/{known.id}/{step}",
        )
        self.channel.show(name, message, None)

    def _review(self, evidence: str | None, name: str) -> dict[str, Any] | None:
        if evidence is None:
            return None
        try:
            document: dict[str, Any] = self.belay.ledger.get_evidence(evidence)
        except LedgerError as error:
            _log.warning("the review of %s cannot be shown: %s", name, error)
            return None
        return document


def _standing(request: RequestState) -> tuple[object, ...]:
    return (request.status, len(request.votes), request.reminded, request.escalated)


def _informed(state: State) -> Iterator[tuple[str, OptimizationState]]:
    """Yield what people are told and not asked about, by the name of its grant."""
    for known in state.optimizations.values():
        grant = known.grant
        if grant is not None and grant.oversight is Oversight.INFORM and grant.id not in state.requests:
            yield grant.id, known


def _evidence_of(known: OptimizationState) -> str | None:
    review = known.step.gates.get(Gate.REVIEW) if known.step else None
    return review.evidence if review else None
