"""The weekly list's buttons: would you have done this? A click asks why, and the answer is recorded."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from slack_bolt.async_app import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from belay.domain.state import OptimizationState
from belay.execution import RefusedError
from belay.ledger.store import LedgerError
from belay.present.digest import why_closed
from belay.slack.modal import REASON_BLOCK, Judging, judging_modal, reason_in
from belay.slack.telling import NOBODY, answer_in_form, holders, open_form, whisper
from belay.slack.votes import Said, judge
from belay.slack.weekly import WOULD

if TYPE_CHECKING:
    from belay.slack.desk import Desk

_OWN = "Your judgement would not count: you proposed this, or you are accountable for its agent."
_log = logging.getLogger(__name__)


class Judgements:
    """The listeners of the weekly list."""

    def __init__(self, desk: Desk) -> None:
        self._watcher, self._person = desk.watcher, desk.person
        self._belay, self._repeats = desk.watcher.belay, desk.repeats

    async def clicked(self, ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        """Open the modal for whoever may judge; tell the others why they are not asked."""
        await ack()
        if self._repeats.again(body):
            return
        action = body["actions"][0]
        name, agrees = str(action.get("value", "")), action["action_id"].startswith(f"{WOULD}:")
        try:
            refusal, known = await asyncio.to_thread(self._may_judge, name, body["user"]["id"])
        except LedgerError as error:
            refusal, known = f"Nothing was recorded, the ledger cannot be read: {error}", None
        if known is None:
            await whisper(client, body, refusal)
            return
        await open_form(client, body, judging_modal(Judging(name, agrees), known.proposal.title))

    async def reasoned(self, ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        """Record the judgement, and bring the list up to date."""
        view, user = body["view"], body["user"]["id"]
        if self._repeats.again(body):
            await ack()
            return
        try:
            judging = Judging.unpack(view.get("private_metadata", ""))
        except ValueError as error:
            await ack(response_action="errors", errors={REASON_BLOCK: f"Not recorded: {error}"})
            return
        work = asyncio.to_thread(self._record, judging, user, reason_in(view))
        await answer_in_form(ack, work, client, user, REASON_BLOCK)
        try:
            await asyncio.to_thread(self._watcher.show_lists)
        except LedgerError as error:
            _log.warning("the weekly list is not up to date in Slack yet: %s", error)

    def _may_judge(self, name: str, slack_id: str) -> tuple[str, OptimizationState | None]:
        """Return the proposal where somebody is asked about it, else why they are not.

        Somebody whose judgement does not count is told so before they write a reason. What a judgement is
        worth, the ledger decides in the end.
        """
        state, person = self._belay.ledger.state(), self._person(slack_id)
        known = state.optimizations.get(name)
        if person is None:
            return NOBODY, None
        if not person.active:
            return "You are not active in the roster: ask whoever keeps _people.yaml.", None
        if known is None:
            return f"There is no proposal {name} any more.", None
        if closed := why_closed(state, known):
            return f"{name} {closed}.", None
        roles = state.capabilities[known.capability].approval_roles
        if not person.roles & set(roles):
            return f"This is not yours to judge; it takes {holders(self._belay.roster(), roles)}.", None
        if person.id in known.proposal.conflicted:
            return f"{_OWN} To put it on record all the same: /belay judge {name} yes|no reason", None
        return "", known

    def _record(self, judging: Judging, slack_id: str, reason: str) -> Said:
        """Record the judgement; return what there is to say about it."""
        person = self._person(slack_id)
        if person is None:
            return Said(NOBODY, refused=True)
        try:
            return judge(
                self._belay, judging.optimization, agrees=judging.agrees, person=person, reason=reason
            )
        except (RefusedError, ValueError, LedgerError) as error:
            return Said(f"Not recorded: {error}", refused=True)
