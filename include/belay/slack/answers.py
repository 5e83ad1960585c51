"""Buttons and modals: a click asks for a reason, the reason becomes a vote or a veto in the ledger."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from slack_bolt.async_app import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from belay.domain.events import Choice
from belay.domain.request_state import RequestState, RequestStatus
from belay.domain.roster import Person
from belay.domain.state import State
from belay.ledger.store import LedgerError
from belay.oversight import people
from belay.present.consequences import consequences
from belay.slack.message import APPROVE, REJECT, VETO
from belay.slack.modal import REASON_BLOCK, Answer, reason_in, reason_modal
from belay.slack.telling import answer_in_form, holders, open_form, whisper
from belay.slack.votes import Said, cast, first_answer
from belay.slack.votes import again as answered_again

if TYPE_CHECKING:
    from belay.slack.desk import Desk

_VERBS = {APPROVE: "approve", REJECT: "reject", VETO: "veto"}
_log = logging.getLogger(__name__)


class Answers:
    """The listeners of a request's message."""

    def __init__(self, desk: Desk) -> None:
        self._watcher, self._wake, self._person = desk.watcher, desk.wake, desk.person
        self._belay, self._repeats = desk.watcher.belay, desk.repeats

    async def opened(self, ack: AsyncAck) -> None:
        """The link button needs no more than an acknowledgement."""
        await ack()

    async def clicked(self, ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        """Open the modal for whoever may answer; tell the others who can.

        The modal comes first: Slack lets it open within three seconds of the click only.
        """
        await ack()
        if self._repeats.again(body):
            return
        action = body["actions"][0]
        name, _, digest = str(action.get("value", "")).partition("|")
        verb = _VERBS[action["action_id"]]
        try:
            refusal, request = await asyncio.to_thread(
                self._may_answer, name, verb, body["user"]["id"], digest
            )
        except LedgerError as error:
            refusal, request = f"Nothing was recorded, the ledger cannot be read: {error}", None
        if refusal or request is None:
            await whisper(client, body, refusal)
            return
        then = consequences(request).of(verb)
        await open_form(client, body, reason_modal(Answer(verb, name, digest), _question(request), then))

    async def reasoned(self, ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        """Turn the modal's reason into a vote or a veto, wake who waits, and bring the message up to date."""
        view, user = body["view"], body["user"]["id"]
        if self._repeats.again(body):
            await ack()
            return
        try:
            answer = Answer.unpack(view.get("private_metadata", ""))
        except ValueError as error:
            await ack(response_action="errors", errors={REASON_BLOCK: f"Not counted: {error}"})
            return
        work = asyncio.to_thread(self._record, answer, user, reason_in(view))
        await answer_in_form(ack, work, client, user, REASON_BLOCK)
        # Whoever waits comes first; the message follows, and neither waits for the other.
        await asyncio.gather(asyncio.to_thread(self._woken, answer.request), self._shown(answer.request))

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

    def _may_answer(
        self, name: str, verb: str, slack_id: str, digest: str
    ) -> tuple[str, RequestState | None]:
        """Return why somebody may not answer (empty: they may), and the request.

        Whoever would be refused, or not counted, is told so before they write a reason.
        """
        state = self._belay.ledger.state()
        request, person = state.requests.get(name), self._person(slack_id)
        if request is None:
            return f"There is no request {name!r} any more.", None
        if verb != "veto" and person is not None and (first := first_answer(request, person)) is not None:
            return answered_again(first, Choice(verb)).text, None
        if request.status is not RequestStatus.OPEN and verb != "veto":
            return f"This request is {request.status}: {request.outcome}".removesuffix(": "), None
        wanted = set(request.answering_roles)
        if verb == "veto":
            wanted = set(state.capabilities[request.capability].veto_roles)
        if person is None or not self._roles(state, person) & wanted:
            return (
                f"This is not yours to answer; it takes {holders(self._belay.roster(), wanted)}.",
                None,
            )
        if verb != "veto" and (
            why := people.why_not(self._belay, name, Choice(verb), person=person, digest=digest)
        ):
            return f"Not counted: {why}.", None
        return "", request

    def _roles(self, state: State, person: Person) -> frozenset[str]:
        """Return a person's own and lent roles; what they are worth, the ledger decides in the end."""
        lent = (given.roles for given in state.delegated_to(person.id, self._belay.now()))
        return person.roles.union(*lent)

    def _record(self, answer: Answer, slack_id: str, reason: str) -> Said:
        """Record the answer; return what there is to say about it."""
        return cast(self._belay, answer, self._person(slack_id), reason)


def _question(request: RequestState) -> str:
    return f"{request.subject}: {request.move}"
