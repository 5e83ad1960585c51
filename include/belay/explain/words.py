"""The rules' terms in words for people who do not build Belay."""

from __future__ import annotations

import re
from collections.abc import Iterable

from belay.domain.events import Outcome
from belay.domain.gates import Gate, PromotionGate, Verdict
from belay.domain.oversight import Oversight

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
CAUSES = {
    "harm": "Harm was shown; harm takes a change down at once, and nobody has to agree to that",
    "rolled_back": "A gate found harm; harm takes a change down at once, and nobody has to agree to that",
    "guard": "The guard found harm; harm takes a change down at once, and nobody has to agree to that",
    "caution": "Harm was shown so far, and not that it lasts; that takes a change down at once, "
    "does not charge the record, and people may resume it",
    "interaction": "Two changes did more, or less, together than each alone; the later one is held",
    "stopped": "The review found no benefit worth having; choosing to stop is a result",
    "veto": "One veto always wins, whatever was approved",
    "demotion": "The capability lost a stage, and what is shown shrinks to what the lower stage permits",
    "freeze": "A freeze turns back what was on its way",
    "policy": "The policy changed, and what was on its way under the old one is turned back",
    "stop": "The kill switch takes everything it covers down",
    "reconcile": "More was shown than was decided; that is narrowed at once",
    "served-narrower": "Less was shown than was decided, and that was accepted",
    "blind": "Nobody could see how it did for longer than its budget, so less of it is shown",
}
DEMOTIONS = {
    "harm-rate": "Harm beyond the policy's limit costs a stage, without a meeting",
    "lease": "Autonomy is granted for a period; when it is not renewed on evidence, a stage is lost",
    "ledger": "A ledger that does not verify proves nothing, so a stage is lost",
    "saturated": "People who cannot keep up do not supervise, so a stage is lost",
    "blind-guard": "A guard that cannot see does not guard, so a stage is lost",
    "veto": "A veto on the whole capability costs it a stage",
    "policy": "A person brought a policy into force that permits less",
    "kill-switch": "The kill switch drops what it covers to observe",
}
_RULE = re.compile(r"^(?P<name>[\w-]+): (?P<asks>inform|notice|approve|forbidden) \((?P<why>.*)\)$")


def rules(told: Iterable[str]) -> str:
    """Return the oversight rules that spoke, as one sentence each, strongest first as they were kept."""
    return "; ".join(map(_rule, told))


def _rule(told: str) -> str:
    found = _RULE.match(told)
    if found is None:
        return told
    return f"rule {found['name']} asks for “{found['asks']}” ({found['why'].replace('_', ' ')})"


def cause(name: str) -> str:
    """Return why a change is taken down for ``name``; anything may ask for less, so names are open."""
    return CAUSES.get(name, f"It was asked for because of “{name}”; anybody may take a change down")


def demotion(rule: str) -> str:
    """Return the rule of a demotion in words; anybody may ask for less autonomy, so names are open."""
    return DEMOTIONS.get(rule, f"It was asked for under “{rule}”; anybody may lower a capability")
