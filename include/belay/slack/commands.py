"""``/belay …``: veto, stop, delegate, judge, status. Only who types it is told what came of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from slack_bolt.async_app import AsyncAck, AsyncRespond

from belay.domain.request_state import RequestState, RequestStatus
from belay.domain.roster import Person
from belay.domain.scope import percent
from belay.execution import RefusedError
from belay.flags.target import FlagsUnavailable
from belay.ledger.store import LedgerError
from belay.oversight import people
from belay.oversight.alarms import alarms
from belay.slack.telling import NOBODY, respond_to
from belay.slack.text import typed, typed_name
from belay.slack.votes import judge

if TYPE_CHECKING:
    from belay.slack.desk import Desk

USAGE = (
    "• `/belay status`: what is live, and what waits for whom\n"
    "• `/belay veto OPTIMIZATION reason` or `/belay veto capability:NAME reason`: take it down at once\n"
    "• `/belay stop all reason`, `surface:NAME` or `capability:NAME`: the kill switch\n"
    "• `/belay delegate @somebody until friday reason`: let somebody answer for you\n"
    "• `/belay judge OPTIMIZATION yes|no reason`: say whether you would have done what AI proposed"
)
_MENTION = re.compile(r"<@(?P<id>[UW][A-Z0-9]+)(\|[^>]*)?>")
_DELEGATE = re.compile(r"(?P<who>\S+)\s+until\s+(?P<until>\S+)\s*(?P<reason>.*)", re.DOTALL | re.IGNORECASE)


class Commands:
    """The listener of the slash command."""

    def __init__(self, desk: Desk) -> None:
        self._watcher, self._wake, self._person = desk.watcher, desk.wake, desk.person
        self._belay, self._repeats = desk.watcher.belay, desk.repeats
        self._verbs: Mapping[str, Callable[[Person, str], str]] = {
            "veto": self._veto,
            "stop": self._stop,
            "delegate": self._delegate,
            "judge": self._judge,
            "status": self._status,
        }

    async def commanded(self, ack: AsyncAck, command: Mapping[str, str], respond: AsyncRespond) -> None:
        """Do what is asked, and answer whoever asked."""
        verb, _, rest = command.get("text", "").strip().partition(" ")
        act = self._verbs.get(typed_name(verb).lower())
        if act is None:
            await ack(USAGE)
            return
        await ack()
        if self._repeats.again(command) or await asyncio.to_thread(self._heard_elsewhere, act, command):
            return
        before = await asyncio.to_thread(self._requests)
        said = await asyncio.to_thread(self._done, act, command["user_id"], rest.strip())
        await respond_to(respond, command["user_id"], said)
        after = await asyncio.to_thread(self._requests)
        changed = [name for name, request in before.items() if after.get(name, request) != request]
        await asyncio.to_thread(self._watcher.show, changed)
        if act == self._judge:
            await asyncio.to_thread(self._watcher.show_lists)

    def _heard_elsewhere(self, act: Callable[[Person, str], str], command: Mapping[str, str]) -> bool:
        """Return whether another process does it; a stop waits for no answer to that."""
        return act not in (self._stop, self._status) and self._repeats.elsewhere(command)

    def _requests(self) -> Mapping[str, RequestState]:
        """Return the requests as they stand; none when the ledger cannot be read."""
        try:
            return self._belay.ledger.state().requests
        except LedgerError:
            return {}

    def _done(self, act: Callable[[Person, str], str], slack_id: str, rest: str) -> str:
        person = self._person(slack_id)
        if person is None:
            return NOBODY
        try:
            return act(person, rest)
        except (RefusedError, ValueError, LedgerError, FlagsUnavailable) as error:
            return f"Not done: {error}"

    def _veto(self, person: Person, rest: str) -> str:
        target, reason = _two(rest, "veto OPTIMIZATION reason")
        waiting = [
            r for r in self._belay.ledger.state().open_requests() if target in (r.optimization, r.subject)
        ]
        down = people.veto(self._belay, target, person=person, reason=reason, via="slack")
        for request in waiting:
            self._wake(self._belay.ledger.state().requests[request.id])
        return f"Vetoed; taken down: {', '.join(down) or 'nothing was live'}."

    def _stop(self, person: Person, rest: str) -> str:
        from belay.oversight.stop import stop

        target, reason = _two(rest, "stop all reason")
        return stop(self._belay, target, person=person, reason=reason, via="slack").sentence

    def _delegate(self, person: Person, rest: str) -> str:
        match = _DELEGATE.match(rest)
        if match is None:
            raise ValueError("say /belay delegate @somebody until friday reason")
        given = people.delegate(
            self._belay,
            person=person,
            to=self._named(match["who"]),
            until_text=typed_name(match["until"]),
            reason=typed(match["reason"]).strip() or "asked in Slack",
            via="slack",
        )
        roles = " and ".join(given.roles)
        return f"{given.to} answers for you as {roles} until {given.until:%Y-%m-%d %H:%M} UTC."

    def _judge(self, person: Person, rest: str) -> str:
        usage = "judge OPTIMIZATION yes|no reason"
        optimization, said = _two(rest, usage)
        answer, reason = _two(said, usage)
        if answer.lower() not in {"yes", "no"}:
            raise ValueError(f"say /belay {usage}")
        agrees = answer.lower() == "yes"
        came = judge(self._belay, optimization, agrees=agrees, person=person, reason=reason)
        if came.refused:
            return came.text
        tail = came.text.removeprefix("Recorded.")
        return f"You {'would' if agrees else 'would not'} have done {optimization}.{tail}"

    def _named(self, who: str) -> str:
        """Return the roster's id of somebody who was mentioned, or named."""
        roster, mention = self._belay.roster(), _MENTION.fullmatch(who)
        if mention is not None:
            found = roster.by_slack_id(mention["id"])
            if found is None:
                raise ValueError("whom you mention is nobody of the roster")
            return found.id
        return typed_name(who).removeprefix("@")

    def _status(self, _person: Person, _rest: str) -> str:
        state = self._belay.ledger.state()
        live = [o for o in state.optimizations.values() if o.live]
        lines = [f"• {o.id} at {percent(o.scope)} ({o.status})" for o in live[:20]]
        waiting = [r for r in state.requests.values() if r.status is RequestStatus.OPEN]
        asked = [f"• {r.subject} waits for {' and '.join(r.answering_roles)}" for r in waiting[:20]]
        frozen = [f"• {f.target} is frozen: {f.reason[:200]}" for f in state.freezes.values()]
        heads = [f"• {alarm.sentence}" for alarm in alarms(self._belay)]
        head = f"{len(live)} live, {len(waiting)} waiting for people"
        return "\n".join([head, *heads, *lines, *asked, *frozen])


def _two(rest: str, usage: str) -> tuple[str, str]:
    target, _, reason = rest.partition(" ")
    target, reason = typed_name(target), typed(reason).strip()
    if not target or not reason:
        raise ValueError(f"say /belay {usage}")
    return target, reason
