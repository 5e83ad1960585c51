"""The Bolt app: clicks open a modal, a reason becomes a vote or a veto in the ledger.

Each listener acknowledges first and works after. Who somebody is, Slack says (signed); what they may do,
the roster says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from belay.domain.events import Choice
from belay.domain.roster import Person
from belay.flags.target import FlagsUnavailable
from belay.gates import people
from belay.gates.outcome import RefusedError
from belay.ledger.store import LedgerError
from belay.slack.message import APPROVE, OPEN, REJECT, VETO
from belay.slack.modal import CALLBACK, REASON_BLOCK, REASON_INPUT, Answer, reason_modal

if TYPE_CHECKING:
    from belay.slack.watch import Watcher

_VERBS = {APPROVE: "approve", REJECT: "reject", VETO: "veto"}
_USAGE = "Say `/belay veto OPTIMIZATION reason`, or `/belay veto capability:NAME reason`."


def create_app(watcher: Watcher, *, token: str, signing_secret: str, api_url: str) -> AsyncApp:
    """Return the app; it answers over HTTP or Socket Mode, whichever it is served by."""
    app = AsyncApp(
        signing_secret=signing_secret, client=AsyncWebClient(token=token, base_url=api_url, timeout=10)
    )
    desk = _Desk(watcher)
    for action in _VERBS:
        app.action(action)(desk.clicked)
    app.action(OPEN)(desk.opened)
    app.view(CALLBACK)(desk.answered)
    app.command("/belay")(desk.commanded)
    return app


class _Desk:
    """The listeners."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._belay = watcher.belay

    async def opened(self, ack: AsyncAck) -> None:
        """The link button needs no more than an acknowledgement."""
        await ack()

    async def clicked(self, ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        """Open the modal for whoever may answer; tell the others who can."""
        await ack()
        action = body["actions"][0]
        name, _, digest = str(action.get("value", "")).partition("|")
        request = (await asyncio.to_thread(self._belay.ledger.state)).requests.get(name)
        person = self._person(body["user"]["id"])
        verb = _VERBS[action["action_id"]]
        wanted = set(request.roles) if request else set()
        if verb == "veto" and request is not None:
            state = await asyncio.to_thread(self._belay.ledger.state)
            wanted = set(state.capabilities[request.capability].veto_roles)
        if request is None or person is None or not person.roles & wanted:
            who = " or ".join(sorted(wanted)) or "nobody any more"
            await self._whisper(client, body, f"This is not yours to answer; it takes {who}.")
            return
        question = f"{request.subject}: {request.move}"
        await client.views_open(
            trigger_id=body["trigger_id"], view=reason_modal(Answer(verb, name, digest), question)
        )

    async def answered(self, ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        """Turn the modal's reason into a vote or a veto, and bring the message up to date."""
        await ack()
        view = body["view"]
        reason = str(view["state"]["values"][REASON_BLOCK][REASON_INPUT].get("value") or "")
        person = self._person(body["user"]["id"])
        try:
            answer = Answer.unpack(view.get("private_metadata", ""))
            await asyncio.to_thread(self._record, answer, person, reason)
        except (RefusedError, ValueError, LedgerError, FlagsUnavailable) as error:
            await client.chat_postMessage(channel=body["user"]["id"], text=f"Not counted: {error}")
        await asyncio.to_thread(self._watcher.tick)

    async def commanded(self, ack: AsyncAck, command: Mapping[str, str], client: AsyncWebClient) -> None:
        """``/belay veto TARGET reason``."""
        verb, _, rest = command.get("text", "").strip().partition(" ")
        target, _, reason = rest.strip().partition(" ")
        if verb != "veto" or not target or not reason.strip():
            await ack(_USAGE)
            return
        await ack()
        person = self._person(command["user_id"])
        said = "You are nobody of the roster."
        if person is not None:
            try:
                down = await asyncio.to_thread(
                    people.veto, self._belay, target, person=person, reason=reason.strip(), via="slack"
                )
                said = f"Vetoed; taken down: {', '.join(down) or 'nothing was live'}."
            except (RefusedError, LedgerError, FlagsUnavailable) as error:
                said = f"Not done: {error}"
        await client.chat_postEphemeral(channel=command["channel_id"], user=command["user_id"], text=said)
        await asyncio.to_thread(self._watcher.tick)

    def _record(self, answer: Answer, person: Person | None, reason: str) -> None:
        if person is None:
            raise ValueError("you are nobody of the roster")
        if answer.verb == "veto":
            request = self._belay.ledger.state().requests.get(answer.request)
            if request is None:
                raise ValueError(f"there is no request {answer.request!r}")
            people.veto(self._belay, request.veto_target, person=person, reason=reason, via="slack")
            return
        people.vote(
            self._belay,
            answer.request,
            Choice(answer.verb),
            person=person,
            reason=reason,
            via="slack",
            digest=answer.digest,
        )

    def _person(self, slack_id: str) -> Person | None:
        return self._belay.roster().by_slack_id(slack_id)

    async def _whisper(self, client: AsyncWebClient, body: dict[str, Any], text: str) -> None:
        channel = body.get("channel", {}).get("id") or body["user"]["id"]
        await client.chat_postEphemeral(channel=channel, user=body["user"]["id"], text=text)
