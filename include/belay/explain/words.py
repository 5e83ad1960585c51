"""The rules' terms in words for people who do not build Belay."""

from __future__ import annotations

from belay.domain.events import Outcome, OversightGranted, OversightRequested
from belay.domain.gates import Gate, PromotionGate, Verdict
from belay.domain.oversight import Oversight, OversightRule
from belay.domain.vocabulary import DEMOTIONS, Cause, Rule

GATES = {
    Gate.ADMIT: "admission (may it take this step now?)",
    Gate.QUALITY: "data quality (can the data be believed?)",
    Gate.WINDOW: "the window (was it watched for long enough?)",
    Gate.REVIEW: "the review (what do the figures say?)",
    Gate.APPROVAL: "approval (did people give what it takes?)",
}
PROMOTION_GATES = {
    PromotionGate.ADMIT: "admission (may it be asked now?)",
    PromotionGate.QUALITY: "data quality (can the data be believed?)",
    PromotionGate.RECORD: "the record (does it meet every criterion?)",
    PromotionGate.REVIEW: "the review (what people are shown)",
    PromotionGate.APPROVAL: "approval (did people give what it takes?)",
}
VERDICTS = {
    Verdict.PASS: "said yes",
    Verdict.HOLD: "held it back",
    Verdict.FAIL: "said no",
}
OVERSIGHT = {
    Oversight.INFORM: "people are told, and nobody has to agree",
    Oversight.NOTICE: "people get notice, and it goes ahead unless somebody objects in time",
    Oversight.APPROVE: "people have to approve, and silence means no",
    Oversight.FORBIDDEN: "nobody can make it happen",
}
ENDS = {
    Outcome.COMPLETED: "complete",
    Outcome.ROLLED_BACK: "rolled back",
    Outcome.STOPPED: "stopped",
    Outcome.VETOED: "vetoed",
    Outcome.KILLED: "taken down by the kill switch",
}


def rules(event: OversightRequested | OversightGranted) -> str:
    """Return the oversight rules that spoke, one sentence each, strongest first as they were kept.

    What was written before rules were kept as data stands as it was written.
    """
    return "; ".join([*map(_rule, event.spoken), *event.rules[len(event.spoken) :]])


def _rule(rule: OversightRule) -> str:
    return f"rule {rule.name} asks for “{rule.oversight}” ({rule.reason.replace('_', ' ')})"


def cause(name: str) -> str:
    """Return why a change is taken down for ``name``; anything may ask for less, so names are open."""
    found = Cause.named(name)
    if found is not None:
        return found.meaning
    return f"It was asked for because of “{name}”; anybody may take a change down"


def demotion(rule: str) -> str:
    """Return the rule of a demotion in words; anybody may ask for less autonomy, so names are open."""
    found = Rule.named(rule)
    if found in DEMOTIONS:
        return found.meaning
    return f"It was asked for under “{rule}”; anybody may lower a capability"
