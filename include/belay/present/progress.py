"""Where a request stands, in one line of plain text: the approvals, what is missing, who has answered."""

from __future__ import annotations

from collections.abc import Mapping

from belay.domain.events import Choice
from belay.domain.oversight import Oversight
from belay.domain.rules.requests import tally_of
from belay.domain.state import RequestState, Vote

SO_FAR = "Answers so far: "
"""How the line begins."""


def tally_words(request: RequestState, names: Mapping[str, str] | None = None) -> str:
    """Return how far the approvals go: ``0 of 2 approvals; needs a cx_owner and a risk_owner``.

    Empty where nobody has to approve (a notice), and when it is complete.
    """
    if request.oversight is not Oversight.APPROVE:
        return ""
    return "; ".join(tally_of(request, request.votes).words(names))


def progress(request: RequestState, names: Mapping[str, str] | None = None) -> str:
    """Return the line. Reasons stay out of it: they are in the review, where they are shown as words.

    Parameters
    ----------
    names
        People's full names by their ids.
    """
    names = names or {}
    line = f"{SO_FAR}{tally_words(request, names) or 'nobody has to answer; a veto stops it'}."
    if request.escalated:
        line += f" Who holds {' or '.join(request.escalate_to)} may answer now too."
    if request.votes:
        line += f" {'; '.join(_said(vote, names) for vote in request.votes)}."
    return line


def _said(vote: Vote, names: Mapping[str, str]) -> str:
    who = names.get(vote.voter, vote.voter)
    if vote.on_behalf_of:
        who += f" for {names.get(vote.on_behalf_of, vote.on_behalf_of)}"
    verb = "approved" if vote.choice is Choice.APPROVE else "rejected"
    kept_out = "" if vote.counted else "; does not count: proposed it, or answers for its agent"
    return f"{who} {verb} ({', '.join(vote.roles)}{kept_out})"
