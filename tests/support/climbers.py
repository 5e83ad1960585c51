"""A Hypothesis state machine that asks for everything, in any order: good, bad, late, twice, by anybody."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.support.builders import (
    ANNA,
    APPROVER,
    BOT,
    GATE,
    NORA,
    NOW,
    OLIVE,
    VERA,
    VETO,
    a_policy,
    a_proposal,
)
from tests.support.oracle import Oracle

from belay.domain import commands as c
from belay.domain.actors import Actor, agent, human, service
from belay.domain.capability import ApprovalRule, CapabilityPolicy
from belay.domain.events import Choice
from belay.domain.gates import Gate, PromotionGate, ReviewVerdict, Verdict
from belay.domain.recorded import Recorded
from belay.domain.rules.due import due_demotions
from belay.domain.scope import Ramp
from belay.domain.stages import DecisionClass, Stage
from belay.domain.state import State

RAMP = (100, 500, 10_000)


def _versions(policy: CapabilityPolicy, **changes: object) -> list[CapabilityPolicy]:
    return [policy, replace(policy, digest=policy.digest[::-1], **changes)]  # type: ignore[arg-type]


_TWO = ApprovalRule((APPROVER, "legal"), 2, (VETO,), expires_seconds=7200, notice_seconds=3600)
POLICIES = {
    "wording": _versions(a_policy(ramp=Ramp(RAMP)), ceiling=Stage.SUGGEST, approval=_TWO),
    "ranking": _versions(
        a_policy(
            id="ranking",
            surface="search",
            decision_class=DecisionClass.BOUNDED,
            initial_stage=Stage.AUTONOMOUS,
            ramp=Ramp(RAMP),
        ),
        surface="checkout",
    ),
    "brand": _versions(
        a_policy(
            id="brand",
            surface="home",
            decision_class=DecisionClass.HUMAN_ONLY,
            initial_stage=Stage.AUTONOMOUS,
            ramp=Ramp(RAMP),
        ),
        decision_class=DecisionClass.REVERSIBLE,
    ),
}
PROPOSALS = {
    "wording-1": a_proposal("wording-1"),
    "wording-2": a_proposal("wording-2", tags=("pricing",), proposed_by=NORA),
    "ranking-1": a_proposal("ranking-1", capability="ranking"),
    "ranking-2": a_proposal("ranking-2", capability="ranking", reversible=False),
    "brand-1": a_proposal("brand-1", capability="brand"),
}
PROMOTION_GATES = (PromotionGate.QUALITY, PromotionGate.RECORD, PromotionGate.REVIEW)
ACTORS = [ANNA, NORA, OLIVE, VERA, BOT, GATE, agent("anna"), service("nora"), human("mallory")]

optimizations = st.sampled_from(sorted(PROPOSALS))
capabilities = st.sampled_from(sorted(POLICIES))
actors = st.sampled_from(ACTORS)
steps = st.integers(1, 4)
version = st.integers(0, 1)
moments = st.sampled_from(["started", "reviewed", "asked", "granted", "intended", "widened"])
attacks = st.sampled_from(
    [
        "demote",
        "policy",
        "review",
        "vote",
        "reject",
        "narrow",
        "veto",
        "admit",
        "settle",
        "forge",
        "back",
        "freeze",
        "stop",
        "contain",
    ]
)
amounts = st.sampled_from([0, 100, 300, 500])
targets = st.sampled_from(
    ["all", "surface:checkout", "surface:home", "capability:ranking", "capability:x", ""]
)


class Climbers(RuleBasedStateMachine):
    """Any number of actors against the rules; the oracle reads every event that comes of it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.last: tuple[c.Command, Actor] | None = None
        self.oracle = Oracle(RAMP, free_scope=500)

    # What a subclass answers: the state now, and what a command appends.

    def state(self) -> State:
        raise NotImplementedError

    def append(self, command: c.Command, by: Actor, at: datetime) -> list[Recorded]:
        raise NotImplementedError

    def ask(self, command: c.Command, by: Actor = GATE) -> list[Recorded]:
        self.last = (command, by)
        appended = self.append(command, by, self.now)
        for recorded in appended:
            self.oracle.read(recorded)
        return appended

    def policy(self, capability: str) -> CapabilityPolicy:
        """Return the version that is in force."""
        known = self.state().capabilities.get(capability)
        first, second = POLICIES[capability]
        return second if known and known.policy == second.digest else first

    @initialize(
        climbed=st.lists(st.tuples(optimizations, st.integers(1, 25)), max_size=2),
        promoted=st.lists(capabilities, max_size=3),
    )
    def open(self, climbed: list[tuple[str, int]], promoted: list[str]) -> None:
        """Begin somewhere on the way, so that short sequences reach far."""
        for name in POLICIES:
            self.ask(c.AdoptPolicy(POLICIES[name][0], "start"))
        for proposal in PROPOSALS.values():
            self.ask(c.Propose(proposal, self.policy(proposal.capability)), proposal.proposed_by)
        for name in promoted:
            self.promote_one(name)
        for name, times in climbed:
            self.climb(name, times)

    # -- the usual way, so that sequences get somewhere -----------------------------------------

    @rule(name=optimizations, times=st.integers(1, 14))
    def go_on(self, name: str, times: int) -> None:
        self.climb(name, times)

    def climb(self, name: str, times: int) -> None:
        """Do the next sensible thing for an optimization, a few times."""
        for _ in range(times):
            self.next_of(name)

    def next_of(self, name: str) -> None:
        state = self.state()
        known = state.optimizations[name]
        policy, step = self.policy(known.capability), known.step
        if known.pending is not None:
            self.ask(c.ConfirmScope(name, known.pending.to_scope, known.pending.epoch, "test", self.now))
        elif step is None or known.scope >= step.to_scope or not step.passed(*step.gates):
            self.ask(c.StartStep(name, f"run-{state.seq}", policy))
        elif not step.passed(Gate.QUALITY, Gate.WINDOW, Gate.REVIEW):
            gate = next(g for g in (Gate.QUALITY, Gate.WINDOW, Gate.REVIEW) if not step.passed(g))
            self.ask(c.JudgeGate(name, step.number, gate, Verdict.PASS, "fine", f"{state.seq}"))
        elif known.grant is not None and known.grant.step == step.number:
            self.ask(c.IntendWidening(name, step.number))
        elif open_ones := [r for r in state.open_requests() if r.optimization == name]:
            (request,) = open_ones
            roles = frozenset(request.roles)
            for voter in (OLIVE, human("paul")):
                self.ask(c.CastVote(request.id, Choice.APPROVE, "seen", roles, request.digest, "cli"), voter)
            if request.oversight == "notice":
                self.now = max(self.now, request.expires_at)
                self.ask(c.SettleRequest(request.id))
        else:
            self.ask(c.RequestOversight(name, step.number, policy))
            if self.state().optimizations[name].step == step:  # nothing came of it: another run
                self.ask(c.StartStep(name, f"run-{state.seq}", policy))

    # -- the worst moment -----------------------------------------------------------------------

    @rule(
        attacks=st.lists(st.tuples(optimizations, moments, attacks, actors, amounts), min_size=1, max_size=8)
    )
    def attack_all(self, attacks: list[tuple[str, str, str, Actor, int]]) -> None:
        for name, moment, attack, by, amount in attacks:
            self.attack(name, moment, attack, by, amount)

    def attack(self, name: str, moment: str, attack: str, by: Actor, amount: int) -> None:
        """Bring an optimization to a moment, do the one thing that should stop it, and try to widen."""
        for _ in range(16):
            if self.reached(name, moment):
                break
            self.next_of(name)
        for command in self.attack_of(name, attack, amount):
            self.ask(command, OLIVE if isinstance(command, c.AdoptPolicy) else by)
        state = self.state()
        known = state.optimizations[name]
        if known.step is not None:
            self.ask(c.IntendWidening(name, known.step.number))
            self.ask(c.RequestOversight(name, known.step.number, self.policy(known.capability)))
            self.ask(c.IntendWidening(name, known.step.number))

    def reached(self, name: str, moment: str) -> bool:
        state = self.state()
        known, step = state.optimizations[name], state.optimizations[name].step
        return {
            "started": step is not None,
            "reviewed": step is not None and step.passed(Gate.REVIEW),
            "asked": any(request.optimization == name for request in state.open_requests()),
            "granted": known.grant is not None and not known.grant.used,
            "intended": known.pending is not None and known.pending.widening,
            "widened": known.scope > 0,
        }[moment]

    def attack_of(self, name: str, attack: str, amount: int) -> list[c.Command]:
        state = self.state()
        known = state.optimizations[name]
        number = known.step.number if known.step else 1
        capability = known.capability
        requests = [request for request in state.requests.values() if request.optimization == name][-1:]
        stage = state.capabilities[capability].stage.below or Stage.OBSERVE
        forged = replace(self.policy(capability), decision_class=DecisionClass.REVERSIBLE)
        old = self.policy(capability)
        votes: list[c.Command] = [
            c.CastVote(r.id, choice, "seen", frozenset(r.roles), r.digest, "cli")
            for r in requests
            for choice in ([Choice.REJECT] if attack == "reject" else [Choice.APPROVE])
        ]
        attacks: dict[str, list[c.Command]] = {
            "demote": [c.Demote(capability, stage, "harm-rate", "harm")],
            "policy": [c.AdoptPolicy(p, "there and back") for p in POLICIES[capability][::-1]],
            "review": [c.JudgeGate(name, number, Gate.REVIEW, Verdict.PASS, "again", f"anew-{state.seq}")],
            "vote": votes,
            "reject": [*votes, *(c.SettleRequest(r.id) for r in requests)],
            "narrow": [c.RollBack(name, "guard", "blind", amount), c.RollBack(name, "guard", "less", 300)],
            "veto": [c.Veto(name, "no", frozenset({VETO}), "cli")],
            "admit": [
                c.Freeze("all", "look"),
                c.StartStep(name, f"frozen-{state.seq}", old),
                *(c.JudgeGate(name, number + 1, gate, Verdict.PASS, "yes", "e") for gate in Gate),
                c.Unfreeze("all", "looked", frozenset({VETO})),
            ],
            "settle": [c.SettleRequest(r.id) for r in requests],
            "freeze": [c.Freeze(f"surface:{known.surface}", "look")],
            "stop": [c.Stop(f"stop-{state.seq}", "all", "enough", "cli", self.now, {name: known.epoch + 1})],
            "contain": [c.Contain(name, amount + 9000, known.epoch, "flags", "wider", by_hand=amount == 0)],
            "forge": [
                c.StartStep(name, f"forged-{state.seq}", forged),
                *(c.JudgeGate(name, number + 1, gate, Verdict.PASS, "yes", "e") for gate in list(Gate)[1:4]),
                c.RequestOversight(name, number + 1, forged),
            ],
            "back": [c.ConfirmScope(name, scope, known.epoch, "late", self.now) for scope in RAMP],
        }
        return attacks[attack]

    # -- anything, by anybody -------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1.0, 600.0, 3600.0, 7200.0, 90_000.0, -600.0, -90_000.0]))
    def time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(by=st.none() | actors)
    def again(self, by: Actor | None) -> None:
        """The second click."""
        if self.last is not None:
            command, who = self.last
            self.ask(command, by or who)

    @rule(name=capabilities, version=version, by=actors)
    def adopt(self, name: str, version: int, by: Actor) -> None:
        self.ask(c.AdoptPolicy(POLICIES[name][version], "changed"), by)

    @rule(name=optimizations, by=actors, title=st.sampled_from(["Say when it arrives", "Something else"]))
    def propose(self, name: str, by: Actor, title: str) -> None:
        proposal = replace(PROPOSALS[name], title=title)
        self.ask(c.Propose(proposal, self.policy(proposal.capability)), by)

    @rule(name=capabilities, stage=st.sampled_from(Stage), by=actors)
    def promote(self, name: str, stage: Stage, by: Actor) -> None:
        self.ask(c.Promote(name, stage, "earned"), by)

    @rule(name=capabilities)
    def earn(self, name: str) -> None:
        self.promote_one(name)

    def promote_one(self, name: str) -> None:
        stage = self.state().capabilities[name].stage
        for _ in range(9):
            self.next_of_promotion(name, stage.above or stage)

    def next_of_promotion(self, name: str, to_stage: Stage) -> None:
        """Do the next sensible thing for a promotion."""
        state = self.state()
        known, policy = state.capabilities[name], self.policy(name)
        promotion = known.promotion
        if promotion is None or not promotion.passed(*promotion.gates):
            self.ask(c.StartPromotion(name, to_stage, f"promotion-{state.seq}", policy))
        elif gate := next((g for g in PROMOTION_GATES if not promotion.passed(g)), None):
            evidence = f"record-{state.seq}"
            self.ask(c.JudgePromotion(name, promotion.run, gate, Verdict.PASS, "fine", evidence))
        elif known.grant is not None:
            self.ask(c.Promote(name, promotion.to_stage, "earned"))
        elif asked := [r for r in state.open_requests() if r.promotes and r.capability == name]:
            (request,) = asked
            voter = (NORA, OLIVE, human("paul"))[len(request.votes) % 3]
            roles = frozenset(request.roles)
            self.ask(c.CastVote(request.id, Choice.APPROVE, "seen", roles, request.digest, "cli"), voter)
        elif promotion.request is None:
            self.ask(c.RequestPromotion(name, promotion.run, policy))
        else:  # nothing came of it: another run
            self.ask(c.StartPromotion(name, to_stage, f"promotion-{state.seq}", policy))

    @rule(name=capabilities, stage=st.sampled_from(Stage), times=st.integers(1, 9))
    def go_on_with_promotion(self, name: str, stage: Stage, times: int) -> None:
        for _ in range(times):
            self.next_of_promotion(name, stage)

    @rule(
        name=capabilities,
        attack=st.sampled_from(["demote", "policy", "harm", "review", "veto", "freeze", "start", "lease"]),
        moment=st.integers(1, 9),
        by=actors,
    )
    def attack_promotion(self, name: str, attack: str, moment: int, by: Actor) -> None:
        """Bring a promotion to a moment, do the one thing that should stop it, and try to promote."""
        above = self.state().capabilities[name].stage.above or Stage.AUTONOMOUS
        for _ in range(moment):
            self.next_of_promotion(name, above)
        state = self.state()
        known, own = state.capabilities[name], [n for n in PROPOSALS if PROPOSALS[n].capability == name]
        run = known.promotion.run if known.promotion else "none"
        below = known.stage.below or Stage.OBSERVE
        commands: dict[str, list[c.Command]] = {
            "demote": [c.Demote(name, below, "harm-rate", "harm")],
            "policy": [c.AdoptPolicy(p, "there and back") for p in POLICIES[name][::-1]],
            "harm": [c.RollBack(n, "harm", "it hurts") for n in own],
            "review": [
                c.JudgePromotion(name, run, PromotionGate.REVIEW, Verdict.HOLD, "anew", f"{state.seq}")
            ],
            "veto": [c.Veto(f"capability:{name}", "no", frozenset({VETO}), "cli")],
            "freeze": [c.Freeze(f"capability:{name}", "look")],
            "start": [c.StartPromotion(name, above, f"other-{state.seq}", self.policy(name))],
            "lease": list(due_demotions(state, self.policy(name), self.now)),
        }
        for command in commands[attack]:
            self.ask(command, OLIVE if isinstance(command, c.AdoptPolicy) else by)
        for who in (by, GATE):
            self.ask(c.Promote(name, above, "earned"), who)
            self.ask(c.Promote(name, known.stage, "renewed"), who)

    @rule(name=capabilities, stage=st.sampled_from(Stage), by=actors)
    def demote(self, name: str, stage: Stage, by: Actor) -> None:
        self.ask(c.Demote(name, stage, "harm-rate", "too much harm"), by)

    @rule(what=targets, by=actors)
    def freeze(self, what: str, by: Actor) -> None:
        self.ask(c.Freeze(what, "look"), by)

    @rule(by=actors)
    def unfreeze(self, by: Actor) -> None:
        for target in sorted(self.oracle.frozen):
            self.ask(c.Unfreeze(target, "looked", frozenset({VETO})), by)

    @rule(name=optimizations, forged=st.booleans(), version=version, run=st.integers(1, 3), by=actors)
    def start(self, name: str, forged: bool, version: int, run: int, by: Actor) -> None:
        self.ask(c.StartStep(name, f"run-{run}", self.some_policy(name, version, forged=forged)), by)

    def some_policy(self, name: str, version: int, *, forged: bool) -> CapabilityPolicy:
        """Return a version of the policy, or one of another class under the digest in force."""
        capability = PROPOSALS[name].capability
        if not forged:
            return POLICIES[capability][version]
        return replace(self.policy(capability), decision_class=DecisionClass.REVERSIBLE)

    @rule(
        name=optimizations,
        step=steps,
        gate=st.sampled_from(Gate),
        verdict=st.sampled_from([*Verdict, Verdict.PASS, Verdict.PASS]),
        evidence=st.sampled_from(["e1", "e2"]),
        review=st.none() | st.sampled_from(ReviewVerdict),
        by=actors,
    )
    def judge(
        self,
        name: str,
        step: int,
        gate: Gate,
        verdict: Verdict,
        evidence: str,
        review: ReviewVerdict | None,
        by: Actor,
    ) -> None:
        self.ask(c.JudgeGate(name, step, gate, verdict, "so it is", evidence, review), by)

    @rule(name=optimizations, step=steps, forged=st.booleans(), version=version, by=actors)
    def request(self, name: str, step: int, forged: bool, version: int, by: Actor) -> None:
        self.ask(c.RequestOversight(name, step, self.some_policy(name, version, forged=forged)), by)

    @rule(
        by=actors,
        choice=st.sampled_from(Choice),
        roles=st.sets(st.sampled_from([APPROVER, "legal", VETO])),
        right=st.sampled_from([True, True, True, False]),
        which=st.integers(0, 7),
    )
    def vote(self, by: Actor, choice: Choice, roles: set[str], right: bool, which: int) -> None:
        requests = list(self.state().requests.values())
        if requests:
            request = requests[-1 - which % len(requests)]
            digest = request.digest if right else "0" * 64
            self.ask(c.CastVote(request.id, choice, "seen", frozenset(roles), digest, "cli"), by)

    @rule(which=st.integers(0, 7), by=actors)
    def settle(self, which: int, by: Actor) -> None:
        requests = list(self.state().requests)
        if requests:
            self.ask(c.SettleRequest(requests[-1 - which % len(requests)]), by)

    @rule(what=optimizations | st.sampled_from(["capability:wording", "capability:ranking"]), by=actors)
    def veto(self, what: str, by: Actor) -> None:
        self.ask(c.Veto(what, "no", frozenset({VETO}), "cli"), by)

    @rule(name=optimizations, step=steps, by=actors)
    def intend(self, name: str, step: int, by: Actor) -> None:
        self.ask(c.IntendWidening(name, step), by)

    @rule(name=optimizations, to_scope=st.sampled_from([0, 0, 100, 300, 500, 9000, -1]), by=actors)
    def roll_back(self, name: str, to_scope: int, by: Actor) -> None:
        self.ask(c.RollBack(name, "harm", "it hurts", to_scope), by)

    @rule(what=targets, by=actors, epochs=st.dictionaries(optimizations, st.integers(0, 9), max_size=2))
    def stop(self, what: str, by: Actor, epochs: dict[str, int]) -> None:
        self.ask(c.Stop(f"stop-{self.state().seq}", what, "enough", "cli", self.now, epochs), by)

    @rule(name=optimizations, epoch=st.integers(0, 6), by=actors)
    def turn_back(self, name: str, epoch: int, by: Actor) -> None:
        self.ask(c.TurnBack(name, epoch, "stale-epoch", "it lost"), by)

    @rule(
        name=optimizations,
        scope=st.sampled_from([0, 300, 500, 10_000]),
        epoch=st.integers(0, 9),
        by_hand=st.booleans(),
        by=actors,
    )
    def contain(self, name: str, scope: int, epoch: int, by_hand: bool, by: Actor) -> None:
        self.ask(c.Contain(name, scope, epoch, "flags", "not what was decided", by_hand), by)

    @rule(name=optimizations, scope=st.sampled_from([0, *RAMP]), epoch=st.integers(0, 5), by=actors)
    def confirm_many_late(self, name: str, scope: int, epoch: int, by: Actor) -> None:
        late = c.ConfirmScope(name, scope, epoch, "test", self.now)
        self.ask(c.ConfirmScopes((late, late)), by)

    @rule(name=optimizations, scope=st.sampled_from([0, *RAMP]), epoch=st.integers(0, 5), by=actors)
    def confirm_late(self, name: str, scope: int, epoch: int, by: Actor) -> None:
        self.ask(c.ConfirmScope(name, scope, epoch, "test", self.now), by)

    # -- what must hold at any time -------------------------------------------------------------

    @invariant()
    def the_oracle_and_the_state_agree(self) -> None:
        state = self.state()
        for name, climb in self.oracle.climbs.items():
            known = state.optimizations[name]
            assert (known.scope, known.epoch) == (climb.scope, climb.epoch)
            assert known.status.ended == bool(climb.ended or climb.vetoed)
        for name, stage in self.oracle.stages.items():
            assert state.capabilities[name].stage == stage
        if "brand" in self.oracle.policies and self.oracle.policies["brand"].decision_class == "human_only":
            assert state.capabilities["brand"].stage in {"observe", "suggest"}, "I8"
