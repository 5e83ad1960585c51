"""Mistakes of a first user, each with the answer it has to get: exit code, words, nothing changed by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.cli.conftest import PROPOSALS, Belay

from belay.services import Services

EXAMPLE = (PROPOSALS / "checkout-delivery-date.yaml").read_text()


@dataclass(frozen=True)
class Mistake:
    """One mistake: what is run, with what, and what has to be said."""

    what: str
    command: tuple[str, ...]
    code: int
    says: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)
    policy: str = ""
    proposal: str | None = None
    never: tuple[str, ...] = ("a defect", "Traceback")


SETTINGS = [
    Mistake(
        "seconds that are no number",
        ("status",),
        2,
        ("BELAY_GUARD_SECONDS=abc", "for example BELAY_GUARD_SECONDS=60"),
        {"BELAY_GUARD_SECONDS": "abc"},
    ),
    Mistake(
        "negative seconds",
        ("status",),
        2,
        ("BELAY_GUARD_SECONDS=-1: a number of seconds above 0",),
        {"BELAY_GUARD_SECONDS": "-1"},
    ),
    Mistake(
        "a city for a time zone",
        ("status",),
        2,
        ("BELAY_ZONE=Berlin: there is no such time zone", "Europe/Berlin"),
        {"BELAY_ZONE": "Berlin"},
    ),
    Mistake(
        "a file for the ledger's URL",
        ("status",),
        2,
        ("BELAY_LEDGER_URL=ledger.db", "for example"),
        {"BELAY_LEDGER_URL": "ledger.db"},
    ),
    Mistake(
        "a flag system without its path",
        ("status",),
        2,
        ("BELAY_FLAGS=flagd", "flagd:PATH, dry-run or python:MODULE:FUNCTION:ARGUMENT"),
        {"BELAY_FLAGS": "flagd"},
    ),
    Mistake(
        "a warehouse by the short name of Postgres",
        ("doctor",),
        3,
        ("127.0.0.1",),
        {"BELAY_WAREHOUSE_URL": "postgresql://reader@127.0.0.1:9/shop"},
        never=("psycopg2", "a defect"),
    ),
    Mistake(
        "a mistyped variable",
        ("doctor",),
        3,
        ("BELAY_AIFLOW_URL is no setting; did you mean BELAY_AIRFLOW_URL?",),
        {"BELAY_AIFLOW_URL": "http://127.0.0.1:9"},
    ),
]


POLICIES = [
    Mistake(
        "percent for basis points in the ramp",
        ("policy", "check"),
        1,
        ("basis points are meant here, so the ramp would end at 1 %", "[100, 500, 2500, 10000]", "[1 %, 5 %"),
        policy="ramp: [1, 5, 25, 100]",
    ),
    Mistake("percent as a text", ("policy", "check"), 0, ("4 cap",), policy="ramp: [1 %, 5%, 25 %, 100 %]"),
    Mistake(
        "percent for basis points in the free scope",
        ("policy", "check"),
        1,
        ("free_scope: basis points are meant here, so this is 0.05 %", "write 500 or '5 %'"),
        policy="free_scope: 5",
    ),
    Mistake(
        "a quorum of more people than there are",
        ("policy", "check"),
        1,
        ("the quorum cannot be reached: 5 are needed, 2 could answer",),
        policy="approval: {roles: [cx_owner], quorum: 5}",
        never=("reached: the quorum", "a defect"),
    ),
    Mistake(
        "a suite that does not exist",
        ("policy", "check"),
        1,
        ("there is no suite 'newsletter' in expectations/",),
        policy="suites: [newsletter]",
    ),
]

_WITHOUT = EXAMPLE.split("prediction:")[0]
PROPOSALS_GIVEN = [
    Mistake(
        "percent for a share in a prediction",
        ("propose", "PROPOSAL", "--no-start"),
        2,
        ("prediction.effect: this would be 800 %: write 0.08 for 8 %, or '800 %' where that is meant",),
        proposal=f"{_WITHOUT}prediction: {{effect: 8, low: 1, high: 9}}\n",
    ),
    Mistake(
        "percent as a text in a prediction",
        ("propose", "PROPOSAL", "--no-start"),
        0,
        ("recorded",),
        proposal=f"{_WITHOUT}prediction: {{effect: 8 %, low: -1 %, high: 9 %}}\n",
    ),
    Mistake(
        "a prediction that is no mapping",
        ("propose", "PROPOSAL", "--no-start"),
        2,
        ("prediction: write effect, low and high, such as {effect: 0.08, low: 0.02, high: 0.14}",),
        proposal=f"{_WITHOUT}prediction: 8%\n",
    ),
    Mistake(
        "a capability that nobody has",
        ("propose", "PROPOSAL"),
        2,
        ("there is no chekout_wording.yaml",),
        proposal=EXAMPLE.replace("capability: checkout_wording", "capability: chekout_wording"),
    ),
    Mistake("an empty file", ("propose", "PROPOSAL"), 2, ("the file is empty",), proposal=""),
    Mistake(
        "a wrong id",
        ("propose", "PROPOSAL"),
        2,
        ("lower-case letters, digits and -",),
        proposal=EXAMPLE.replace("optimization: checkout-delivery-date", "optimization: Checkout_Date"),
    ),
]


def run(
    belay: Belay, mistake: Mistake, policies: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Make the mistake, and hold its answer against what it has to be."""
    for name, value in mistake.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "1000")
    if mistake.policy:
        file = policies / "checkout_wording.yaml"
        file.write_text(f"{file.read_text()}{mistake.policy}\n")
    file = tmp_path / "proposal.yaml"
    if mistake.proposal is not None:
        file.write_text(mistake.proposal)
    done = belay(*(str(file) if word == "PROPOSAL" else word for word in mistake.command))
    assert done.exit_code == mistake.code, done.output
    said = " ".join(done.output.split())
    for words in mistake.says:
        assert words in said, f"{words!r} is not in\n{said}"
    for words in mistake.never:
        assert words not in said


@pytest.mark.parametrize("mistake", SETTINGS, ids=lambda mistake: mistake.what)
def test_a_setting(belay: Belay, mistake: Mistake, policies: Path, monkeypatch, tmp_path: Path) -> None:
    run(belay, mistake, policies, monkeypatch, tmp_path)


@pytest.mark.parametrize("mistake", POLICIES, ids=lambda mistake: mistake.what)
def test_a_policy(belay: Belay, mistake: Mistake, policies: Path, monkeypatch, tmp_path: Path) -> None:
    run(belay, mistake, policies, monkeypatch, tmp_path)


@pytest.mark.parametrize("old", ["minimum_effect: 0.1", "page_errors: 0.5"])
@pytest.mark.parametrize("percent", ["5", "8.0", "2"])
def test_percent_for_a_share_in_an_effect_or_margin(
    belay: Belay, policies: Path, old: str, percent: str
) -> None:
    file = policies / "checkout_wording.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, f"{old.split(':', maxsplit=1)[0]}: {percent}"))
    checked = belay("policy", "check")
    assert checked.exit_code == 1
    assert f"write {float(percent) / 100:g} for {float(percent):g} %" in checked.output


@pytest.mark.parametrize("mistake", PROPOSALS_GIVEN, ids=lambda mistake: mistake.what)
def test_a_proposal(
    belay: Belay, services: Services, mistake: Mistake, policies: Path, monkeypatch, tmp_path: Path
) -> None:
    run(belay, mistake, policies, monkeypatch, tmp_path)
    if mistake.code:
        assert not (services.settings.home / "ledger.db").exists(), "a refused proposal began a ledger"


NOBODY = [
    ("show", "nothing-like-that"),
    ("explain", "nothing-like-that"),
    ("explain", "9" * 5000),
    ("explain", "#" + "9" * 5000),
    ("approve", "nothing-like-that", "--as", "nora", "--reason", "x"),
    ("reject", "nothing-like-that", "--as", "nora", "--reason", "x"),
    ("veto", "nothing-like-that", "--as", "nora", "--reason", "x"),
    ("stop", "nothing-like-that", "--as", "timo", "--reason", "x"),
    ("freeze", "nothing-like-that", "--as", "timo", "--reason", "x"),
    ("unfreeze", "nothing-like-that", "--as", "timo", "--reason", "x"),
    ("judge", "nothing-like-that", "yes", "--as", "nora", "--reason", "x"),
    ("undelegate", "nothing-like-that", "--as", "nora", "--reason", "x"),
    ("delegate", "nobody-like-that", "--until", "tomorrow", "--as", "nora", "--reason", "x"),
    ("promote", "nothing_like_that"),
    ("power", "nothing_like_that"),
    ("policy", "show", "nothing_like_that"),
    ("policy", "adopt", "nothing_like_that", "--as", "nora", "--reason", "x"),
    ("autonomy", "show", "nothing_like_that"),
    ("autonomy", "shadow", "nothing_like_that"),
    ("supervision", "--by", "nobody-like-that"),
]


@pytest.mark.parametrize("command", NOBODY, ids=lambda command: " ".join(command)[:40])
def test_a_name_that_nothing_has_is_bad_input_whatever_the_command(
    belay: Belay, request_id: str, command: tuple[str, ...]
) -> None:
    done = belay(*command)
    assert done.exit_code == 2, done.output
    assert "a defect" not in done.output


@pytest.mark.parametrize("answer", ["approve", "reject"])
def test_with_an_airflow_and_no_login_an_answer_is_refused_and_nothing_recorded(
    belay: Belay, services: Services, request_id: str, monkeypatch, answer: str
) -> None:
    monkeypatch.setenv("BELAY_AIRFLOW_URL", "http://127.0.0.1:9")
    head = services.ledger.head()
    refused = belay(answer, request_id, "--as", "nora", "--reason", "fine")
    assert refused.exit_code == 2
    assert "BELAY_AIRFLOW_USER" in refused.output
    assert "--direct" in refused.output
    assert services.ledger.head() == head
    assert belay(answer, request_id, "--as", "nora", "--reason", "fine", "--direct").exit_code == 0
    assert services.ledger.head() != head


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("checkout_wording", "capability:checkout_wording"),
        ("checkout-delivery-date", "checkout-delivery-date"),
    ],
)
def test_veto_and_stop_take_the_same_names(belay: Belay, request_id: str, typed: str, meant: str) -> None:
    vetoed = belay("veto", typed, "--as", "nora", "--reason", "complaints")
    assert vetoed.exit_code == 0, vetoed.output
    assert f"vetoed {meant}" in vetoed.output
    assert belay("stop", "checkout_wording", "--as", "timo", "--reason", "complaints").exit_code == 0
    assert belay("freeze", "checkout_wording", "--as", "timo", "--reason", "complaints").exit_code == 0


def test_a_name_that_nothing_has_lists_what_there_is(belay: Belay, request_id: str) -> None:
    for act in ("stop", "veto", "freeze", "unfreeze"):
        said = belay(act, "chekout_wording", "--as", "nora", "--reason", "x").output
        assert "'chekout_wording'" in said
        assert "did you mean capability:checkout_wording?" in said
        assert "there is: " in said


def test_a_stop_is_not_held_up_by_a_setting_that_it_does_not_need(belay: Belay, monkeypatch) -> None:
    monkeypatch.setenv("BELAY_ZONE", "Berlin")
    monkeypatch.setenv("BELAY_GUARD_SECONDS", "-1")
    stopped = belay("stop", "all", "--as", "timo", "--reason", "wrong prices")
    assert stopped.exit_code != 2
    assert "nothing was live" in stopped.output
