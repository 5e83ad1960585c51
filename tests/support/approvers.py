"""People who answer in any order: votes, vetoes, delegations, expiries, second clicks, new evidence.

Each sequence is drawn from a seed and played against the rules; the oracle judges every event. No
framework is needed here: a failing sequence is named by its seed, and its history is short.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta

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
from belay.domain.actors import Actor, agent, human
from belay.domain.capability import ApprovalRule, CapabilityPolicy
from belay.domain.decide import decide
from belay.domain.events import Choice, VoteCast
from belay.domain.evolve import evolve
from belay.domain.gates import Gate, Verdict
from belay.domain.recorded import Recorded
from belay.domain.request_state import RequestState
from belay.domain.rules.answer import Refusal
from belay.domain.scope import Ramp
from belay.domain.stages import Stage
from belay.domain.state import State

RAMP = (100, 500, 10_000)
NAME = "opt-1"
RISK, DIRECTOR = "risk_owner", "director"
BEA, DORA, MALLORY, OMAR, PAT = (human(name) for name in ("bea", "dora", "mallory", "omar", "pat"))
ROSTER: dict[str, frozenset[str]] = {
    "anna": frozenset({APPROVER, RISK}),  # answers for the bot: her votes never count
    "bea": frozenset({APPROVER, RISK}),
    "dora": frozenset({DIRECTOR}),
    "nora": frozenset({APPROVER}),
    "olive": frozenset({APPROVER, RISK}),  # owns the capability: never alone
    "omar": frozenset({RISK}),
    "vera": frozenset({VETO}),
    "pat": frozenset(),
    "mallory": frozenset(),
}
PEOPLE = (ANNA, BEA, DORA, NORA, OLIVE, OMAR, PAT, VERA, MALLORY)
_TWO = ApprovalRule(
    (APPROVER, RISK), 2, (VETO,), 7200, 3600, remind_after=0.5, escalate_after=0.75, escalate_to=(DIRECTOR,)
)
_ONE = replace(_TWO, roles=(APPROVER,), quorum=1)


def _versions(stage: Stage) -> tuple[CapabilityPolicy, ...]:
    """Return three versions of one capability's policy; they differ in who must answer."""
    policy = a_policy(initial_stage=stage, ramp=Ramp(RAMP), approval=_TWO)
    return (
        policy,
        replace(policy, approval=_ONE, digest=policy.digest[::-1]),
        replace(policy, approval=replace(_TWO, quorum=3), digest=policy.digest[1:] + policy.digest[:1]),
    )


VERSIONS = {stage: _versions(stage) for stage in (Stage.SUGGEST, Stage.SUPERVISED)}
MOVES = (
    ("go_on", 30),
    ("vote", 36),
    ("again", 8),
    ("settle", 6),
    ("time", 10),
    ("delegate", 10),
    ("give_back", 2),
    ("veto", 2),
    ("roster", 4),
    ("evidence", 2),
    ("proposal", 2),
    ("change_policy", 2),
    ("another_run", 1),
    ("widen", 8),
)


class Approvers:
    """One optimization, the people around it, and a seed that says what they do."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now = NOW
        self.state = State()
        self.history: list[Recorded] = []
        self.held = dict(ROSTER)
        self.oracle = Oracle(RAMP, free_scope=500, held=self.held)
        self.last: tuple[c.Command, Actor] | None = None
        self.versions = VERSIONS[self.chance.choice((Stage.SUGGEST, Stage.SUGGEST, Stage.SUPERVISED))]
        self.policy = self.versions[self.chance.choice((0, 0, 1, 2))]
        self.ask(c.AdoptPolicy(self.policy, "start"))
        self.ask(c.Propose(a_proposal(NAME), self.policy), BOT)

    def play(self, moves: int) -> Counter[str]:
        """Make ``moves`` moves, and return how often each kind of event came of it."""
        names, weights = zip(*MOVES, strict=True)
        for move in self.chance.choices(names, weights, k=moves):
            getattr(self, move)()
        self._agrees()
        found = Counter(recorded.event.kind for recorded in self.history)
        found["lent vote"] = sum(
            isinstance(r.event, VoteCast) and bool(r.event.on_behalf_of) for r in self.history
        )
        found.update(f"request {request.status}" for request in self.state.requests.values())
        return +found

    def _agrees(self) -> None:
        known, climb = self.state.optimizations[NAME], self.oracle.climbs[NAME]
        assert (known.scope, known.epoch) == (climb.scope, climb.epoch)
        if climb.vetoed:
            assert known.status == "vetoed", "I3: a veto did not win"
            assert known.pending is None or not known.pending.widening, "I3: still widening after a veto"
            assert not self.state.open_requests(), "I3: people are still asked after a veto"

    def ask(self, command: c.Command, by: Actor = GATE) -> None:
        self.last = (command, by)
        answer = decide(self.state, command, by=by, at=self.now)
        if isinstance(answer, Refusal):
            return
        for event in answer:
            recorded = Recorded(self.state.seq + 1, self.now, by, event)
            self.history.append(recorded)
            self.state = evolve(self.state, recorded)
            self.oracle.read(recorded)

    # -- what the machinery does ----------------------------------------------------------------

    def go_on(self) -> None:
        """Do the next sensible thing, up to asking people; what they answer is theirs."""
        known = self.state.optimizations[NAME]
        step = known.step
        if known.pending is not None:
            self.ask(c.ConfirmScope(NAME, known.pending.to_scope, known.pending.epoch, "test", self.now))
        elif step is None or known.scope >= step.to_scope or not step.passed(*step.gates):
            self.another_run()
        elif not step.passed(Gate.QUALITY, Gate.WINDOW, Gate.REVIEW):
            for gate in (Gate.QUALITY, Gate.WINDOW, Gate.REVIEW):
                self.ask(c.JudgeGate(NAME, step.number, gate, Verdict.PASS, "fine", f"{gate}-{step.number}"))
            self.ask(c.RequestOversight(NAME, step.number, self.policy))
        else:
            self.ask(c.RequestOversight(NAME, step.number, self.policy))
            if self.state.optimizations[NAME].step == step and not self.state.open_requests():
                self.widen()

    def another_run(self) -> None:
        self.ask(c.StartStep(NAME, f"run-{self.state.seq}", self.policy))

    def evidence(self) -> None:
        """The review is made again, and shows the same or something else."""
        if step := self.state.optimizations[NAME].step:
            verdict = self.chance.choice((Verdict.PASS, Verdict.HOLD, Verdict.FAIL))
            self.ask(c.JudgeGate(NAME, step.number, Gate.REVIEW, verdict, "anew", f"anew-{self.state.seq}"))
            if self.chance.random() < 0.7:
                again = f"again-{self.state.seq}"
                self.ask(c.JudgeGate(NAME, step.number, Gate.REVIEW, Verdict.PASS, "fine", again))

    def change_policy(self) -> None:
        self.policy = self.chance.choice(self.versions)
        self.ask(c.AdoptPolicy(self.policy, "changed"), OLIVE)

    def proposal(self) -> None:
        """The proposal is edited, under its old name."""
        self.ask(c.Propose(replace(a_proposal(NAME), title="Something else"), self.policy), BOT)

    def widen(self) -> None:
        if step := self.state.optimizations[NAME].step:
            self.ask(c.IntendWidening(NAME, step.number))
            if self.chance.random() < 0.5:
                self.go_on()

    def time(self) -> None:
        self.now += timedelta(seconds=self.chance.choice((1, 600, 1800, 3600, 7200, -60)))

    def settle(self) -> None:
        if request := self._some_request():
            self.ask(c.SettleRequest(request.id))

    # -- what people do -------------------------------------------------------------------------

    def vote(self) -> None:
        """Somebody answers, mostly yes, mostly about what is asked now."""
        request = self._some_request()
        if request is None:
            return
        digest = request.digest if self.chance.random() < 0.9 else "0" * 64
        choice = Choice.REJECT if self.chance.random() < 0.06 else Choice.APPROVE
        by = agent("nora") if self.chance.random() < 0.03 else self.chance.choice(PEOPLE)
        via = self.chance.choice(("slack", "airflow", "board", "cli"))
        roles = self.held.get(by.id, frozenset())
        self.ask(c.CastVote(request.id, choice, "read it", roles, digest, via, self._givers(by)), by)

    def again(self) -> None:
        """The second click: by the same person, or on another's message."""
        if self.last is None:
            return
        command, by = self.last
        if isinstance(command, c.CastVote) and self.chance.random() < 0.5:
            by = self.chance.choice(PEOPLE)
            command = replace(command, roles=self.held.get(by.id, frozenset()), givers=self._givers(by))
        self.ask(command, by)

    def veto(self) -> None:
        by = self.chance.choice((VERA, VERA, *PEOPLE))
        target = self.chance.choice((NAME, NAME, "capability:wording"))
        roles = self.held.get(by.id, frozenset())
        self.ask(c.Veto(target, "no", roles, "slack", self._givers(by)), by)

    def delegate(self) -> None:
        giver, to = self.chance.choice(PEOPLE), self.chance.choice((PAT, MALLORY, *PEOPLE))
        until = self.now + timedelta(seconds=self.chance.choice((0, 1200, 7200, 90_000)))
        roles = self.held.get(giver.id, frozenset())
        self.ask(c.Delegate(to.id, roles, until, "on leave", "slack"), giver)

    def give_back(self) -> None:
        if self.state.delegations:
            name = self.chance.choice(sorted(self.state.delegations))
            self.ask(c.EndDelegation(name, "back"), self.chance.choice(PEOPLE))

    def roster(self) -> None:
        """Somebody leaves, loses a role, or gets it back."""
        name = self.chance.choice(sorted(ROSTER))
        self.held[name] = self.chance.choice((ROSTER[name], frozenset()))

    def _givers(self, by: Actor) -> dict[str, frozenset[str]]:
        lent = self.state.delegated_to(by.id, self.now)
        return {given.giver: self.held.get(given.giver, frozenset()) for given in lent}

    def _some_request(self) -> RequestState | None:
        """Return the open request, seldom one that is closed."""
        requests = list(self.state.requests.values())
        if not requests:
            return None
        return requests[-1] if self.chance.random() < 0.9 else self.chance.choice(requests)
