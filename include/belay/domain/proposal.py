"""What an agent proposes: one optimization of one capability."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from belay.domain.actors import Actor


def depth_of(document: Any, *, beyond: int = 1_000) -> int:
    """Return how many levels of lists and mappings a document has; no more than one above ``beyond``."""
    level, depth = [document], 0
    while level and depth <= beyond:
        inner = [one for one in level if isinstance(one, Mapping | list | tuple)]
        depth += bool(inner)
        level = [part for one in inner for part in (one.values() if isinstance(one, Mapping) else one)]
    return depth


CONTROL = "control"
"""The variant of units that do not see the optimization."""

HOLDOUT = "holdout"
"""The variant of units that never see any optimization of the capability.

They get what control gets, under a name of their own: control sees what the capability has completed before,
a held out unit does not, so it is no control for the next optimization.
"""


@dataclass(frozen=True, slots=True)
class Variant:
    """One treatment: its key in the flag, and the payload that the product receives."""

    key: str
    payload: Any


@dataclass(frozen=True, slots=True)
class Prediction:
    """The relative effect on the primary metric that the agent predicts, with a 90 % interval."""

    effect: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """One change proposed by one agent.

    Attributes
    ----------
    optimization : str
        Its id, and its flag's key: lower-case letters, digits and dashes.
    capability : str
        The kind of decision it is.
    title, hypothesis : str
        Untrusted text: shown to people, escaped, never interpreted.
    variants : tuple[Variant, ...]
        The treatments; the units exposed are shared evenly among them.
    rollback : Any
        What the product shows without the optimization.
    proposed_by : Actor
        The agent (or person).
    agent_owner : str
        The person who answers for the agent.
    prediction : Prediction | None
        What the agent expects, if it says.
    tags : tuple[str, ...]
        Raise the oversight: ``brand``, ``pricing``, ``compliance``.
    reversible, measurable : bool
        Whether the payload can be taken back, and whether the effect can be measured.
    audience : Mapping[str, str]
        Attributes that a unit must have to be exposed; empty means everybody.
    """

    optimization: str
    capability: str
    title: str
    hypothesis: str
    variants: tuple[Variant, ...]
    rollback: Any
    proposed_by: Actor
    agent_owner: str
    prediction: Prediction | None = None
    tags: tuple[str, ...] = ()
    reversible: bool = True
    measurable: bool = True
    audience: Mapping[str, str] = field(default_factory=dict)

    @property
    def conflicted(self) -> frozenset[str]:
        """Ids of whose answer about it does not count: who proposed it, and who answers for the agent."""
        return frozenset({self.proposed_by.id, self.agent_owner})
