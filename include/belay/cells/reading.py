"""What a look read, what it left out, and by which rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read, what was left out, and by which rule (rows of exposures unless it says units).

    Attributes
    ----------
    rows : int
        Exposures of the optimization on its surface.
    filtered : Mapping[str, int]
        Left out by each declared filter.
    late_exposures, late_outcomes : int
        Arrived after the look: a later look must not change what an earlier one saw.
    outside : int
        Before the plan's start or after the look.
    clock_ahead : int
        Event time later than arrival: the sender's clock is wrong.
    unknown_variants, without_unit : int
        A variant that the plan does not know; no unit.
    duplicate_outcomes : int | None
        Outcome events that came more than once; None when the plan does not ask.
    units : int
        Units measured.
    two_arms : int
        Units seen in two arms: left out.
    early_outcomes : int
        Outcomes of measured units from before their first exposure: no change can have caused them.
    unadjusted : tuple[str, ...]
        Metrics that are not adjusted by their covariate, and why, in words.
    strangers : tuple[str, ...]
        Sentences about tables of outcomes whose units never meet the exposed ones.
    """

    rows: int = 0
    filtered: Mapping[str, int] = field(default_factory=dict)
    late_exposures: int = 0
    late_outcomes: int = 0
    outside: int = 0
    clock_ahead: int = 0
    unknown_variants: int = 0
    without_unit: int = 0
    duplicate_outcomes: int | None = None
    units: int = 0
    two_arms: int = 0
    strangers: tuple[str, ...] = ()
    early_outcomes: int = 0
    unadjusted: tuple[str, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """What people should know about the reading, in words; empty when nothing was left out."""
        said = [f"{n:,} exposures left out by the filter {name}" for name, n in self.filtered.items() if n]
        for n, words in (
            (self.two_arms, "units left out: seen in two arms"),
            (self.late_exposures, "exposures left out: they arrived after the look"),
            (self.late_outcomes, "outcomes left out: they arrived after the look"),
            (self.outside, "exposures left out: before the phase or after the look"),
            (self.clock_ahead, "exposures claim to be later than their arrival: a clock is wrong"),
            (self.unknown_variants, "exposures left out: of a variant that was not proposed"),
            (self.without_unit, "exposures left out: without a unit"),
            (self.duplicate_outcomes or 0, "repeated outcome events counted once"),
            (self.early_outcomes, "outcomes left out: before their unit's first exposure"),
        ):
            if n:
                said.append(f"{n:,} {words}")
        return (*self.strangers, *said, *self.unadjusted)

    @property
    def why_empty(self) -> str:
        """Why no unit was measured."""
        if not self.rows:
            return "no exposure was logged: does the product evaluate the flag, and does its log arrive?"
        return f"none of {self.rows:,} exposures counts: {'; '.join(self.sentences)}"
