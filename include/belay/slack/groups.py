"""Roles as Slack user groups: who is in the group holds the role, when answering in Slack.

Membership only adds to what the roster says of a person who is in it; when Slack does not answer, nobody
gains anything. Contract: https://docs.slack.dev/reference/methods/usergroups.users.list
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from belay.domain.roster import Person, Roster
from belay.slack.channel import SlackChannel
from belay.slack.client import SlackUnavailableError

_FRESH_SECONDS = 60.0
_log = logging.getLogger(__name__)


class Groups:
    """The members of the groups that stand for roles, asked once a minute at most."""

    def __init__(self, channel: SlackChannel) -> None:
        self._channel = channel
        self._members: dict[str, tuple[float, frozenset[str]]] = {}

    def person(self, roster: Roster, slack_id: str) -> Person | None:
        """Return the person behind ``slack_id`` with every role held, own or by group; None for strangers."""
        person = roster.by_slack_id(slack_id)
        if person is None:
            return None
        held = {role for role, group in roster.slack_groups.items() if slack_id in self._of(group)}
        return replace(person, roles=person.roles | held)

    def _of(self, group: str) -> frozenset[str]:
        asked_at, members = self._members.get(group, (float("-inf"), frozenset[str]()))
        if time.monotonic() - asked_at < _FRESH_SECONDS:
            return members
        try:
            members = self._channel.members(group)
        except SlackUnavailableError as error:
            _log.warning("who is in group %s is not known now, so it gives nobody a role: %s", group, error)
            return frozenset()
        self._members[group] = (time.monotonic(), members)
        return members
