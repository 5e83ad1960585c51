"""The closed sets of words that more than one file names: rules, causes, findings, why data cannot be read.

The values are the ledger's and the evidence's format: members may be added, and none is renamed or taken
away. Each member is defined here once, in words for people; docs/vocabulary.md lists them all.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class _Word(StrEnum):
    """A member is its value.

    ``meaning`` says in one sentence what it stands for, ``because`` names it inside a sentence.
    """

    meaning: str
    because: str

    def __new__(cls, value: str, *words: str) -> Self:
        """Make the member ``value`` of what it means, behind what it is called where that is more than it."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.because, member.meaning = [value, *words][-2:]
        return member

    @classmethod
    def named(cls, value: str) -> Self | None:
        """Return the member ``value``, or None where there is none: a ledger may hold names of others."""
        member = cls._value2member_map_.get(value)
        return member if isinstance(member, cls) else None


class Rule(_Word):
    """What says no to a command, what asks for oversight, what admission looks at, what takes a stage."""

    # -- who may do it
    AGENTS_PROPOSE = "agents-propose", "Agents may propose and narrow; nothing else is theirs to do"
    PEOPLE_ADOPT = (
        "people-adopt",
        "A first policy on a surface that is not new comes into force by a person alone",
    )
    PEOPLE_APPROVE = "people-approve", "Only people vote"
    PEOPLE_CHANGE_POLICY = "people-change-policy", "Only a person changes a policy that is in force"
    PEOPLE_DELEGATE = "people-delegate", "Only people lend their roles"
    PEOPLE_JUDGE = "people-judge", "Only people judge a proposal that nobody has seen"
    PEOPLE_PROMOTE = "people-promote", "Only people promote"
    PEOPLE_REVIEW = "people-review", "Only people open a review"
    PEOPLE_STOP = "people-stop", "Only people pull the kill switch"
    PEOPLE_UNFREEZE = "people-unfreeze", "Only people lift a freeze"
    PEOPLE_VETO = "people-veto", "Only people veto"
    AGENT = "agent", "An agent proposes in its own name, and only where the policy allows it"
    AGENT_OWNER = "agent-owner", "The roster says which person answers for an agent"
    NOBODY = "nobody", "Whoever asks is known by name"
    ROSTER = "roster", "The people that it takes are in the roster, active, and able to answer"
    ROLE = "role", "It takes a role that the policy names"
    NOT_YOURS = "not-yours", "A delegation is ended by one of the two people whom it is between"
    OWN_FREEZE = "own-freeze", "Nobody lifts a freeze of their own changes"
    DELEGATE_TO_ANOTHER = "delegate-to-another", "A delegation goes to another person"
    REASON = "reason", "Each act of a person or an agent has a reason that people can read"
    # -- what there is
    UNKNOWN_CAPABILITY = "unknown-capability", "The ledger knows the capability"
    UNKNOWN_DELEGATION = "unknown-delegation", "The ledger knows the delegation"
    UNKNOWN_OPTIMIZATION = "unknown-optimization", "The ledger knows the optimization"
    UNKNOWN_PERSON = "unknown-person", "The roster knows the person"
    UNKNOWN_TARGET = "unknown-target", "There is something of this name to stop, freeze or veto"
    NO_SUCH_PROMOTION = "no-such-promotion", "The run has this promotion under way"
    NO_SUCH_REQUEST = "no-such-request", "The ledger knows the request"
    NO_SUCH_STEP = "no-such-step", "The optimization has this step under way"
    OTHER_CAPABILITY = "other-capability", "A run takes up optimizations of its own capability"
    TAKEN = "taken", "One name stands for one proposal"
    # -- what a proposal may be
    PLAIN_DATA = "plain-data", "A proposal is plain JSON"
    PROPOSAL_BYTES = "proposal-bytes", "A proposal is no larger than the policy allows"
    PROPOSAL_DEPTH = "proposal-depth", "A proposal is nested no deeper than the policy allows"
    PROPOSALS_PER_DAY = "proposals-per-day", "Nobody proposes more often than the policy allows"
    INTERVAL = "interval", "An estimate is a number inside an interval of finite numbers"
    PERIOD = "period", "A delegation ends in the future, and within a quarter"
    # -- admission
    POLICY_IN_FORCE = "policy-in-force", "The policy that the run read is the one in force"
    POLICY_FILE = "policy-file", "The policy file is what is in force"
    NO_FREEZE = "no-freeze", "Nothing is frozen that covers it"
    ONE_STEP = "one-step", "One step up the ramp, from a scope that is confirmed"
    ONE_STAGE = "one-stage", "One stage up, or the same one kept"
    GUARD_SEES = "guard-sees", "The guard sees it"
    GUARD = "guard", "A guard watches"
    CALENDAR = "calendar", "The calendar is open"
    STAGE_SHOWS = "stage-shows", "The capability's stage lets something be shown"
    MAX_VARIANTS = "max-variants", "It has no more variants than the policy allows"
    SURFACE_FREE = "surface-free", "Nothing else that climbs is live on its surface"
    LIVE_PER_SURFACE = (
        "live-per-surface",
        "No more changes are measured on a surface than the policy allows",
    )
    VARIANTS_PER_SURFACE = (
        "variants-per-surface",
        "No more variants are measured on a surface than the policy allows",
    )
    CHANGES_PER_UNIT = "changes-per-unit", "No unit meets more climbing changes than the policy allows"
    INTERACTION = "interaction", "It interacts with nothing that climbs"
    MAX_LIVE = "max-live", "No more changes of the capability are live than the policy allows"
    CHANGE_BUDGET = "change-budget", "No more changes are made in a day than the policy allows"
    SUPERVISION = "supervision", "People keep up with what they are asked"
    PORTFOLIO = "portfolio", "The capability has error left to spend on a test"
    TRAFFIC = "traffic", "There is enough traffic to measure the effect that is asked for"
    DUE = "due", "A promotion is taken up when its time has come"
    # -- the order of things
    ADMITTED_ONCE = "admitted-once", "A run is admitted when it starts, and once"
    GATES = "gates", "Every gate of the step has passed"
    GATES_IN_ORDER = "gates-in-order", "A gate speaks after those before it have passed"
    REVIEW_FIRST = "review-first", "People are asked after the review has passed"
    VERDICT = "verdict", "A review and its gate say the same"
    TOP_OF_RAMP = "top-of-ramp", "There is a step left to take"
    OVERTAKEN = "overtaken", "One run takes up a step or a promotion"
    ENDED = "ended", "Nothing goes on with a change that has ended"
    POLICY_CHANGED = "policy-changed", "A run goes on under the policy that it was admitted under"
    SCOPE_MOVED = "scope-moved", "The scope is the one that the step was admitted at"
    STAGE_MOVED = "stage-moved", "The stage is the one that the promotion started from"
    STAGE_FORBIDS = "stage-forbids", "At this stage nothing is shown to anybody"
    SHOWN_ALREADY = "shown-already", "What was shown is measured, and neither judged nor guessed"
    JUDGED_ALREADY = "judged-already", "A person judges a proposal once"
    PENDING = "pending", "One change of scope is under way at a time"
    # -- questions, answers, grants
    QUESTION_OPEN = "question-open", "People are asked one question about a thing at a time"
    REQUEST_CLOSED = "request-closed", "An answer comes while the request is open"
    EXPIRED = "expired", "An answer comes before the request expires"
    DIGEST = "digest", "An answer is about what was shown"
    VOTED_ALREADY = "voted-already", "A person answers a request once"
    NO_GRANT = "no-grant", "The ledger holds an unused grant for it"
    GRANT_VOID = "grant-void", "What was granted is what would be done now"
    STALE_EPOCH = "stale-epoch", "What was decided later wins over what was decided before"
    CRITERIA = "criteria", "The record meets every criterion of the policy"
    CEILING = "ceiling", "A capability never passes its ceiling, nor that of its class"
    ONE_STAGE_AT_A_TIME = "one-stage-at-a-time", "No stage is skipped"
    NO_LEASE = "no-lease", "There is a lease to renew"
    HARM_SINCE = "harm-since", "No harm was done since people were asked"
    # -- taking down
    ONLY_NARROWS = "only-narrows", "A roll back goes towards zero, and never up"
    FREEZE = "freeze", "Nothing widens where something is frozen"
    NOT_FROZEN = "not-frozen", "There is a freeze to lift"
    BLIND = "blind", "Nothing widens where the guard cannot see"
    NOT_BLIND = "not-blind", "What the guard sees is not shrunk for blindness"
    STOP = "stop", "Nothing widens that the kill switch covers"
    # -- what asks for oversight
    POLICY_TABLE = "policy-table", "The policy's table says what its stage and kind of step need"
    DESIGN_FLOOR = "design-floor", "No table asks for less than the design does"
    HUMAN_ONLY = "human-only", "This kind of decision is never taken by AI"
    TAG = "tag", "A tag such as brand, pricing or compliance asks people each time"
    IRREVERSIBLE = "irreversible", "What cannot be taken back is approved by people"
    UNMEASURABLE = "unmeasurable", "What cannot be measured is approved by people"
    CAUTION = "caution", "What was taken down for harm so far is resumed by people"
    PROMOTION = "promotion", "A promotion is approved by people, always"
    # -- what takes a stage
    HARM_RATE = "harm-rate", "Harm beyond the policy's limit costs a stage, without a meeting"
    LEASE = (
        "lease",
        "Autonomy is granted for a period; when it is not renewed on evidence, a stage is lost",
    )
    LEDGER = "ledger", "A ledger that does not verify proves nothing, so a stage is lost"
    SATURATED = "saturated", "People who cannot keep up do not supervise, so a stage is lost"
    BLIND_GUARD = "blind-guard", "A guard that cannot see does not guard, so a stage is lost"
    VETO = "veto", "A veto on the whole capability costs it a stage"
    POLICY = "policy", "A person brought a policy into force that permits less"
    KILL_SWITCH = "kill-switch", "The kill switch drops what it covers to observe"


DEMOTIONS = frozenset(
    {
        Rule.HARM_RATE,
        Rule.LEASE,
        Rule.LEDGER,
        Rule.SATURATED,
        Rule.BLIND_GUARD,
        Rule.VETO,
        Rule.POLICY,
        Rule.KILL_SWITCH,
    }
)
"""The rules that take a stage."""


class Cause(_Word):
    """Why a change is narrowed. A ledger may hold others: anything may ask for less."""

    HARM = (
        "harm",
        "harm",
        "Harm was shown; harm takes a change down at once, and nobody has to agree to that",
    )
    ROLLED_BACK = (
        "rolled_back",
        "harm",
        "A gate found harm; harm takes a change down at once, and nobody has to agree to that",
    )
    GUARD = (
        "guard",
        "harm that the guard saw",
        "The guard found harm; harm takes a change down at once, and nobody has to agree to that",
    )
    CAUTION = (
        "caution",
        "caution, for harm so far that is not shown to last",
        (
            "Harm was shown so far, and not that it lasts; that takes a change down at once, does not charge "
            "the record, and people may resume it"
        ),
    )
    INTERACTION = (
        "interaction",
        "an interaction",
        "Two changes did more, or less, together than each alone; the later one is held",
    )
    STOPPED = (
        "stopped",
        "no benefit worth having",
        "The review found no benefit worth having; choosing to stop is a result",
    )
    VETO = "veto", "a veto", "One veto always wins, whatever was approved"
    DEMOTION = (
        "demotion",
        "a demotion",
        "The capability lost a stage, and what is shown shrinks to what the lower stage permits",
    )
    FREEZE = "freeze", "a freeze", "A freeze turns back what was on its way"
    POLICY = (
        "policy",
        "another policy",
        "The policy changed, and what was on its way under the old one is turned back",
    )
    STOP = "stop", "the kill switch", "The kill switch takes everything it covers down"
    RECONCILE = (
        "reconcile",
        "what was served",
        "More was shown than was decided; that is narrowed at once",
    )
    SERVED_NARROWER = (
        "served-narrower",
        "what was served",
        "Less was shown than was decided, and that was accepted",
    )
    BLIND = (
        "blind",
        "what the guard cannot see",
        "Nobody could see how it did for longer than its budget, so less of it is shown",
    )
    ENDED = "ended", "its end", "It had ended before it was shown to more, and that was turned back"
    NO_GRANT = (
        "no-grant",
        "a missing grant",
        "No entry of the ledger grants what was on its way, and that was turned back",
    )
    GRANT_VOID = (
        "grant-void",
        "a grant that was void",
        "What was granted was not what was on its way any more, and that was turned back",
    )
    STALE_EPOCH = (
        "stale-epoch",
        "a later decision",
        "Something later was decided before it arrived, and what was on its way was turned back",
    )

    @classmethod
    def of_refusal(cls, rule: Rule) -> Cause:
        """Return why a widening is turned back that ``rule`` forbids in its last moment."""
        return _LOST.get(rule, cls.GRANT_VOID)


_LOST = {
    Rule.STOP: Cause.STOP,
    Rule.FREEZE: Cause.FREEZE,
    Rule.BLIND: Cause.BLIND,
    Rule.ENDED: Cause.ENDED,
    Rule.NO_GRANT: Cause.NO_GRANT,
    Rule.GRANT_VOID: Cause.GRANT_VOID,
    Rule.STALE_EPOCH: Cause.STALE_EPOCH,
}
HARM = frozenset({Cause.HARM, Cause.ROLLED_BACK, Cause.GUARD})
"""Causes that say harm was shown and is to be expected (by a gate, by the guard)."""
IMPERSONAL = frozenset({Cause.DEMOTION, Cause.FREEZE, Cause.POLICY})
"""Causes by which a person says nothing about the change itself."""
RESUMABLE = frozenset({Cause.BLIND, Cause.CAUTION})
"""Causes that are not the change's fault, or not shown to be: it may climb again, or people resume it."""


class Finding(_Word):
    """What the evidence shows. Unknown is a value of its own, and never widens anything."""

    HARMLESS = "harmless", "Shown to stay within the margin"
    HARMFUL = "harmful", "Shown to do harm"
    UNKNOWN = "unknown", "Not shown either way: too little data, broken data, or an effect near the margin"


class Unreadable(_Word):
    """Why nothing can be measured."""

    NOT_STARTED = "not-started", "No unit was exposed yet: its period has not started"
    NO_EXPOSURE = "no-exposure", "No exposure was logged"
    NONE_COUNTS = "none-counts", "Exposures were logged, and none of them counts"
    STRANGERS = "strangers", "The units of the outcomes never meet the exposed ones"
    SEGMENTS = "segments", "The segments have more combinations of values than can be judged"
    WAREHOUSE = "warehouse", "The warehouse cannot be read, or lacks a table or a column"

    @property
    def passes(self) -> bool:
        """Whether time alone mends it where a change has just gone live: its first data are on their way."""
        return self in _FIRST_DATA


_FIRST_DATA = frozenset({Unreadable.NOT_STARTED, Unreadable.NO_EXPOSURE, Unreadable.NONE_COUNTS})
