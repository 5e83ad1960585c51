"""Keep Slack in step with the ledger: ask what is open, show what was answered, say how it ended.

Nothing waits for Slack. The watcher reads the ledger, so that what happened while Slack (or the watcher)
was away is shown when it is back; and nothing is posted twice, because where it is stands beside the ledger.
A message is posted without its picture, which follows when Slack has taken it (`belay.slack.pictures`).
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from threading import RLock
from typing import TYPE_CHECKING, Any

from belay.analysis.shadow import measure_shadows
from belay.domain.events import LookTaken
from belay.domain.gates import Gate
from belay.domain.oversight import Oversight
from belay.domain.request_state import RequestState, RequestStatus
from belay.domain.state import OptimizationState
from belay.ledger.store import recorded
from belay.oversight.active_policy import policies_in_force
from belay.oversight.alarms import alarms
from belay.present.aftermath import aftermath, people_watched
from belay.present.card import Card
from belay.present.digest import listed, waiting_for_judgement
from belay.present.news import News, news
from belay.present.reading import evidence_of, read_card
from belay.slack.channel import NotKnownYetError, SlackChannel
from belay.slack.client import SlackUnavailableError
from belay.slack.message import inform_message, request_message
from belay.slack.message_store import Posted
from belay.slack.news import alarm_message, news_message
from belay.slack.pictures import INVALID_BLOCKS, NO_PICTURE, Pictures
from belay.slack.thread import lines
from belay.slack.weekly import on_the_list, weekly_message

if TYPE_CHECKING:
    from belay.domain.state import State
    from belay.services import Services

_log = logging.getLogger(__name__)
_LIST = "digest-"
"""How the name of a week's list begins; the year and the week follow."""
_NEWS_FOR, _NEWS_AMONG = timedelta(days=1), 1000
"""A watcher that has just started tells what is not older, among so many of the newest entries."""
_REFUSED_FIRST, _REFUSED_LONGEST = 2.0, 300.0
"""Seconds before what Slack refused (not: did not answer) is tried again."""
_MATTERS = timedelta(days=14)
"""A message that was settled longer ago is not looked for any more, where the store was lost."""


class Watcher:
    """Shows the requests of one ledger in one Slack channel.

    Remembers what it showed, so that a tick costs Slack nothing when nothing changed; a new watcher knows it
    from the store. Whatever it asks of Slack inside its turn is answered or given up within seconds: it waits
    for no limit there, and reads no history.

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
        self._shown: dict[str, str] | None = None
        self._quiet_until = 0.0
        self._refused: dict[str, tuple[str, float, float]] = {}  # digest, not before, and the pause
        self._read_to, self._untold = 0, list[News]()
        self._measured = ""  # the list for which shadows were read last
        self._turn = RLock()  # a tick and a listener of this process take turns, message by message
        self._pictures = Pictures(channel)

    def tick(self) -> list[str]:
        """Show everything whose message is not up to date; return the names of what was brought up to date.

        A request that had ended before this watcher first saw it is not posted any more, only brought up
        to date where its message is.
        """
        if time.monotonic() < self._quiet_until:
            return []
        state, changed = self.belay.ledger.state(), list[str]()
        self.away, self._unreachable = "", False
        if not self._looked_up(state):
            return changed
        for request in sorted(state.requests.values(), key=lambda request: request.asked_at):
            if self._asked(state, request):
                changed.append(request.id)
            if self._unreachable:
                return changed
        for name, known in _informed(state):
            if self._tried(name, partial(self._inform, state, name, known), ()):
                changed.append(name)
        changed += [*self._alarms(), *self._lists(state), *self._news(state)]
        if not self._unreachable:
            self._add_pictures(state)
        return changed

    def _alarms(self) -> list[str]:
        """Say, once a day and while it lasts, that nobody watches, or what is live without a policy file."""
        told = alarms(self.belay)
        name = f"alarm-{self.belay.now():%Y-%m-%d}"
        if not told and name not in self._known():
            return []
        message = alarm_message([alarm.sentence for alarm in told])

        def show(shown: str) -> None:
            self.channel.show(name, message, shown=shown)

        return [name] if self._tried(name, show, tuple(alarm.what for alarm in told)) else []

    def show(self, names: Iterable[str]) -> None:
        """Show these requests as they stand now: what somebody who just answered looks at."""
        state = self.belay.ledger.state()
        for name in names:
            if (request := state.requests.get(name)) is not None:
                self._asked(state, request)

    def show_lists(self) -> None:
        """Show the weekly list as it stands now: what somebody who just judged looks at."""
        self._lists(self.belay.ledger.state())

    def card(self, state: State, request: RequestState) -> Card:
        """Return what people see of ``request``."""
        belay = self.belay
        return read_card(belay.ledger, state, request, roster=belay.roster(), now=belay.now())

    def page_of(self, request: RequestState) -> str:
        """Return the address of the page that a request rests on."""
        if request.promotes:
            return f"{self._pages}/capability/{request.capability}"
        return f"{self._pages}/review/{request.optimization}/{request.step}"

    # -- inside ---------------------------------------------------------------------------------

    def _looked_up(self, state: State) -> bool:
        """Find again what was lost of where our messages are; return whether Slack answers."""
        open_ones = [request.asked_at for request in state.open_requests()]
        told = [known.proposed_at for _, known in _informed(state)]
        oldest = min([*open_ones, *told, self.belay.now() - _MATTERS])
        try:
            self.channel.look_up(oldest)
        except SlackUnavailableError as error:
            _log.warning("what is in the channel cannot be looked up: %s", error)
            self.away = str(error)
            return False
        return True

    def _asked(self, state: State, request: RequestState) -> bool:
        return self._tried(request.id, partial(self._show, state, request), self._standing(state, request))

    def _tried(self, name: str, show: Callable[[str], None], standing: tuple[object, ...]) -> bool:
        """Show what does not stand so yet; return whether that was done.

        ``show`` is given the digest of ``standing``, for the store to remember.
        """
        digest = hashlib.sha256(repr(standing).encode()).hexdigest()
        with self._turn:
            if self._up_to_date(name, digest) or self._not_now(name, digest):
                return False
            try:
                show(digest)
            except NotKnownYetError as error:
                _log.info("%s is not shown in Slack yet: %s", name, error)
                return False
            except SlackUnavailableError as error:
                _log.warning("%s is not shown in Slack yet: %s", name, error)
                self.away, self._unreachable = str(error), error.unreachable
                self._quiet_until = time.monotonic() + (error.retry_after or 0)
                if not error.unreachable:
                    self._refuse(name, digest)
                return False
            self._known()[name] = digest
            self._refused.pop(name, None)
            return True

    def _not_now(self, name: str, digest: str) -> bool:
        """Return whether Slack wants to be left alone, or refused this a moment ago."""
        refused, not_before, _ = self._refused.get(name, ("", 0.0, 0.0))
        now = time.monotonic()
        return now < self._quiet_until or (refused == digest and now < not_before)

    def _refuse(self, name: str, digest: str) -> None:
        """Remember that Slack refused this: each time it is left alone for twice as long."""
        refused, _, before = self._refused.get(name, ("", 0.0, 0.0))
        pause = (
            min(max(before * 2, _REFUSED_FIRST), _REFUSED_LONGEST) if refused == digest else _REFUSED_FIRST
        )
        self._refused[name] = (digest, time.monotonic() + pause, pause)

    def _up_to_date(self, name: str, digest: str) -> bool:
        return self._known().get(name) == digest

    def _known(self) -> dict[str, str]:
        """Return the digest of what each message shows, as far as this watcher knows."""
        if self._shown is None:
            self._shown = self.channel.store.shown()
        return self._shown

    def _standing(self, state: State, request: RequestState) -> tuple[object, ...]:
        """Return what a request's message shows of it, as far as that changes."""
        left, after = self._left(request), aftermath(state, request)
        return (request.status, len(request.votes), request.reminded, request.escalated, left, after)

    def _left(self, request: RequestState) -> str:
        """Return the time left, in words that change seldom; empty when it is settled."""
        if request.status is not RequestStatus.OPEN:
            return ""
        return time_left(request.expires_at - self.belay.now())

    def _show(self, state: State, request: RequestState, shown: str) -> None:
        found = self.channel.find(request.id)
        if found is None and request.status is not RequestStatus.OPEN:
            return
        card = self.card(state, request)
        posted = self._put(request, card, Pictures.in_use(found), shown)
        for line in lines(card, request):
            self.channel.thread(request.id, posted, line.name, line.text, born=request.asked_at)

    def _put(self, request: RequestState, card: Card, picture: str | None, shown: str) -> Posted:
        """Post or update a request's message; a picture that Slack does not take (any more) is left out."""
        show = partial(self.channel.show, request.id, shown=shown, born=request.asked_at)
        message = partial(
            request_message,
            card,
            review_url=self.page_of(request),
            left=self._left(request),
            people=self._watched(request, card),
        )
        if picture is None:
            return show(message())
        try:
            return show(message(picture=picture), picture=picture)
        except SlackUnavailableError as error:
            if error.error != INVALID_BLOCKS:
                raise
            _log.warning("the picture %s of %s is left out: %s", picture, request.id, error)
            return show(message(), picture=NO_PICTURE)

    def _watched(self, request: RequestState, card: Card) -> int | None:
        """Return how many people saw a live change, as its last look knows it; None before the first one."""
        if card.aftermath is None or not card.aftermath.looks:
            return None
        history = self.belay.ledger.history(optimization=request.optimization)
        looks = [one.event for one in history if isinstance(one.event, LookTaken)]
        return people_watched(self._review(looks[-1].evidence, request.id)) if looks else None

    def _add_pictures(self, state: State) -> None:
        """Add the pictures that are missing; the messages stand without them, whatever becomes of them."""
        for request in state.open_requests():
            picture = self._pictures.ready(request.id, partial(self._review, request.evidence, request.id))
            if picture is None:
                continue
            message = request_message(
                self.card(state, request),
                review_url=self.page_of(request),
                left=self._left(request),
                picture=picture,
            )
            with self._turn:
                self._pictures.add(request.id, message, picture)

    def _inform(self, state: State, name: str, known: OptimizationState, shown: str) -> None:
        if self.channel.find(name) is not None or known.grant is None:
            return
        step = known.grant.step
        message = inform_message(
            known,
            state.capabilities[known.capability],
            self._review(_evidence_of(known), name) or {},
            review_url=f"{self._pages}/review/{known.id}/{step}",
        )
        self.channel.show(name, message, shown=shown)

    def _lists(self, state: State) -> list[str]:
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

        def show(_digest: str) -> None:
            names = {name for name in self.channel.store.names(_LIST) if name <= this_week}
            for name in sorted(names | ({this_week} if waiting else set()), reverse=True):
                if self._list(state, name, len(waiting), newest=name == this_week):
                    shown.append(name)

        self._tried("the weekly list", show, (this_week, *waiting, said))
        return shown

    def _list(self, state: State, name: str, waiting: int, *, newest: bool) -> bool:
        """Show one week's list; return False where it had ended before."""
        found = self.channel.find(name)
        before = [] if found is None else str(found.payload.get("listed") or "").split()
        if not newest and not before:
            return False
        on_it = on_the_list(state, before, newest=newest)
        roster, ledger = self.belay.roster(), self.belay.ledger
        entries = [listed(state, one, roster, ledger.history(optimization=one.id)) for one in on_it]
        # As it was when the list was first posted: what Slack keeps, nobody who holds the ledger rewrites.
        head = str(found.payload.get("head") or "") if found else "{}:{}".format(*ledger.head())
        message = weekly_message(entries, waiting=waiting, pages=self._pages, newest=newest, head=head)
        names = " ".join(one.id for one in on_it) if newest else ""
        self.channel.show(name, message, listed=names, head=head)
        return True

    def _news(self, state: State) -> list[str]:
        """Tell what nobody was asked about, each matter once; what Slack did not take is tried again."""
        roster, since = self.belay.roster(), self.belay.now() - _NEWS_FOR
        last = None if self._read_to else _NEWS_AMONG
        entries = [recorded(entry) for entry in self.belay.ledger.entries(self._read_to, last=last)]
        self._read_to = entries[-1].seq if entries else self._read_to
        self._untold += news([entry for entry in entries if entry.at >= since], state, roster)
        told = []
        for matter in tuple(self._untold):
            name = f"news-{matter.seq}"
            if self.channel.find(name) is not None:  # another watcher told it, or this one before it ended
                self._untold.remove(matter)
            elif self._tried(name, partial(self._tell, name, matter), ()):
                told.append(name)
                self._untold.remove(matter)
            elif self._unreachable:
                break
        return told

    def _tell(self, name: str, matter: News, shown: str) -> None:
        message = news_message(matter, self.belay.roster(), pages=self._pages)
        self.channel.show(name, message, shown=shown)

    def _measure(self, name: str, capabilities: set[str]) -> None:
        """Read what data say of the proposals on the week's list, once a list."""
        if self._measured == name:
            return
        self._measured = name
        for policy in policies_in_force(self.belay, self.belay.ledger.state(), capabilities)[0].values():
            measure_shadows(self.belay, policy)

    def _review(self, evidence: str | None, name: str) -> Mapping[str, Any] | None:
        return evidence_of(self.belay.ledger, evidence, name)


def time_left(left: timedelta) -> str:
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
