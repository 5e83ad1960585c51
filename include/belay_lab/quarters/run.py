"""One agent, one seed, some quarters: day by day through the rules that production goes through."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from belay.cells.documents import to_plain
from belay.domain import commands as c
from belay.domain.actors import human
from belay.domain.capability import CapabilityPolicy
from belay.domain.capability_state import CapabilityState
from belay.domain.criteria import Standing, judge_record
from belay.domain.events import Choice
from belay.domain.gates import Estimate, Gate, PromotionGate, ReviewVerdict, Verdict
from belay.domain.oversight import Oversight
from belay.domain.record import record_of
from belay.domain.request_state import RequestState
from belay.domain.rules.due import due_demotions
from belay.domain.scope import FULL_SCOPE
from belay.domain.stages import Stage
from belay.domain.state import OptimizationState, Status
from belay.gates.promotion_due import next_stage
from belay.measurement.dispersion import earlier_of
from belay.review.verdict import verdict_of
from belay_lab.quarters.agents import CONVERSION, AgentKind, Change, propose
from belay_lab.quarters.measured import DAY, Counts, Traffic, Window, overall
from belay_lab.quarters.people import People
from belay_lab.quarters.world import World

BEGIN = datetime(2026, 1, 1, 9, tzinfo=UTC)
_WEEK = 7
_IDEAS_A_DAY = 2
"""Proposals that people judge in a day while nothing is shown."""
_DATA_IS_SOUND = 0.98
"""Share of days on which the quality gate passes."""
_APPROVERS = ("nora", "paul")


@dataclass(frozen=True, slots=True)
class Course:
    """What became of an agent: its stage at the end of each day, and what it took.

    Attributes
    ----------
    kind, seed : str, int
        Who, and which draw.
    stages : tuple[Stage, ...]
        Day by day.
    demotions : tuple[tuple[int, str], ...]
        Day and rule of every demotion.
    completed, rolled_back, stopped : int
        How its optimizations ended.
    """

    kind: str
    seed: int
    stages: tuple[Stage, ...]
    demotions: tuple[tuple[int, str], ...]
    completed: int
    rolled_back: int
    stopped: int

    @property
    def highest(self) -> Stage:
        """The highest stage that it ever had."""
        return max(self.stages, key=lambda stage: stage.rank)


class Quarters:
    """A simulation of one agent working for one capability."""

    def __init__(
        self, kind: AgentKind, seed: int, policy: CapabilityPolicy, traffic: Traffic, people: People
    ) -> None:
        self.kind, self.seed, self.traffic, self.people = kind, seed, traffic, people
        self.policy = replace(
            policy, decision_class=kind.decision_class, digest=f"{policy.digest}-{kind.name}"
        )
        self.rng = np.random.default_rng([seed, *kind.name.encode()])
        self.world = World(BEGIN)
        self.day = 0
        self.number = 0
        self.changes: dict[str, Change] = {}
        self.current: str | None = None
        self.window: Window | None = None
        self.seen: dict[int, tuple[Counts, Counts]] = {}
        self.reviewed: dict[str, dict[str, Any]] = {}
        self.world.do(c.AdoptPolicy(self.policy, "the scenario begins"), human("olive"))

    def run(self, days: int) -> Course:
        """Let ``days`` pass."""
        stages = []
        for self.day in range(days):
            self.world.now = BEGIN + self.day * DAY
            self._shop_day()
            self._guard()
            self._work()
            if self.day % _WEEK == _WEEK - 1:
                self.world.now += timedelta(hours=2)
                self._overall()
                self._promotion()
            stages.append(self.capability.stage)
        ends: dict[Status, int] = defaultdict(int)
        for known in self.world.state.optimizations.values():
            ends[known.status] += 1
        return Course(
            self.kind.name,
            self.seed,
            tuple(stages),
            tuple(self._demotions()),
            ends[Status.COMPLETED],
            ends[Status.ROLLED_BACK],
            ends[Status.STOPPED],
        )

    @property
    def capability(self) -> CapabilityState:
        """The capability as the rules see it."""
        return self.world.state.capabilities[self.policy.id]

    # -- what watches -----------------------------------------------------------------------------

    def _guard(self) -> None:
        for demotion in due_demotions(self.world.state, self.policy, self.world.now):
            self.world.do(demotion, "guard")
            self._settle_scopes()
        for known in list(self.world.state.optimizations.values()):
            if known.holdback:
                self.world.do(c.TurnHoldback(known.id, self.world.now), "guard")
        self._settle_scopes()
        if self.current and not self._known(self.current).live and self._known(self.current).phases:
            self._drop()

    def _shop_day(self) -> None:
        """Let the holdout and everybody else see the shop as it is today."""
        live = [known for known in self.world.state.optimizations.values() if known.scope]
        together = 1.0
        for known in live:
            together *= 1 + self.changes[known.id].overall * known.scope / FULL_SCOPE
        held = self.capability.holdout / FULL_SCOPE
        units = self.rng.multinomial(self.traffic.units_per_day, [held, 1 - held])
        rate = self.traffic.rates[CONVERSION]
        self.seen[self.day] = (units, self.rng.binomial(units, [rate, min(rate * together, 1.0)]))

    def _overall(self) -> None:
        shown = [o.id for o in self.world.state.optimizations.values() if o.phases]
        first = (self.capability.stage_since - BEGIN).days + 1
        days = [self.seen[day] for day in range(first, self.day + 1)]
        if not shown or not days or not self.capability.holdout:
            return
        since = BEGIN + first * DAY
        holdout = self.capability.holdout / FULL_SCOPE
        findings = overall(self.policy, shown, days, since=since, holdout=holdout)
        effect = findings.arms[0].primary
        found = Estimate(effect.effect, effect.low, effect.high)
        if found.sound:
            command = c.RecordOec(self.policy.id, found, since, self.world.now, effect.sentence, None)
            self.world.do(command, "oec")

    # -- what the agent and people do ---------------------------------------------------------------

    def _work(self) -> None:
        if self.capability.stage is Stage.OBSERVE:
            self._ideas()
            return
        if self.current is None:
            self.current = self._propose().proposal.optimization
        self._climb(self.current)

    def _propose(self) -> Change:
        self.number += 1
        change = propose(self.kind, self.number, self.day, self.policy, self.rng)
        self.changes[change.proposal.optimization] = change
        self.world.do(c.Propose(change.proposal, self.policy), change.proposal.proposed_by)
        return change

    def _ideas(self) -> None:
        for _ in range(_IDEAS_A_DAY):
            change = self._propose()
            agrees = self.people.likes(self.rng, good=change.good)
            roles = frozenset(self.policy.approval.roles)
            judge = c.JudgeProposal(change.proposal.optimization, agrees, "what I would do", roles, "slack")
            self.world.do(judge, human("nora"))

    def _climb(self, name: str) -> None:
        """Take an optimization as far as it goes today."""
        known = self._known(name)
        step = known.step
        # The scope moved since the step began: it widened, or a demotion narrowed it.
        if step is None or known.scope != step.from_scope or not step.passed(Gate.ADMIT):
            self.window = None
            self.world.do(c.StartStep(name, f"{name}-{self.day}", self.policy), "admit")
            known = self._known(name)
            if known.step is None or not known.step.passed(Gate.ADMIT):
                return
        assert known.step is not None
        if not known.step.passed(Gate.QUALITY):
            sound = self.rng.random() < _DATA_IS_SOUND
            self._judge(known, Gate.QUALITY, Verdict.PASS if sound else Verdict.HOLD)
            if not sound:
                return
        verdict = self._review(known)
        if verdict is ReviewVerdict.WIDEN:
            self._widen(name)
        elif verdict is not None:
            self._settle_scopes()
            self._drop()

    def _review(self, known: OptimizationState) -> ReviewVerdict | None:
        """Watch, and judge when the window is over; None while it is not, or while nothing is decided."""
        step = known.step
        assert step is not None
        if step.passed(Gate.REVIEW):
            return ReviewVerdict.WIDEN
        if known.scope == 0:
            self._judge(known, Gate.WINDOW, Verdict.PASS)
            self._judge(known, Gate.REVIEW, Verdict.PASS, ReviewVerdict.WIDEN)
            return ReviewVerdict.WIDEN
        window = self.window or self._open_window(known)
        window.next_day()
        look = window.look()
        taken = c.TakeLook(
            known.id,
            step.number,
            window.days,
            self.world.now,
            harmful=look.harm_sentence is not None,
            sentence=look.sentence,
            evidence=None,
            finding=str(look.finding),
        )
        self.world.do(taken, "window")
        if look.harm_sentence is not None:
            self._judge(known, Gate.WINDOW, Verdict.FAIL, sentence=look.harm_sentence, caution=look.caution)
            return ReviewVerdict.ROLL_BACK
        over = window.days * DAY >= timedelta(seconds=self.policy.window.maximum_seconds)
        if not (look.decided or over or window.days * DAY == self._length):
            return None
        extended = window.days * DAY > self._length
        findings = window.decide(extended=extended)
        self.reviewed[known.id] = {"metrics": to_plain(findings.effects)}
        verdict, sentence = verdict_of(findings, look, {"verdict": "pass"})
        if verdict is ReviewVerdict.HOLD and not over:
            return None  # a later run looks again
        self._judge(known, Gate.WINDOW, Verdict.PASS)
        best = findings.best
        interval = (best.primary.expected or best.primary) if best else None
        found = Estimate(best.primary.effect, interval.low, interval.high) if best and interval else None
        found = found if found is not None and found.sound else None
        self._judge(
            known,
            Gate.REVIEW,
            verdict.gate,
            verdict,
            sentence=sentence,
            found=found,
            caution=findings.caution,
        )
        if verdict is ReviewVerdict.HOLD:  # its time is over: the agent takes it back and goes on
            withdrawn = c.RollBack(known.id, "withdrawn", "nothing was shown in time")
            self.world.do(withdrawn, known.proposal.proposed_by)
        return verdict

    @property
    def _length(self) -> timedelta:
        return timedelta(seconds=self.policy.window.minimum_seconds)

    def _open_window(self, known: OptimizationState) -> Window:
        change, step = self.changes[known.id], known.step
        lucky = self.day < self.kind.luck_ends
        # The holdout stands beside the arms of every step.
        part = 1 - known.holdout / FULL_SCOPE
        taking_part = replace(self.traffic, units_per_day=round(self.traffic.units_per_day * part))
        self.window = Window(
            self.policy,
            change.proposal,
            taking_part,
            change.truths,
            scope=known.scope,
            phase=len(known.phases) - 1,
            start=known.phases[-1].start,
            length=self._length,
            level=step.level if step else None,
            luck=self.kind.luck if lucky else 0.0,
            rng=self.rng,
            earlier=earlier_of(reversed(self.reviewed.values())),
        )
        return self.window

    def _widen(self, name: str) -> None:
        """Get the oversight that the step needs, and widen."""
        known = self._known(name)
        assert known.step is not None
        number = known.step.number
        self.world.do(c.RequestOversight(name, number, self.policy), "approval")
        for request in self.world.state.open_requests():
            if request.optimization == name and not self._answered(request):
                self.world.do(
                    c.RollBack(name, "rejected", "people said no", evidence=None), known.proposal.proposed_by
                )
                self._settle_scopes()
                self._drop()
                return
        self._judge(self._known(name), Gate.APPROVAL, Verdict.PASS)
        self.world.do(c.IntendWidening(name, number), "flag-writer")
        self._settle_scopes()
        if self._known(name).status.ended:
            self._drop()

    def _answered(self, request: RequestState) -> bool:
        """Answer a request about a step; whether it was granted."""
        if request.oversight is Oversight.NOTICE:
            self.world.now = request.expires_at
            self.world.do(c.SettleRequest(request.id), "approval")
            return True
        yes = self.people.approves_step(self.rng)
        self._vote(request, Choice.APPROVE if yes else Choice.REJECT)
        return yes

    def _vote(self, request: RequestState, choice: Choice) -> None:
        """Let people answer, as many as the quorum takes; one no is enough."""
        self.world.now += timedelta(minutes=30)
        voters = _APPROVERS if choice is Choice.APPROVE and request.quorum > 1 else _APPROVERS[:1]
        for voter in voters:
            roles = frozenset(request.roles)
            vote = c.CastVote(request.id, choice, "read the review", roles, request.digest, "slack")
            self.world.do(vote, human(voter))

    # -- stages -----------------------------------------------------------------------------------

    def _promotion(self) -> None:
        """Ask for the next stage, or the lease anew, when the record meets every criterion."""
        world, name = self.world, self.policy.id
        to_stage = next_stage(self.capability, self.policy, world.now)
        if to_stage is self.capability.stage and not self._lease_is_near():
            return
        criteria = judge_record(record_of(world.state, self.policy, world.now), self.policy, to_stage)
        if not criteria or any(one.standing is not Standing.MET for one in criteria):
            return
        run = f"promotion-{self.day}"
        world.do(c.StartPromotion(name, to_stage, run, self.policy), "admit")
        for gate in (PromotionGate.QUALITY, PromotionGate.RECORD, PromotionGate.REVIEW):
            world.do(c.JudgePromotion(name, run, gate, Verdict.PASS, "as the record says", None), str(gate))
        world.do(c.RequestPromotion(name, run, self.policy), "approval")
        (request,) = [r for r in world.state.open_requests() if r.promotes]
        yes = self.people.approves_promotion(self.rng)
        self._vote(request, Choice.APPROVE if yes else Choice.REJECT)
        if yes:  # refused when harm was done since people were asked
            world.ask(c.Promote(name, to_stage, "people agreed"), "promoter")

    def _lease_is_near(self) -> bool:
        until = self.capability.lease_until
        before = timedelta(seconds=self.policy.autonomy.renew_before_seconds)
        return until is not None and self.world.now >= until - before

    def _demotions(self) -> Sequence[tuple[int, str]]:
        return [
            ((entry.at - BEGIN).days, entry.event.rule)
            for entry in self.world.history
            if entry.event.kind == "capability.demoted" and hasattr(entry.event, "rule")
        ]

    # -- small things -----------------------------------------------------------------------------

    def _known(self, name: str) -> OptimizationState:
        return self.world.state.optimizations[name]

    def _drop(self) -> None:
        self.current, self.window = None, None

    def _settle_scopes(self) -> None:
        """Let the flag system show what was intended, and read it back."""
        for known in list(self.world.state.optimizations.values()):
            if known.pending is not None:
                pending = known.pending
                shown = c.ConfirmScope(known.id, pending.to_scope, pending.epoch, "simulated", self.world.now)
                self.world.do(shown, "flag-writer")

    def _judge(
        self,
        known: OptimizationState,
        gate: Gate,
        verdict: Verdict,
        review: ReviewVerdict | None = None,
        *,
        sentence: str = "",
        found: Estimate | None = None,
        caution: bool = False,
    ) -> None:
        assert known.step is not None
        told = sentence or f"{gate}: {verdict}"
        command = c.JudgeGate(known.id, known.step.number, gate, verdict, told, None, review, found, caution)
        self.world.do(command, str(gate))
