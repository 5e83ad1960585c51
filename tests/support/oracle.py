"""The invariants of docs/invariants.md, from the events alone: nothing here calls a rule of the domain."""

from __future__ import annotations

from dataclasses import dataclass, field

from belay.domain import events as e
from belay.domain.recorded import Recorded

LADDER = ["observe", "suggest", "supervised", "bounded", "autonomous"]
CEILING = {"human_only": "suggest", "bounded": "bounded", "reversible": "autonomous"}
STRENGTH = ["inform", "notice", "approve"]
RAISING = {"brand", "pricing", "compliance"}
TABLE = {  # docs/invariants.md: first exposure, up to the free scope, beyond it
    "observe": None,
    "suggest": ("approve", "approve", "approve"),
    "supervised": ("notice", "approve", "approve"),
    "bounded": ("inform", "notice", "approve"),
    "autonomous": ("inform", "inform", "notice"),
}


@dataclass
class Climb:
    """What the oracle has seen of one optimization."""

    proposed: e.Proposed
    scope: int = 0
    epoch: int = 0
    gates: dict[str, str] = field(default_factory=dict)
    step: int = 0
    review_seq: int = 0
    unused: e.OversightGranted | None = None
    granted_seq: int = 0
    intent: e.WideningIntended | e.NarrowingIntended | None = None
    intended_seq: int = 0
    vetoed: bool = False
    ended: str = ""

    @property
    def shown(self) -> bool:
        """Whether anybody sees it, or soon may."""
        return self.scope > 0 or (self.intent is not None and self.intent.to_scope > 0)


def _voices(vote: e.VoteCast) -> set[str]:
    """Return whose voice a vote uses up: a delegate's that does not count leaves the giver theirs."""
    return set(_people(vote)) if vote.counted else {vote.voter}


def _people(vote: e.VoteCast) -> tuple[str, ...]:
    """Return whose voice a vote is: the voter's, and that of whom they answered for."""
    return (vote.voter, vote.on_behalf_of) if vote.on_behalf_of else (vote.voter,)


@dataclass
class Oracle:
    """Reads every event as it is appended, and fails at the first that breaks an invariant."""

    ramp: tuple[int, ...]
    free_scope: int
    climbs: dict[str, Climb] = field(default_factory=dict)
    stages: dict[str, str] = field(default_factory=dict)
    policies: dict[str, e.PolicyAdopted] = field(default_factory=dict)
    restricted: dict[str, int] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)
    requests: dict[str, e.OversightRequested] = field(default_factory=dict)
    votes: dict[str, list[tuple[Recorded, e.VoteCast]]] = field(default_factory=dict)
    escalated: dict[str, tuple[str, ...]] = field(default_factory=dict)
    reminded: set[str] = field(default_factory=set)
    lent: dict[str, tuple[Recorded, e.DelegationGiven]] = field(default_factory=dict)
    held: dict[str, frozenset[str]] | None = None
    """Who holds which roles now; None where those who ask may claim any."""
    closed: set[str] = field(default_factory=set)
    granted: set[str] = field(default_factory=set)
    stage_grants: dict[str, tuple[e.OversightGranted, int]] = field(default_factory=dict)
    promotion_gates: dict[str, dict[str, str]] = field(default_factory=dict)
    promotion_reviews: dict[str, int] = field(default_factory=dict)

    def read(self, recorded: Recorded) -> None:
        """Judge one event, then remember it."""
        event = recorded.event
        judge = getattr(self, f"_{type(event).__name__}", None)
        if judge is not None:
            judge(event, recorded)

    # -- capabilities ---------------------------------------------------------------------------

    def _PolicyAdopted(self, event: e.PolicyAdopted, recorded: Recorded) -> None:  # noqa: N802
        before = self.policies.get(event.capability)
        top = min(LADDER.index(event.ceiling), LADDER.index(CEILING[event.decision_class]))
        if before is None:
            self.stages[event.capability] = LADDER[min(top, LADDER.index(event.initial_stage))]
        else:
            changed = before.digest != event.digest
            assert recorded.by.kind == "human" or not changed, "I8: only a person changes a policy"
            assert event.reason or not changed, "a policy changed and nobody said why"
            assert LADDER.index(self.stages[event.capability]) <= top, "I1: a stage above its ceiling"
        self.policies[event.capability] = event
        self.restricted[event.capability] = recorded.seq

    def _StagePromoted(self, event: e.StagePromoted, recorded: Recorded) -> None:  # noqa: N802
        rank, policy = LADDER.index(event.to_stage), self.policies[event.capability]
        self._by_grant(event.capability, event.grant, event.to_stage, recorded)
        assert rank == LADDER.index(self.stages[event.capability]) + 1, "I1: a stage was skipped"
        assert rank <= LADDER.index(policy.ceiling), "I1: past the ceiling"
        assert rank <= LADDER.index(CEILING[policy.decision_class]), "I8: past the decision class"
        self.stages[event.capability] = event.to_stage

    def _LeaseRenewed(self, event: e.LeaseRenewed, recorded: Recorded) -> None:  # noqa: N802
        assert event.stage == self.stages[event.capability], "a lease of another stage"
        self._by_grant(event.capability, event.grant, event.stage, recorded)

    def _by_grant(self, capability: str, grant: str | None, to_stage: str, recorded: Recorded) -> None:
        """A promotion and a renewal use up the newest grant of people, given since anything got stricter."""
        assert recorded.by.kind != "agent", "AI never promotes"
        held, seq = self.stage_grants.pop(capability)
        assert grant == held.grant, "I4: another grant than people gave"
        assert (held.from_stage, held.to_stage) == (self.stages[capability], to_stage), (
            "I1: another promotion"
        )
        assert seq > self.restricted[capability], "granted before the rules became stricter"
        assert seq > self.promotion_reviews[capability], "the review is younger than the grant"
        assert not self.frozen & {"all", f"capability:{capability}"}, "promoted during a freeze"

    def _PromotionStarted(self, event: e.PromotionStarted, recorded: Recorded) -> None:  # noqa: N802
        assert recorded.by.kind != "agent", "an agent took up its own promotion"
        self.promotion_gates[event.capability] = {}
        self.stage_grants.pop(event.capability, None)

    def _PromotionJudged(self, event: e.PromotionJudged, recorded: Recorded) -> None:  # noqa: N802
        assert recorded.by.kind != "agent", "an agent judged its own promotion"
        self.promotion_gates[event.capability][event.gate] = event.verdict
        if event.gate == "review":
            self.promotion_reviews[event.capability] = recorded.seq

    def _StageDemoted(self, event: e.StageDemoted, recorded: Recorded) -> None:  # noqa: N802
        assert LADDER.index(event.to_stage) < LADDER.index(self.stages[event.capability])
        self.stages[event.capability] = event.to_stage
        self.restricted[event.capability] = recorded.seq

    def _Frozen(self, event: e.Frozen, recorded: Recorded) -> None:  # noqa: N802
        self.frozen.add(event.target)

    def _Unfrozen(self, event: e.Unfrozen, recorded: Recorded) -> None:  # noqa: N802
        assert recorded.by.kind == "human", "widening again takes a person"
        self.frozen.remove(event.target)

    # -- steps ----------------------------------------------------------------------------------

    def _Proposed(self, event: e.Proposed, recorded: Recorded) -> None:  # noqa: N802
        assert event.optimization not in self.climbs, "proposed twice"
        self.climbs[event.optimization] = Climb(event)

    def _StepStarted(self, event: e.StepStarted, recorded: Recorded) -> None:  # noqa: N802
        climb = self.climbs[event.optimization]
        assert event.step == climb.step + 1
        climb.step, climb.gates, climb.review_seq = event.step, {}, 0

    def _GateJudged(self, event: e.GateJudged, recorded: Recorded) -> None:  # noqa: N802
        assert recorded.by.kind != "agent", "an agent judged its own step"
        climb = self.climbs[event.optimization]
        climb.gates[event.gate] = event.verdict
        if event.gate == "review":
            climb.review_seq = recorded.seq

    # -- people ---------------------------------------------------------------------------------

    def _OversightRequested(self, event: e.OversightRequested, recorded: Recorded) -> None:  # noqa: N802
        assert event.request not in self.requests, "a question took the name of another"
        assert event.digest not in {asked.digest for asked in self.requests.values()}, (
            "a digest of two questions"
        )
        self.requests[event.request] = event

    def _VoteCast(self, event: e.VoteCast, recorded: Recorded) -> None:  # noqa: N802
        assert recorded.by.kind == "human", "I4: only people vote"
        assert recorded.by.id == event.voter
        asked, before = self.requests[event.request], self.votes.setdefault(event.request, [])
        assert event.digest == asked.digest, "a vote on something else"
        assert event.request not in self.closed, "a vote after the end"
        assert recorded.at < asked.expires_at, "a vote after it expired"
        heard = {person for _, vote in before for person in _voices(vote)}
        assert not _voices(event) & heard, "I4: a person was heard twice"
        if self.held is not None:
            self._stands(event, asked, recorded)
        before.append((recorded, event))

    def _stands(self, event: e.VoteCast, asked: e.OversightRequested, recorded: Recorded) -> None:
        """Whether the voter holds the roles of a vote: their own, lent ones, or as a stand-in."""
        assert self.held is not None
        holder = event.on_behalf_of or event.voter
        held = self.held.get(holder, frozenset())
        if event.on_behalf_of:
            lent = [
                frozenset(given.roles)
                for at, given in self.lent.values()
                if (at.by.id, given.to) == (holder, event.voter) and at.at <= recorded.at < given.until
            ]
            assert lent, "I4: a vote for somebody who delegated nothing"
            held &= frozenset().union(*lent)
        stands_in = bool(held & set(self.escalated.get(event.request, ())))
        allowed = set(asked.roles) if stands_in else held & set(asked.roles)
        assert event.roles, "I4: a vote in no role"
        assert set(event.roles) <= allowed, "I4: a vote in a role that nobody gave"

    def _DelegationGiven(self, event: e.DelegationGiven, recorded: Recorded) -> None:  # noqa: N802
        assert recorded.by.kind == "human", "I4: only people delegate"
        assert recorded.by.id != event.to
        if self.held is not None:
            assert set(event.roles) <= self.held.get(recorded.by.id, frozenset()), (
                "I4: lent what was not theirs"
            )
        self.lent[event.delegation] = (recorded, event)

    def _DelegationEnded(self, event: e.DelegationEnded, recorded: Recorded) -> None:  # noqa: N802
        given_by, given = self.lent.pop(event.delegation)
        assert recorded.by.id in {given_by.by.id, given.to}

    def _RequestReminded(self, event: e.RequestReminded, recorded: Recorded) -> None:  # noqa: N802
        assert event.request not in self.reminded | self.closed, "reminded twice, or too late"
        self.reminded.add(event.request)

    def _RequestEscalated(self, event: e.RequestEscalated, recorded: Recorded) -> None:  # noqa: N802
        assert event.request not in self.closed | self.escalated.keys(), "escalated twice, or too late"
        self.escalated[event.request] = event.roles

    def _RequestClosed(self, event: e.RequestClosed, recorded: Recorded) -> None:  # noqa: N802
        self.closed.add(event.request)

    def _OversightGranted(self, event: e.OversightGranted, recorded: Recorded) -> None:  # noqa: N802
        if event.request is not None:
            assert event.request not in self.granted, "granted twice"
            self.granted.add(event.request)
        if event.to_stage is not None:
            self._promotion_granted(event, recorded)
            return
        climb = self.climbs[event.optimization]
        assert STRENGTH.index(event.oversight) >= STRENGTH.index(self._needed(climb)), (
            "I2: too little oversight"
        )
        assert climb.gates.get("review") == "pass", "I2: granted before the review"
        if event.request is None:
            assert event.oversight == "inform"
        else:
            asked = self.requests[event.request]
            assert event.request not in self.closed, "granted after it was closed"
            assert event.digest == asked.digest
            if event.oversight == "approve":
                proposal = climb.proposed.proposal
                conflicted = {proposal.agent_owner, proposal.proposed_by.id}
                self._completed(conflicted, climb.proposed.capability, asked)
            else:
                assert event.oversight == "notice"
                assert recorded.at >= asked.expires_at, "the notice had not passed"
        climb.unused, climb.granted_seq = event, recorded.seq

    def _promotion_granted(self, event: e.OversightGranted, recorded: Recorded) -> None:
        assert event.request is not None, "a promotion without a question"
        asked = self.requests[event.request]
        assert event.oversight == asked.oversight == "approve", "people decide about promotions, always"
        assert event.request not in self.closed, "granted after it was closed"
        assert (event.digest, event.to_stage) == (asked.digest, asked.to_stage)
        passed = [
            self.promotion_gates[event.capability].get(g) for g in ("admit", "quality", "record", "review")
        ]
        assert passed == ["pass"] * 4, "a gate of the promotion has not passed"
        own = [c.proposed.proposal for c in self.climbs.values() if c.proposed.capability == event.capability]
        self._completed({n for p in own for n in (p.agent_owner, p.proposed_by.id)}, event.capability, asked)
        self.stage_grants[event.capability] = (event, recorded.seq)

    def _completed(self, conflicted: set[str], capability: str, asked: e.OversightRequested) -> None:
        owner = self.policies[capability].owner
        votes = self.votes.get(asked.request, [])
        assert all(vote.choice == "approve" for _, vote in votes), "granted over a rejection"
        assert all(recorded.at < asked.expires_at for recorded, _ in votes), "a vote after the end"
        free = [vote for _, vote in votes if not conflicted & set(_people(vote))]
        assert len(free) >= asked.quorum, "I4: a quorum without enough free votes"
        assert any(owner not in _people(vote) for vote in free), "I4: the owner alone"
        held = {role for vote in free for role in vote.roles}
        assert set(asked.roles) <= held, "a role is missing"

    def _Vetoed(self, event: e.Vetoed, recorded: Recorded) -> None:  # noqa: N802
        assert recorded.by.kind == "human"
        for name, climb in self.climbs.items():
            if event.target in (name, f"capability:{climb.proposed.capability}"):
                climb.vetoed = climb.vetoed or not climb.ended or climb.shown

    # -- scope ----------------------------------------------------------------------------------

    def _needed(self, climb: Climb) -> str:
        """Return the least oversight that the next step may have, from the table of docs/invariants.md."""
        capability = self.policies[climb.proposed.capability]
        row = TABLE[self.stages[capability.capability]]
        assert row is not None, "at observe nothing is shown"
        proposal, to_scope = climb.proposed.proposal, self._next(climb)
        raised = RAISING & set(proposal.tags) or not proposal.reversible or not proposal.measurable
        if raised or capability.decision_class == "human_only":
            return "approve"
        return row[0 if climb.scope == 0 else 1 if to_scope <= self.free_scope else 2]

    def _next(self, climb: Climb) -> int:
        return min(step for step in self.ramp if step > climb.scope)

    def _WideningIntended(self, event: e.WideningIntended, recorded: Recorded) -> None:  # noqa: N802
        climb = self.climbs[event.optimization]
        capability = climb.proposed.capability
        assert recorded.by.kind != "agent", "an agent widened"
        assert (event.from_scope, event.to_scope) == (climb.scope, self._next(climb)), "I1: not one step"
        grant, climb.unused = climb.unused, None
        assert grant is not None, "I2: no unused grant"
        assert grant.grant == event.grant
        assert (grant.from_scope, grant.to_scope) == (event.from_scope, event.to_scope), (
            "I2: another step's grant"
        )
        assert climb.granted_seq > climb.review_seq, "I2: the review is younger than the grant"
        assert climb.granted_seq > self.restricted[capability], "I2: the rules became stricter since"
        passed = [climb.gates.get(gate) for gate in ("admit", "quality", "window", "review")]
        assert passed == ["pass"] * 4, "I2: a gate has not passed"
        assert STRENGTH.index(grant.oversight) >= STRENGTH.index(self._needed(climb)), (
            "I2: too little oversight"
        )
        assert not climb.vetoed, "I3: widened after a veto"
        assert not climb.ended, "widened after its end"
        assert not self.frozen & {"all", f"surface:{climb.proposed.surface}", f"capability:{capability}"}
        for other in self.climbs.values():
            if other is not climb and other.proposed.surface == climb.proposed.surface:
                assert not other.shown or other.ended == "completed", "two live on one surface"
        self._intend(climb, event)
        climb.intended_seq = recorded.seq

    def _NarrowingIntended(self, event: e.NarrowingIntended, recorded: Recorded) -> None:  # noqa: N802
        climb = self.climbs[event.optimization]
        assert 0 <= event.to_scope <= climb.scope, "a narrowing that widens"
        if isinstance(climb.intent, e.NarrowingIntended):
            overtaken = event.epoch > climb.epoch + 1 and event.to_scope == climb.intent.to_scope
            lower = event.to_scope < climb.intent.to_scope
            assert lower or overtaken, "a narrowing above, or equal to, one under way"
        climb.unused = None
        self._intend(climb, event)

    def _HoldbackIntended(self, event: e.HoldbackIntended, recorded: Recorded) -> None:  # noqa: N802
        climb = self.climbs[event.optimization]
        assert climb.ended == "completed", "who is held back changes only where everybody may see it"
        assert climb.intent is None, "the hold-back turned under a change of scope"
        same = e.NarrowingIntended(
            event.optimization, climb.scope, climb.scope, event.epoch, "holdback", event.reason
        )
        self._intend(climb, same)

    def _intend(self, climb: Climb, event: e.WideningIntended | e.NarrowingIntended) -> None:
        assert event.epoch > climb.epoch, "epochs are fencing tokens: one after the other"
        if isinstance(event, e.WideningIntended):
            assert event.epoch == climb.epoch + 1, "a widening skipped an epoch"
        climb.epoch, climb.intent = event.epoch, event

    def _ScopeConfirmed(self, event: e.ScopeConfirmed, recorded: Recorded) -> None:  # noqa: N802
        climb = self.climbs[event.optimization]
        assert recorded.by.kind != "agent", "an agent confirmed a scope"
        assert climb.intent is not None, "confirmed without an intent"
        assert (event.scope, event.epoch) == (climb.intent.to_scope, climb.intent.epoch)
        if event.scope > climb.scope:
            assert isinstance(climb.intent, e.WideningIntended), "I2: scope went up without a grant"
            assert not climb.vetoed, "I3: a veto did not stop a widening under way"
            capability, surface = climb.proposed.capability, climb.proposed.surface
            assert not self.frozen & {"all", f"surface:{surface}", f"capability:{capability}"}, (
                "a freeze or a stop did not stop a widening under way"
            )
            assert self.restricted[capability] < climb.intended_seq, "the rules became stricter meanwhile"
        climb.scope, climb.intent = event.scope, None

    def _OptimizationEnded(self, event: e.OptimizationEnded, recorded: Recorded) -> None:  # noqa: N802
        climb = self.climbs[event.optimization]
        if event.outcome == "completed":
            assert climb.scope == self.ramp[-1]
        climb.ended = event.outcome
