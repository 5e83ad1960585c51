"""Walk a recorded experiment through the gates as if it were happening now, with a ledger of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from belay.domain.capability import CapabilityPolicy
from belay.domain.events import Choice
from belay.domain.gates import Gate
from belay.domain.scope import Ramp
from belay.gates.admit import admit, propose
from belay.gates.approval import approval
from belay.gates.outcome import GateOutcome
from belay.gates.quality import quality
from belay.gates.review import review
from belay.gates.widen import widen
from belay.gates.window import window_look
from belay.oversight.people import vote
from belay.services import Services
from belay.settings import Settings
from belay_lab.recorded import Recording
from belay_lab.shop.lake import Lake

POLICIES = Path(__file__).parent / "recorded_policies"
_LOOK_EVERY = timedelta(hours=12)
_FIRST_LOOK = timedelta(days=1)


class ReplayServices(Services):
    """Services whose data clock stands where the recording is; people's clock is the wall's."""

    def __init__(self, settings: Settings, recording: Recording) -> None:
        super().__init__(settings)
        self.clock = recording.start
        self.recording = recording
        self._lake = Lake(settings.home)
        self._lake.create()

    def advance(self, until: datetime) -> None:
        """Let the recording go on to ``until``: what has happened by then is in the lake."""
        for part in self.recording.parts:
            if self.clock < part.until <= until:
                part.reveal(self._lake)
        self.clock = until

    def data_now(self) -> datetime:
        """Return the recording's time."""
        return self.clock

    def policy(self, capability: str) -> CapabilityPolicy:
        """Return the recorded policy: its ramp is the recorded split, its window the whole recording."""
        policy = super().policy(capability)
        scope, lasted = self.recording.scope, self.recording.last_arrival - self.recording.start
        return replace(
            policy,
            ramp=Ramp((scope, 10_000)),
            window=replace(policy.window, maximum_seconds=lasted.total_seconds()),
            digest=f"{policy.digest[:-5]}{scope:05d}",
        )


@dataclass(frozen=True, slots=True)
class Walk:
    """What the gates said, in order; the last one is where the recording was stopped or judged."""

    recording: Recording
    outcomes: tuple[GateOutcome, ...]
    looks: int

    @property
    def last(self) -> GateOutcome:
        """The gate that decided."""
        return self.outcomes[-1]

    @property
    def sentence(self) -> str:
        """What it said."""
        return self.last.sentence


def replay(
    recording: Recording, home: Path, *, progress: Callable[[datetime], None] = lambda _: None
) -> Walk:
    """Walk ``recording`` in the empty folder ``home``, up to the review of its widening to everybody.

    The recorded exposure itself is the first step; the vote that lets it happen is cast for those who ran
    the experiment, and says so. Nothing is shown to anybody: the flags are a dry run.
    """
    settings = replace(
        Settings.from_env({}),
        home=home,
        ledger_url=f"sqlite:///{home / 'ledger.db'}",
        warehouse_url=Lake(home).url,
        flags="dry-run",
        policies=POLICIES,
        flag_settle=timedelta(0),
    )
    belay = ReplayServices(settings, recording)
    belay.advance(recording.start + _FIRST_LOOK)
    name = propose(belay, recording.proposal).id
    outcomes = [admit(belay, name, f"{name}__step1")]
    first = _expose(belay, name)
    outcomes += first
    if first[-1].gate is not Gate.APPROVAL:
        return Walk(recording, tuple(outcomes), 0)
    for gate in (admit(belay, name, f"{name}__step2"), quality(belay, name, 2)):
        outcomes.append(gate)
        if gate.verdict != "pass":
            return Walk(recording, tuple(outcomes), 0)
    looks = 0
    while True:
        progress(belay.clock)
        looks += 1
        found = window_look(belay, name, 2)
        if found.outcome is not None or belay.clock >= recording.end:
            break
        belay.advance(min(belay.clock + _LOOK_EVERY, recording.end))
    if found.outcome is None:
        raise RuntimeError(f"the recording ended before its window did: {found.sentence}")
    outcomes.append(found.outcome)
    if found.outcome.verdict == "pass":
        outcomes.append(review(belay, name, 2))
    return Walk(recording, tuple(outcomes), looks)


def _expose(belay: ReplayServices, name: str) -> list[GateOutcome]:
    """Take the first step: the exposure that was recorded."""
    outcomes = [quality(belay, name, 1)]
    if outcomes[-1].verdict != "pass":
        return outcomes
    window = window_look(belay, name, 1).outcome
    assert window is not None
    outcomes += [window, review(belay, name, 1)]
    request = approval(belay, name, 1).request
    assert request is not None
    recorder = belay.roster().holders("recorder")[0]
    vote(
        belay,
        request.id,
        Choice.APPROVE,
        person=recorder,
        reason="The experiment was run and recorded; this vote stands for that decision.",
        via="replay",
    )
    granted = approval(belay, name, 1).outcome
    assert granted is not None
    # The recorded split held from the recording's first moment on.
    reached, belay.clock = belay.clock, belay.recording.start
    widen(belay, name, 1)
    belay.clock = reached
    return [*outcomes, granted]
