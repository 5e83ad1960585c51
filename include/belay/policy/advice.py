"""What a policy may say and seldom means: `belay policy check` and `belay doctor` warn of it."""

from __future__ import annotations

from collections.abc import Iterator

from belay.domain.capability import CapabilityPolicy
from belay.domain.durations import written_duration

SHORTEST_SAY = 15 * 60.0
"""Seconds of wall-clock time below which nobody who is at work can be said to have been asked."""

SHORTEST_POLL = 60.0
"""Seconds between two looks below which the warehouse is asked without an answer that could be new."""


def advice(policy: CapabilityPolicy) -> Iterator[str]:
    """Yield what to think about in ``policy``, each in one sentence with the value and where it stands."""
    notice, expires = policy.approval.notice_seconds, policy.approval.expires_seconds
    if notice < SHORTEST_SAY:
        yield (
            f"approval.notice is {written_duration(notice)}: under 15 minutes, so at supervised a first "
            "exposure goes live before anybody can veto it; 4h is usual"
        )
    if expires < SHORTEST_SAY:
        yield (
            f"approval.expires is {written_duration(expires)}: under 15 minutes, so a question runs out "
            "before anybody can answer it; 24h is usual"
        )
    if policy.window.poll_seconds < SHORTEST_POLL:
        poll = written_duration(policy.window.poll_seconds)
        yield f"window.poll is {poll}: each look asks the warehouse; 10m is usual"
