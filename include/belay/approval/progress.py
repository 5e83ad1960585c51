"""Where a request stands, in one line of plain text: what it still takes, and who has answered."""

from __future__ import annotations

from belay.domain.rules.requests import missing_for_quorum
from belay.domain.state import RequestState, Vote

TAKES = "It takes: "
"""How the line begins."""


def progress(request: RequestState) -> str:
    """Return the line. Reasons stay out of it: they are in the review, where they are shown as words."""
    missing = missing_for_quorum(request, request.votes) if request.oversight == "approve" else ()
    line = f"{TAKES}{', '.join(missing) or 'nobody, unless somebody objects'}."
    if request.escalated:
        line += f" Who holds {' or '.join(request.escalate_to)} may answer now too."
    if request.votes:
        line += f" So far: {', '.join(_said(vote) for vote in request.votes)}."
    return line


def _said(vote: Vote) -> str:
    who = f"{vote.voter} for {vote.on_behalf_of}" if vote.on_behalf_of else vote.voter
    roles = ", ".join(vote.roles)
    kept_out = "" if vote.counted else ", which does not count"
    return f"{who} said {vote.choice} ({roles}{kept_out})"
