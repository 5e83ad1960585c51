"""Every rule, cause and finding is a member of one vocabulary, defined for people and listed in the docs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import pytest
from tests.support.builders import GATE, NOW

from belay.domain import events as e
from belay.domain import vocabulary
from belay.domain.recorded import Recorded
from belay.domain.vocabulary import DEMOTIONS, HARM, IMPERSONAL, RESUMABLE, Cause, Finding, Rule, Unreadable
from belay.explain import words
from belay.ledger.narrate import narrate

ROOT = Path(__file__).parents[2]
SETS: tuple[type[StrEnum], ...] = (Rule, Cause, Finding, Unreadable)
VALUES = {str(member) for each in SETS for member in each}
DECIDE = {"rule", "cause", "finding", "unreadable"}
"""Attributes and parameters that hold a member: what they are given, or compared with, is not in quotes."""
FIRST = {"Refusal", "Finding", "OversightRule"}
"""What takes a rule first."""
NAMES_OF_OTHERS = {
    "storefront/quarters/agents.py": {"human-only"},  # a kind of agent of the simulation
    "storefront/quarters/survey.py": {"human-only"},
}
"""By file, what is the name of something else."""


def sources() -> Iterator[tuple[str, ast.AST]]:
    """Every file of the product but the vocabulary itself."""
    for path in sorted((ROOT / "include" / "belay").rglob("*.py")):
        if path.name != "vocabulary.py":
            yield str(path.relative_to(ROOT / "include" / "belay")), ast.parse(path.read_text())


def quoted(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the literals of ``tree`` that stand where a member belongs."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in VALUES and "-" in str(node.value):
            yield node.lineno, str(node.value)
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            given = [word.value for word in node.keywords if word.arg in DECIDE]
            given += node.args[:1] if name in FIRST else []
            yield from literals(given)
        elif isinstance(node, ast.Compare) and held(node.left) in DECIDE:
            yield from literals(node.comparators)


def held(node: ast.expr) -> str:
    """The name of what ``node`` reads: ``it.rule``, ``line["rule"]``, ``line.get("rule")``."""
    of = node.args[0] if isinstance(node, ast.Call) and node.args else getattr(node, "slice", None)
    return str(getattr(of, "value", getattr(node, "attr", "")))


def literals(nodes: list[ast.expr]) -> Iterator[tuple[int, str]]:
    for node in nodes:
        for part in ast.walk(node):
            if isinstance(part, ast.Constant) and part.value in VALUES:
                yield part.lineno, str(part.value)


def test_no_rule_cause_or_finding_stands_in_quotes_outside_the_vocabulary() -> None:
    found = [
        f"{file}:{line}: {value!r}"
        for file, tree in sources()
        for line, value in quoted(tree)
        if value not in NAMES_OF_OTHERS.get(file, ())
    ]
    assert found == []


@pytest.mark.parametrize("each", SETS)
def test_every_member_says_what_it_means(each: type[StrEnum]) -> None:
    for member in each:
        assert member.meaning[0].isupper(), member  # type: ignore[attr-defined]
        assert not member.meaning.endswith("."), member  # type: ignore[attr-defined]
    assert len({member.name for member in each}) == len(set(each)), "no alias: one word, one value"


def test_every_member_is_listed_in_the_docs() -> None:
    page = (ROOT / "docs" / "vocabulary.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{member}` | {member.meaning} |"  # type: ignore[attr-defined]
        for each in SETS
        for member in each
    ]


def test_nothing_of_the_vocabulary_is_dead() -> None:
    """Each member is named somewhere in the product."""
    named = {
        f"{getattr(node.value, 'id', '')}.{node.attr}"
        for _, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
    }
    own = {
        f"{getattr(node.value, 'id', '')}.{node.attr}"
        for node in ast.walk(ast.parse(Path(vocabulary.__file__).read_text()))
        if isinstance(node, ast.Attribute)
    }
    assert [f"{m}" for each in SETS for m in each if f"{each.__name__}.{m.name}" not in named | own] == []


def test_the_sets_that_decide_hold_members() -> None:
    assert {"harm", "rolled_back", "guard"} == HARM
    assert {"demotion", "freeze", "policy"} == IMPERSONAL
    assert {"blind", "caution"} == RESUMABLE
    assert set(Rule) > DEMOTIONS


@pytest.mark.parametrize("cause", Cause)
def test_a_narrowing_is_told_in_words_whatever_its_cause(cause: Cause) -> None:
    down = e.NarrowingIntended("opt", 500, 0, 2, str(cause), "so it is")
    said = narrate(Recorded(1, NOW, GATE, down).event)
    assert f"because of {cause.because}: so it is" in said
    assert "-" not in cause.because, "words, and no name of a rule"
    assert words.cause(str(cause)) == cause.meaning


def test_what_anybody_asked_less_for_stands_as_it_was_given() -> None:
    assert "because of whim: " in narrate(e.NarrowingIntended("opt", 500, 0, 2, "whim", "so"))
    assert "“whim”" in words.cause("whim")
    assert "“whim”" in words.demotion("whim")
    assert words.demotion("caution") != Rule.CAUTION.meaning, "it takes no stage"


@pytest.mark.parametrize(
    "rule", ["stop", "freeze", "blind", "ended", "no-grant", "grant-void", "stale-epoch"]
)
def test_a_widening_that_lost_is_turned_back_for_what_forbade_it(rule: str) -> None:
    assert Cause.of_refusal(Rule(rule)) == rule
    assert "anybody may take a change down" not in words.cause(rule)


def test_whatever_forbids_a_widening_it_is_turned_back() -> None:
    assert all(Cause.of_refusal(rule) in Cause for rule in Rule)


def test_time_alone_mends_only_that_data_have_not_come_yet() -> None:
    assert {why for why in Unreadable if why.passes} == {"not-started", "no-exposure", "none-counts"}
