"""Policies, proposals and a domain without a ledger: what the tests of every room build their worlds from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from belay.domain import commands as c
from belay.domain.actors import Actor, agent, human, service
from belay.domain.autonomy import AutonomyRule, Criteria
from belay.domain.capability import ApprovalRule, CapabilityPolicy, ErrorRates, Limits, WindowRule
from belay.domain.commands import Command
from belay.domain.decide import decide
from belay.domain.digest import sha256_of
from belay.domain.events import Choice, Event
from belay.domain.evolve import evolve
from belay.domain.gates import Gate, PromotionGate, Verdict
from belay.domain.metrics import Direction, Metric, MetricKind, Primary, PrimaryRule
from belay.domain.oversight import LEAST_OVERSIGHT
from belay.domain.proposal import Proposal, Variant
from belay.domain.recorded import Recorded
from belay.domain.request_state import RequestState
from belay.domain.rules.answer import Answer, Refusal
from belay.domain.scope import Ramp
from belay.domain.stages import DecisionClass, Stage
from belay.domain.state import OptimizationState, State

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""A Monday morning; every test's time starts here."""
GATE = service("gate")
BOT = agent("bot")
ANNA, NORA, OLIVE, VERA = human("anna"), human("nora"), human("olive"), human("vera")
"""Anna answers for the bot, Nora approves, Olive owns the capabilities, Vera holds the veto."""
APPROVER, VETO = "cx_owner", "duty"
"""The role that approves, and the role that vetoes."""
MAY_LIFT = frozenset({VETO})
"""The roles of somebody who may lift a freeze of these capabilities."""


EASY = AutonomyRule(criteria={stage: Criteria() for stage in Stage if stage.above is not None})
"""Criteria that ask for nothing but healthy supervision: what is tested is the way, not the record."""


def a_policy(**changes: Any) -> CapabilityPolicy:
    """Return a reversible, supervised capability ``wording`` on surface ``checkout``; change what matters."""
    conversion = Metric(
        "conversion", "Conversion", MetricKind.PROPORTION, "%", Direction.INCREASE, "outcomes", "converted"
    )
    policy = CapabilityPolicy(
        id="wording",
        title="Checkout wording",
        description="",
        owner=OLIVE.id,
        surface="checkout",
        decision_class=DecisionClass.REVERSIBLE,
        ceiling=Stage.AUTONOMOUS,
        initial_stage=Stage.SUPERVISED,
        ramp=Ramp((100, 500, 2500, 10_000)),
        free_scope=500,
        primary=Primary(conversion, PrimaryRule.NON_INFERIOR, 0.1, 0.1),
        guardrails=(),
        segments=(),
        exposure_filters={},
        window=WindowRule(3600, 86_400, 1000, 10, 5),
        errors=ErrorRates(),
        approval=ApprovalRule((APPROVER,), 1, (VETO,), expires_seconds=7200, notice_seconds=3600),
        limits=Limits(
            max_variants=2, max_live=2, changes_per_day=10, max_open_requests=5, blindness_seconds=600
        ),
        oversight=LEAST_OVERSIGHT,
        suites=(),
        max_data_age_seconds=3600,
        agents=(),
        digest="",
        autonomy=EASY,
    )
    changed = replace(policy, **changes)
    return (
        changed if changed.digest else replace(changed, digest=sha256_of(sorted(map(repr, changes.items()))))
    )


def a_proposal(optimization: str = "opt-1", **changes: Any) -> Proposal:
    """Return a proposal of the bot, for which Anna answers."""
    proposal = Proposal(
        optimization=optimization,
        capability="wording",
        title="Say when it arrives",
        hypothesis="People buy what they can plan for",
        variants=(Variant("treatment", {"text": "Arrives Friday"}),),
        rollback={"text": "Arrives soon"},
        proposed_by=BOT,
        agent_owner=ANNA.id,
    )
    return replace(proposal, **changes)


def evidence_of(*what: object) -> str:
    """Return a name that evidence could have."""
    return sha256_of([str(part) for part in what])


KEPT = frozenset(
    {
        *(
            "admitted-once",
            "agent",
            "agents-propose",
            "blind",
            "calendar",
            "ceiling",
            "criteria",
            "digest",
            "gates",
        ),
        *(
            "gates-in-order",
            "harm-since",
            "no-grant",
            "not-yours",
            "one-stage-at-a-time",
            "only-narrows",
            "own-freeze",
        ),
        *("pending", "people-approve", "people-delegate", "people-judge", "people-promote", "people-stop"),
        *(
            "people-unfreeze",
            "people-veto",
            "question-open",
            "role",
            "stale-epoch",
            "surface-free",
            "grant-void",
        ),
    }
)
"""Rules by which an attempt is refused and kept in the ledger: somebody tried to pass a limit."""
EITHER = frozenset({"request-closed", "expired", "ended", "freeze", "people-change-policy", "no-such-step"})
"""Rules that keep some attempts and not others: the tests of each say which."""


@dataclass
class Rehearsal:
    """The domain by itself: ``decide`` and ``evolve`` with a list for a ledger."""

    policy: CapabilityPolicy = field(default_factory=a_policy)
    now: datetime = NOW
    state: State = field(default_factory=State)
    history: list[Recorded] = field(default_factory=list)

    def ask(self, command: Command, by: Actor = GATE) -> Answer:
        """Decide, fold what follows, and return the answer."""
        answer = decide(self.state, command, by=by, at=self.now)
        if not isinstance(answer, Refusal):
            for event in answer:
                recorded = Recorded(self.state.seq + 1, self.now, by, event)
                self.history.append(recorded)
                self.state = evolve(self.state, recorded)
        return answer

    def do(self, command: Command, by: Actor = GATE) -> tuple[Event, ...]:
        """Ask, and insist on not being refused."""
        answer = self.ask(command, by)
        assert not isinstance(answer, Refusal), answer
        return answer

    def refused(self, command: Command, by: Actor = GATE) -> str:
        """Ask, insist on being refused, and return the rule that said no."""
        answer = self.ask(command, by)
        assert isinstance(answer, Refusal), answer
        assert answer.message
        if answer.rule not in EITHER:
            nothing_to_lend = answer.rule == "role" and isinstance(command, c.Delegate)
            kept = answer.rule in KEPT and not nothing_to_lend
            assert answer.kept is kept, f"{answer.rule}: kept is {answer.kept}"
        return answer.rule

    def tick(self, seconds: float) -> None:
        """Let time pass (or go back)."""
        self.now += timedelta(seconds=seconds)

    # -- the usual way --------------------------------------------------------------------------

    def optimization(self, name: str = "opt-1") -> OptimizationState:
        """Return an optimization's state."""
        return self.state.optimizations[name]

    def request(self) -> RequestState:
        """Return the one open request."""
        (request,) = self.state.open_requests()
        return request

    def adopt(self, policy: CapabilityPolicy | None = None, by: Actor = OLIVE) -> Rehearsal:
        """Bring a policy (the rehearsal's own by default) into force."""
        self.do(c.AdoptPolicy(policy or self.policy, "test"), by)
        return self

    def proposed(self, name: str = "opt-1", **changes: Any) -> Rehearsal:
        """Adopt the policy and propose."""
        self.adopt()
        self.do(c.Propose(a_proposal(name, **changes), self.policy), BOT)
        return self

    def started(self, name: str = "opt-1") -> int:
        """Start a step, and return its number."""
        known = self.optimization(name).step
        number = known.number + 1 if known else 1
        self.do(c.StartStep(name, f"{name}-run-{number}", self.policy))
        return number

    def judged(
        self, gate: Gate, verdict: Verdict = Verdict.PASS, name: str = "opt-1", **changes: Any
    ) -> None:
        """Record a gate's verdict on the step under way."""
        step = self.optimization(name).step
        assert step is not None
        evidence = evidence_of(name, step.number, gate)
        self.do(c.JudgeGate(name, step.number, gate, verdict, f"{gate}: {verdict}", evidence, **changes))

    def reviewed(self, name: str = "opt-1") -> int:
        """Start a step and let quality, window and review pass; return its number."""
        number = self.started(name)
        for gate in (Gate.QUALITY, Gate.WINDOW, Gate.REVIEW):
            self.judged(gate, name=name)
        return number

    def asked(self, name: str = "opt-1") -> int:
        """Go on until people are asked (or informed); return the step's number."""
        number = self.reviewed(name)
        self.do(c.RequestOversight(name, number, self.policy))
        return number

    def vote(self, choice: Choice = Choice.APPROVE, **changes: Any) -> c.CastVote:
        """Return a vote on the open request."""
        request = self.request()
        vote = c.CastVote(request.id, choice, "seen", frozenset({APPROVER}), request.digest, "cli")
        return replace(vote, **changes)

    def granted(self, name: str = "opt-1") -> int:
        """Go on until the step's oversight is given, whatever it takes; return the step's number."""
        number = self.asked(name)
        for request in self.state.open_requests():
            if request.oversight == "notice":
                self.tick(self.policy.approval.notice_seconds)
                self.do(c.SettleRequest(request.id))
            else:
                self.do(self.vote(), NORA)
        return number

    def intended(self, name: str = "opt-1") -> int:
        """Go on until the widening is intended; return the step's number."""
        number = self.granted(name)
        self.do(c.IntendWidening(name, number))
        return number

    def promotion_reviewed(self, to_stage: Stage, run: str = "") -> str:
        """Take up a promotion (or a renewal), let its gates pass, and return its run."""
        run = run or f"promotion-{self.state.seq}"
        self.do(c.StartPromotion(self.policy.id, to_stage, run, self.policy))
        for gate in (PromotionGate.QUALITY, PromotionGate.RECORD, PromotionGate.REVIEW):
            evidence = evidence_of(run, gate)
            self.do(c.JudgePromotion(self.policy.id, run, gate, Verdict.PASS, f"{gate} is fine", evidence))
        return run

    def promotion_granted(self, to_stage: Stage) -> None:
        """Go on until people have granted a promotion."""
        run = self.promotion_reviewed(to_stage)
        self.do(c.RequestPromotion(self.policy.id, run, self.policy))
        (request,) = [request for request in self.state.open_requests() if request.promotes]
        vote = c.CastVote(request.id, Choice.APPROVE, "seen", frozenset(request.roles), request.digest, "cli")
        self.do(vote, NORA)

    def promoted(self, to_stage: Stage) -> tuple[Event, ...]:
        """Promote the capability (or renew its lease) the whole way."""
        self.promotion_granted(to_stage)
        return self.do(c.Promote(self.policy.id, to_stage, "earned"))

    def confirm(self, name: str = "opt-1") -> None:
        """Confirm what is pending."""
        pending = self.optimization(name).pending
        assert pending is not None
        self.do(c.ConfirmScope(name, pending.to_scope, pending.epoch, "test", self.now))

    def widened(self, name: str = "opt-1", steps: int = 1) -> None:
        """Climb ``steps`` steps, flags and all."""
        for _ in range(steps):
            self.intended(name)
            self.confirm(name)
