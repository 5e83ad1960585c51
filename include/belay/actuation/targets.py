"""What people can point at, in one grammar for every door: `stop`, `veto`, `freeze`, `unfreeze`.

``all``, ``surface:NAME``, ``capability:NAME``, ``optimization:NAME``, or the name alone where it is one
thing's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING

from belay.domain.rules.answer import Refusal
from belay.domain.vocabulary import Rule
from belay.execution import RefusedError

if TYPE_CHECKING:
    from belay.domain.state import State
    from belay.services import Services

ALL = "all"
_MOST_LISTED = 40


def groups_of(named: Iterable[tuple[str, str]]) -> list[str]:
    """Return ``all``, the surfaces and the capabilities of pairs of capability and surface, in this order."""
    pairs = list(named)
    surfaces = sorted({f"surface:{surface}" for _, surface in pairs})
    return [ALL, *surfaces, *sorted({f"capability:{capability}" for capability, _ in pairs})]


def known_groups(belay: Services, state: State) -> list[str]:
    """Return every group that the policy files or the ledger name, before the first proposal too."""
    try:
        files = [(p.id, p.surface) for p in belay.policies().capabilities.values()]
    except Exception:  # noqa: BLE001 - a file that cannot be read names nothing, and keeps nobody from narrowing
        files = []
    known = [(c.id, c.surface) for c in state.capabilities.values()]
    return groups_of([*files, *known, *((o.capability, o.surface) for o in state.optimizations.values())])


def meant(text: str, act: str, *, groups: Collection[str], optimizations: Collection[str]) -> str:
    """Return the target that ``text`` means: one of ``groups``, or an optimization's id.

    Parameters
    ----------
    text
        What was typed.
    act
        What is to be done with it, for the message: ``stop``, ``veto``, ``freeze``.

    Raises
    ------
    RefusedError
        When nothing, or more than one thing, is called that; the message lists what there is.
    """
    name = text.strip()
    if name in groups or name in optimizations:
        return name
    if (bare := name.removeprefix("optimization:")) in optimizations:
        return bare
    found = [group for group in (f"capability:{name}", f"surface:{name}") if group in groups]
    if len(found) == 1:
        return found[0]
    if found:
        raise RefusedError(
            Refusal(Rule.UNKNOWN_TARGET, f"{name!r} can be {' and '.join(found)}: say which to {act}")
        )
    there = [*groups, *optimizations]
    plain = {one.partition(":")[2] or one: one for one in there}
    near = get_close_matches(name.partition(":")[2] or name, plain, 1, 0.7)
    guess = f"; did you mean {plain[near[0]]}?" if near else ""
    listed = ", ".join(there[:_MOST_LISTED]) + (" …" if len(there) > _MOST_LISTED else "")
    message = f"there is nothing called {name[:200]!r} to {act}{guess}; there is: {listed}"
    raise RefusedError(Refusal(Rule.UNKNOWN_TARGET, message))
