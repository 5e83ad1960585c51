"""A ledger in which many optimizations lived: what a figure about the ledger has to be measured on.

Every command goes through the rules. Capabilities work side by side, at three stages, so that people vote,
are given notice or are told; most changes climb their whole ramp, some do harm, some are vetoed, and now
and then a stage's lease is renewed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any

import sqlalchemy as sa
from tests.support.builders import APPROVER, BOT, GATE, NORA, NOW, VERA, VETO, a_policy, a_proposal

from belay.domain import commands as c
from belay.domain.actors import Actor
from belay.domain.capability import CapabilityPolicy, Limits
from belay.domain.decide import decide
from belay.domain.digest import canonical_json, sha256_of
from belay.domain.events import Choice
from belay.domain.gates import Estimate, Gate, PromotionGate, ReviewVerdict, Verdict
from belay.domain.oversight import Oversight
from belay.domain.proposal import Prediction
from belay.domain.rules.answer import Refusal
from belay.domain.stages import Stage
from belay.domain.state import OptimizationState, State, Step
from belay.ledger.schema import evidence
from belay.ledger.store import Ledger
from belay.ledger.writing import Batch

CAPABILITIES = 24
STAGES = (Stage.SUGGEST, Stage.SUPERVISED, Stage.BOUNDED)
LOOKS = (6, 10, 16, 28)
"""Of a window, in turns: what the shipped schedule (every half day) gives windows of 3, 5, 8 and 14 days."""
BETWEEN_LOOKS = timedelta(hours=12)
HARMFUL, VETOED, RENEWED = 9, 17, 5
"""Every so many lives of a capability does harm, is vetoed, or is followed by a renewal of the lease."""


def write_lives(ledger: Ledger, size: int) -> Counter[str]:
    """Write some ``size`` entries into an empty ledger, with their evidence; return how many of each kind."""
    many = Lives()
    many.go_on(size)
    with ledger.engine.execution_options(belay_writes=True).begin() as connection:
        connection.execute(sa.insert(evidence), many.documents)
        many.batch.write(connection)
    return many.kinds


class Lives:
    """What happens, as it is put into one batch of entries."""

    def __init__(self) -> None:
        self.now = NOW
        self.batch = Batch(State(), "")
        self.documents: list[dict[str, str]] = []
        self.kinds: Counter[str] = Counter()

    def go_on(self, size: int) -> None:
        """Let the capabilities work in turns until there are ``size`` entries."""
        working = [self._capability(number) for number in range(CAPABILITIES)]
        while self.kinds.total() < size:
            for one in working:
                next(one)
            self.now += BETWEEN_LOOKS

    def do(self, command: c.Command, by: Actor = GATE) -> None:
        """Put a command to the rules, which must allow it."""
        answer = decide(self.batch.state, command, by=by, at=self.now)
        if isinstance(answer, Refusal):
            raise SystemExit(f"{command} was refused: {answer.message}")
        self.batch.add(answer, by, self.now, f"{by}-{self.kinds.total()}")
        self.kinds.update(event.kind for event in answer)

    def rests_on(self, **what: Any) -> str:
        """Return the name of a new document."""
        document = {**what, "at": self.now.isoformat()}
        self.documents.append({"sha256": sha256_of(document), "body": canonical_json(document)})
        return self.documents[-1]["sha256"]

    def known(self, name: str) -> OptimizationState:
        """Return where an optimization stands."""
        return self.batch.state.optimizations[name]

    def _capability(self, number: int) -> Iterator[None]:
        """Work for ever; each turn is half a day."""
        policy = a_policy(
            id=f"capability-{number}",
            surface=f"surface-{number}",
            initial_stage=STAGES[number % len(STAGES)],
            limits=Limits(2, 1, 6, 20 * CAPABILITIES, 600),
        )
        self.do(c.AdoptPolicy(policy, "start"))
        for life in count(1):
            yield from self._life(policy, life)
            if life % RENEWED == 0 and policy.initial_stage in policy.autonomy.leases:
                self._renew(policy, life)

    def _life(self, policy: CapabilityPolicy, life: int) -> Iterator[None]:
        name = f"{policy.id}-{life}"
        proposal = a_proposal(name, capability=policy.id, prediction=Prediction(0.05, 0.0, 0.1))
        self.do(c.Propose(proposal, policy), BOT)
        while not self.known(name).status.ended:
            self.do(c.StartStep(name, f"{name}-{self.now}", policy, evidence=self.rests_on(of=name)))
            step = self.known(name).step
            assert step is not None
            yield from self._gates(name, step, LOOKS[life % len(LOOKS)], harmful=life % HARMFUL == 0)
            if not self.known(name).status.ended:
                yield from self._oversight(name, step, policy)
                if life % VETOED == 0:
                    self.do(c.Veto(name, "not like this", frozenset({VETO}), "slack"), VERA)
                else:
                    self.do(c.IntendWidening(name, step.number))
            if pending := self.known(name).pending:
                self.do(c.ConfirmScope(name, pending.to_scope, pending.epoch, "flagd", self.now))
            yield

    def _gates(self, name: str, step: Step, looks: int, *, harmful: bool) -> Iterator[None]:
        """Quality, window and review; where nobody has seen the change yet there is nothing to look at."""

        def judge(gate: Gate, verdict: Verdict = Verdict.PASS, *, on: str, **more: Any) -> None:
            self.do(c.JudgeGate(name, step.number, gate, verdict, f"{gate} says {verdict}", on, **more))

        def document(**what: Any) -> str:
            return self.rests_on(of=name, step=step.number, **what)

        judge(Gate.QUALITY, on=document(gate="quality"))
        seen = document(gate="window")
        for look in range(1, looks + 1) if step.from_scope else ():
            seen = document(look=look)
            says = f"look {look} of {looks}: 1,204 units in the smallest treatment, nothing decided yet"
            self.do(c.TakeLook(name, step.number, look, self.now, harmful, says, seen, "unknown"))
            yield
            if harmful:
                judge(Gate.WINDOW, Verdict.FAIL, on=seen)
                return
        judge(Gate.WINDOW, on=seen)
        found = Estimate(0.04, -0.01, 0.09)
        judge(Gate.REVIEW, on=document(gate="review"), review=ReviewVerdict.WIDEN, found=found)

    def _oversight(self, name: str, step: Step, policy: CapabilityPolicy) -> Iterator[None]:
        """Ask, and do what the stage takes: a vote, a notice, or nothing but to tell people."""
        self.do(c.RequestOversight(name, step.number, policy))
        judged = self.known(name).step
        assert judged is not None
        if judged.request is not None:
            request = self.batch.state.requests[judged.request]
            if request.oversight is Oversight.APPROVE:
                self.do(c.OpenReview(request.id), NORA)
                self._approve(request.id, frozenset({APPROVER}))
            else:
                yield
                self.do(c.SettleRequest(request.id))
        shown = judged.gates[Gate.REVIEW].evidence
        self.do(c.JudgeGate(name, step.number, Gate.APPROVAL, Verdict.PASS, "granted", shown))

    def _approve(self, request: str, roles: frozenset[str]) -> None:
        shown = self.batch.state.requests[request].digest
        self.do(c.CastVote(request, Choice.APPROVE, "read the review", roles, shown, "slack"), NORA)

    def _renew(self, policy: CapabilityPolicy, life: int) -> None:
        """Keep the stage for another period, on evidence and by people."""
        run = f"renewal-{life}"
        self.do(c.StartPromotion(policy.id, policy.initial_stage, run, policy))
        for gate in (PromotionGate.QUALITY, PromotionGate.RECORD, PromotionGate.REVIEW):
            document = self.rests_on(of=policy.id, run=run, gate=gate)
            self.do(c.JudgePromotion(policy.id, run, gate, Verdict.PASS, f"{gate} is fine", document))
        self.do(c.RequestPromotion(policy.id, run, policy))
        (request,) = (r for r in self.batch.state.open_requests() if r.promotes and r.capability == policy.id)
        self._approve(request.id, frozenset(request.roles))
        self.do(c.Promote(policy.id, policy.initial_stage, "earned"))
