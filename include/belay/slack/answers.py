"""Buttons and modals: a click asks for a reason, the reason becomes a vote or a veto in the ledger."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from slack_bolt.async_app import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from belay.domain.events import Choice
from belay.domain.roster import Person
from belay.domain.state import RequestState, RequestStatus, State
from belay.flags.target import FlagsUnavailable
from belay.gates import people
from belay.gates.outcome import RefusedError
from belay.ledger.store import LedgerError
from belay.slack.channel import AWAY
from belay.slack.message import APPROVE, REJECT, VETO
from belay.slack.modal import REASON_BLOCK, REASON_INPUT, Answer, reason_modal

if TYPE_CHECKING:
    from belay.slack.app import Desk

_VERBS = {APPROVE: "approve", REJECT: "reject", VETO: "veto"}
_log = logging.getLogger(__name__)


class Answers:
    """The listeners of a request's message."""

    def __init__(self, desk: Desk) -> None:
        self._watcher, self._wake, self._person = desk.watcher, desk.wake, desk.person
        self._belay = desk.watcher.belay

    async def opened(self, ack: AsyncAck) -> None:
        """The link button needs no more than an acknowledgement."""
        await ack()

    async def clicked(self, ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        """Open the modal for whoever may answer; tell the others who can.

        The modal comes first: Slack lets it open within three seconds of the click only.
        """
        await ack()
        action = body["actions"][0]
        name, _, digest = str(action.get("value", "")).partition("|")
        verb = _VERBS[action["action_id"]]
        try:
            refusal, request = await asyncio.to_thread(self._may_answer, name, verb, body["user"]["id"])
        except LedgerError as error:
            refusal, request = f"Nothing was recorded, the ledger cannot be read: {error}", None
        if refusal or request is None:
            await self._whisper(client, body, refusal)
            return
        view = reason_modal(Answer(verb, name, digest), _question(request))
        try:
            await client.views_open(trigger_id=body["trigger_id"], view=view)
        except AWAY as error:
            _log.warning("no modal for %s: %s", body["user"]["id"], error)
            await self._whisper(client, body, "Slack did not open the form in time. Click again.")

    async def reasoned(self, ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        """Turn the modal's reason into a vote or a veto, wake who waits, and bring the message up to date."""
        await ack()
        view, user = body["view"], body["user"]["id"]
        values = view.get("state", {}).get("values", {})
        reason = str(values.get(REASON_BLOCK, {}).get(REASON_INPUT, {}).get("value") or "")
        try:
            answer = Answer.unpack(view.get("private_metadata", ""))
        except ValueError as error:
            await self._tell(client, user, f"Not counted: {error}")
            return
        problem = await asyncio.to_thread(self._record, answer, user, reason)
        # Whoever waits comes first; the message follows, and neither waits for the other.
        await asyncio.gather(asyncio.to_thread(self._woken, answer.request), self._shown(answer.request))
        if problem:
            await self._tell(client, user, problem)

    async def _shown(self, name: str) -> None:
        try:
            await asyncio.to_thread(self._watcher.show, [name])
        except LedgerError as error:
            _log.warning("%s is not shown in Slack yet: %s", name, error)

    def _woken(self, name: str) -> None:
        """Wake the run that waits for a request that is settled now."""
        try:
            request = self._belay.ledger.state().requests.get(name)
        except LedgerError:
            return
        if request is not None and request.status is not RequestStatus.OPEN:
            self._wake(request)

    def _may_answer(self, name: str, verb: str, slack_id: str) -> tuple[str, RequestState | None]:
        """Return why somebody may not answer (empty: they may), and the request."""
        state = self._belay.ledger.state()
        request, person = state.requests.get(name), self._person(slack_id)
        if request is None:
            return f"There is no request {name!r} any more.", None
        if request.status is not RequestStatus.OPEN and verb != "veto":
            return f"This request is {request.status}: {request.outcome}", None
        wanted = set(request.answering_roles)
        if verb == "veto":
            wanted = set(state.capabilities[request.capability].veto_roles)
        if person is None or not self._roles(state, person) & wanted:
            return (
                f"This is not yours to answer; it takes {_holders(self._belay.roster().people, wanted)}.",
                None,
            )
        return "", request

    def _roles(self, state: State, person: Person) -> frozenset[str]:
        """Return a person's own and lent roles; what they are worth, the ledger decides in the end."""
        lent = (given.roles for given in state.delegated_to(person.id, self._belay.now()))
        return person.roles.union(*lent)

    def _record(self, answer: Answer, slack_id: str, reason: str) -> str:
        """Record the answer; return what went wrong, if anything did."""
        try:
            self._cast(answer, slack_id, reason)
        except FlagsUnavailable as error:
            return f"Vetoed; the flags are not down yet: {error}"
        except (RefusedError, ValueError, LedgerError) as error:
            return f"Not counted: {error}"
        return ""

    def _cast(self, answer: Answer, slack_id: str, reason: str) -> None:
        person = self._person(slack_id)
        if person is None:
            raise ValueError("you are nobody of the roster")
        request = self._belay.ledger.state().requests.get(answer.request)
        if request is None:
            raise ValueError(f"there is no request {answer.request!r}")
        if answer.verb == "veto":
            people.veto(self._belay, request.veto_target, person=person, reason=reason, via="slack")
            return
        people.vote(
            self._belay,
            request.id,
            Choice(answer.verb),
            person=person,
            reason=reason,
            via="slack",
            digest=answer.digest,
        )

    async def _whisper(self, client: AsyncWebClient, body: dict[str, Any], text: str) -> None:
        channel = (body.get("channel") or {}).get("id") or body["user"]["id"]
        try:
            await client.chat_postEphemeral(channel=channel, user=body["user"]["id"], text=text)
        except AWAY as error:
            _log.warning("%s was not told %r: %s", body["user"]["id"], text, error)

    async def _tell(self, client: AsyncWebClient, user: str, text: str) -> None:
        try:
            await client.chat_postMessage(channel=user, text=text)
        except AWAY as error:
            _log.warning("%s was not told %r: %s", user, text, error)


def _question(request: RequestState) -> str:
    return f"{request.subject}: {request.move}"


def _holders(everybody: tuple[Person, ...], roles: set[str]) -> str:
    """Say which roles it takes, and who holds them."""
    names = ", ".join(person.name for person in everybody if person.active and person.roles & roles)
    return f"{' or '.join(sorted(roles)) or 'nobody'} ({names or 'nobody yet'})"
