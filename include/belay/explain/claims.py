"""What an explanation is made of: claims that name their entries, under the questions they answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Question(StrEnum):
    """What people want to know, in the order in which it is told."""

    WHAT = "What happened"
    PROPOSED = "Who or what proposed it"
    RULE = "Under which rule, by whose authority"
    EVIDENCE = "On which evidence"
    VOTES = "Who was asked, who answered and why"
    SERVED = "What was served, and when"
    OWNER = "Who owns the consequences"


_SHORT = 12
_UNFOLDED = 8
"""Digits of a digest that are shown: `belay show` finds the document by them."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence, the entries of the ledger that say so, and the evidence those rest on.

    Raises
    ------
    ValueError
        When it names no entry: what the ledger does not say is not told.
    """

    sentence: str
    entries: tuple[int, ...]
    evidence: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.entries:
            raise ValueError(f"a claim needs an entry: {self.sentence!r}")

    @property
    def folded(self) -> bool:
        """Whether it rests on so many entries (a window's looks) that first, last and count say more."""
        return len(self.entries) > _UNFOLDED

    def told(self, *, cites: bool = False) -> str:
        """Return the sentence with its entries' numbers; where it ``cites``, with its evidence's too."""
        sources = [f"#{seq}" for seq in self.entries]
        pieces = [f"evidence {name[:_SHORT]}" for name in self.evidence]
        if self.folded:
            sources = [f"#{self.entries[0]}–#{self.entries[-1]}, {len(self.entries)} entries"]
            pieces = [f"the last {pieces[-1]}"] if pieces else []
        if cites:
            sources += pieces
        return f"{self.sentence} [{', '.join(sources)}]"


@dataclass(frozen=True, slots=True)
class Matter:
    """One decision and what belongs to it: a step, a taking down, a promotion, a policy."""

    title: str
    answers: dict[Question, tuple[Claim, ...]]

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Every claim, in the order of the questions."""
        return tuple(claim for claims in self.answers.values() for claim in claims)


def matter(title: str, **answers: Iterable[Claim]) -> Matter:
    """Return a matter; ``answers`` are claims by the names of `Question`, and what is empty is left out."""
    found = {question: tuple(answers.get(question.name.lower(), ())) for question in Question}
    return Matter(title, {question: claims for question, claims in found.items() if claims})


@dataclass(frozen=True, slots=True)
class Explanation:
    """What there is to say about ``subject``, matter by matter, oldest first."""

    subject: str
    matters: tuple[Matter, ...]

    @property
    def entries(self) -> tuple[int, ...]:
        """Every entry that it rests on."""
        return tuple(sorted({seq for it in self.matters for claim in it.claims for seq in claim.entries}))

    def to_text(self) -> str:
        """Return it as prose; every claim carries the numbers of its entries."""
        lines = []
        for it in self.matters:
            lines += [it.title, ""]
            for question, claims in it.answers.items():
                cites = question is Question.EVIDENCE
                lines += [f"{question}.", *(f"  {claim.told(cites=cites)}" for claim in claims), ""]
        return "\n".join(lines).rstrip()

    def to_document(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "subject": self.subject,
            "matters": [
                {
                    "title": it.title,
                    "answers": [
                        {
                            "question": question.value,
                            "claims": [
                                {
                                    "sentence": claim.sentence,
                                    "entries": list(claim.entries),
                                    "evidence": list(claim.evidence),
                                }
                                for claim in claims
                            ],
                        }
                        for question, claims in it.answers.items()
                    ],
                }
                for it in self.matters
            ],
            "entries": list(self.entries),
        }
