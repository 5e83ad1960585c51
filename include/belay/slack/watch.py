"""Keep Slack in step with the ledger: ask what is open, show what was answered, say how it ended.

Nothing waits for Slack. The watcher reads the ledger, so that what happened while Slack (or the watcher)
was away is shown when it is back; and nothing is posted twice, because it is looked up first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import timedelta
from functools import partial
from threading import RLock
from typing import TYPE_CHECKING, Any

from belay.approval.card import Card, build_card
from belay.approval.digest import listed, waiting_for_judgement
from belay.approval.news import News, news
from belay.domain.gates import Gate
from belay.domain.oversight import Oversight
from belay.domain.state import OptimizationState, RequestState, RequestStatus
from belay.gates.in_force import policies_in_force
from belay.gates.shadow import measure_shadows
from belay.ledger.store import LedgerError, recorded
from belay.slack.channel import Posted, SlackChannel, SlackUnavailableError
from belay.slack.message import inform_message, request_message
from belay.slack.news import news_message
from belay.slack.thread import Line, lines
from belay.slack.weekly import on_the_list, weekly_message

if TYPE_CHECKING:
    from belay.domain.state import State
    from belay.services import Services

_log = logging.getLogger(__name__)
_NO_PICTURE = "none"
_LIST = "digest-"
"""How the name of a week's list begins; the year and the week follow."""
_NEWS_FOR, _NEWS_AMONG = timedelta(days=1), 1000
"""A watcher that has just started tells what is not older, among so many of the newest entries."""


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
        self.away, self._unreachable = "", False
        self._pages = pages.rstrip("/")
        self._shown: dict[str, tuple[object, ...]] = {}
        self._posted: dict[str, Posted] = {}
        self._read_to, self._untold = 0, list[News]()
        self._measured = ""  # the list for which shadows were read last
        self._turn = RLock()  # a tick and a listener of this process take turns, message by message

    def tick(self) -> list[str]:
        """Show everything whose message is not up to date; return the names of what was brought up to date.

        A request that had ended before this watcher first saw it is not posted any more, only brought up
        to date where its message is.
        """
        state, changed, where = self.belay.ledger.state(), [], _Lookup(self.channel)
        self.away, self._unreachable = "", False
        for request in sorted(state.requests.values(), key=lambda request: request.asked_at):
            if self._asked(state, request, where):
                changed.append(request.id)
            if self._unreachable:
                return changed
        for name, known in _informed(state):
            if self._tried(name, partial(self._inform, state, name, known, where), ()):
                changed.append(name)
        return [*changed, *self._lists(state, where), *self._news(state, where)]

    def show(self, names: Iterable[str]) -> None:
        """Show these requests as they stand now: what somebody who just answered looks at."""
        state, where = self.belay.ledger.state(), _Lookup(self.channel)
        for name in names:
            if (request := state.requests.get(name)) is not None:
                self._asked(state, request, where)

    def show_lists(self) -> None:
        """Show the weekly list as it stands now: what somebody who just judged looks at."""
        self._lists(self.belay.ledger.state(), _Lookup(self.channel))

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

    def _asked(self, state: State, request: RequestState, where: _Lookup) -> bool:
        return self._tried(request.id, partial(self._show, state, request, where), self._standing(request))

    def _tried(self, name: str, show: Callable[[], None], standing: tuple[object, ...]) -> bool:
        """Show what does not stand so yet; return whether that was done."""
        with self._turn:
            if self._shown.get(name) == standing:
                return False
            try:
                show()
            except SlackUnavailableError as error:
                _log.warning("%s is not shown in Slack yet: %s", name, error)
                self.away, self._unreachable = str(error), error.unreachable
                self._posted.pop(name, None)  # where it was is looked up again
                return False
            self._shown[name] = standing
            return True

    def _standing(self, request: RequestState) -> tuple[object, ...]:
        """Return what a request's message shows of it, as far as that changes."""
        return (request.status, len(request.votes), request.reminded, request.escalated, self._left(request))

    def _left(self, request: RequestState) -> str:
        """Return the time left, in words that change seldom; empty when it is settled."""
        if request.status is not RequestStatus.OPEN:
            return ""
        return in_words(request.expires_at - self.belay.now())

    def _show(self, state: State, request: RequestState, where: _Lookup) -> None:
        found = self._posted.get(request.id) or where(request.id)
        if found is None and request.status is not RequestStatus.OPEN:
            return
        card, left = self.card(state, request), self._left(request)
        picture = self._picture(request, found)
        message = request_message(card, review_url=self.page_of(request), picture=picture, left=left)
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

    def _inform(self, state: State, name: str, known: OptimizationState, where: _Lookup) -> None:
        if where(name) is not None or known.grant is None:
            return
        step = known.grant.step
        message = inform_message(
            known,
            state.capabilities[known.capability],
            self._review(_evidence_of(known), name) or {},
            review_url=f"{self._pages}/review/{known.id}/{step}",
        )
        self.channel.show(name, message, None)

    def _lists(self, state: State, where: _Lookup) -> list[str]:
        """Bring this week's list up to date, and end older ones; return the names of those that were shown.

        A week's list is posted when something waits. An old one would keep buttons for ever, so that it is
        shown a last time, without them.
        """
        year, week, _ = self.belay.now().isocalendar()
        this_week, shown = f"{_LIST}{year}-W{week:02}", list[str]()
        if waits := waiting_for_judgement(state):
            self._measure(this_week, {known.capability for known in waits})
            state = self.belay.ledger.state()
        waiting = [known.id for known in waits]
        said = sum(len(known.results.judgements) for known in state.optimizations.values())

        def show() -> None:
            names = {name for name in where.names() if name.startswith(_LIST) and name <= this_week}
            for name in sorted(names | ({this_week} if waiting else set()), reverse=True):
                if self._list(state, name, len(waiting), where, newest=name == this_week):
                    shown.append(name)

        self._tried("the weekly list", show, (this_week, *waiting, said))
        return shown

    def _list(self, state: State, name: str, waiting: int, where: _Lookup, *, newest: bool) -> bool:
        """Show one week's list; return False where it had ended before."""
        found = where(name)
        before = [] if found is None else str(found.payload.get("listed") or "").split()
        if not newest and not before:
            return False
        on_it = on_the_list(state, before, newest=newest)
        roster, ledger = self.belay.roster(), self.belay.ledger
        entries = [listed(state, one, roster, ledger.history(optimization=one.id)) for one in on_it]
        message = weekly_message(entries, waiting=waiting, pages=self._pages, newest=newest)
        names = " ".join(one.id for one in on_it) if newest else ""
        self.channel.show(name, message, found, listed=names)
        return True

    def _news(self, state: State, where: _Lookup) -> list[str]:
        """Tell what nobody was asked about, each matter once; what Slack did not take is tried again."""
        roster, since = self.belay.roster(), self.belay.now() - _NEWS_FOR
        last = None if self._read_to else _NEWS_AMONG
        entries = [recorded(entry) for entry in self.belay.ledger.entries(self._read_to, last=last)]
        self._read_to = entries[-1].seq if entries else self._read_to
        self._untold += news([entry for entry in entries if entry.at >= since], state, roster)
        told = []
        for matter in tuple(self._untold):
            name = f"news-{matter.seq}"
            if self._tried(name, partial(self._tell, name, matter, where), ()):
                told.append(name)
                self._untold.remove(matter)
            elif self._unreachable:
                break
        return told

    def _tell(self, name: str, matter: News, where: _Lookup) -> None:
        if where(name) is None:
            self.channel.show(name, news_message(matter, self.belay.roster(), pages=self._pages), None)

    def _measure(self, name: str, capabilities: set[str]) -> None:
        """Read what data say of the proposals on the week's list, once a list."""
        if self._measured == name:
            return
        self._measured = name
        for policy in policies_in_force(self.belay, self.belay.ledger.state(), capabilities)[0].values():
            measure_shadows(self.belay, policy)

    def _review(self, evidence: str | None, name: str) -> dict[str, Any] | None:
        if evidence is None:
            return None
        try:
            document: dict[str, Any] = self.belay.ledger.get_evidence(evidence)
        except LedgerError as error:
            _log.warning("the review of %s cannot be shown: %s", name, error)
            return None
        return document


class _Lookup:
    """Where messages are: the channel is read once, and only when somebody asks."""

    def __init__(self, channel: SlackChannel) -> None:
        self._channel = channel
        self._named: dict[str, Posted] | None = None

    def __call__(self, name: str) -> Posted | None:
        return self._read().get(name)

    def names(self) -> Collection[str]:
        """Return the names of all messages of ours that the channel's recent history holds."""
        return self._read().keys()

    def _read(self) -> dict[str, Posted]:
        if self._named is None:
            self._named = self._channel.named()
        return self._named


def in_words(left: timedelta) -> str:
    """Return a time that is left in words that change rarely at first and every minute at the end."""
    minutes = int(left / timedelta(minutes=1))
    if minutes >= 48 * 60:
        return f"{minutes // (24 * 60)} days"
    if minutes >= 120:
        return f"{minutes // 60} hours"
    if minutes >= 10:
        return f"{minutes // 10 * 10} minutes"
    return f"{minutes} minutes" if minutes > 1 else "a minute"


def _informed(state: State) -> Iterator[tuple[str, OptimizationState]]:
    """Yield what people are told and not asked about, by the name of its grant."""
    for known in state.optimizations.values():
        grant = known.grant
        if grant is not None and grant.oversight is Oversight.INFORM and grant.id not in state.requests:
            yield grant.id, known


def _evidence_of(known: OptimizationState) -> str | None:
    review = known.step.gates.get(Gate.REVIEW) if known.step else None
    return review.evidence if review else None
