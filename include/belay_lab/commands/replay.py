"""`belay replay`: recorded experiments through the same gates."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from belay.cli.exits import NO, BadInputError
from belay.cli.output import Json, print_json, say, table
from belay.domain.figures import in_percent

if TYPE_CHECKING:
    from belay_lab.recorded import HeadlineTest
    from belay_lab.replay import Walk

app = typer.Typer(no_args_is_help=True, help="Walk recorded experiments through the gates.")


@app.command("open-bandit", epilog="Example: belay replay open-bandit --campaign men")
def open_bandit(
    campaign: Annotated[str, typer.Option(help="all, men or women.")] = "men", *, as_json: Json = False
) -> None:
    """An AI recommender against random items on a real shop, 24 to 30 November 2019."""
    from belay.settings import Settings
    from belay_lab.recorded import CAMPAIGNS
    from belay_lab.recorded import open_bandit as recorded
    from belay_lab.replay import replay

    if campaign not in CAMPAIGNS:
        raise BadInputError(f"there is no campaign {campaign!r}: choose of {', '.join(CAMPAIGNS)}")
    settings = Settings.from_env()
    home = _home(settings.home, f"open-bandit-{campaign}")
    walk = replay(recorded(campaign, settings.recorded), home)
    _show(walk, home, as_json=as_json)


@app.command(epilog="Example: belay replay upworthy --test 51436061220cb800020007")
def upworthy(
    test: Annotated[
        str, typer.Option(help="Id of one test, or its beginning; without it, all splits are checked.")
    ] = "",
    *,
    as_json: Json = False,
) -> None:
    """Headline tests of 2013 to 2015, a published randomisation fault among them."""
    from belay.settings import Settings
    from belay_lab.recorded import headline_tests
    from belay_lab.recorded import upworthy as recorded
    from belay_lab.replay import replay

    settings = Settings.from_env()
    tests = headline_tests(settings.recorded)
    if not test:
        _splits(list(tests), as_json=as_json)
        return
    found = [one for one in tests if one.id.startswith(test)]
    if len(found) != 1:
        raise BadInputError(f"{len(found)} tests begin with {test!r}: name one")
    home = _home(settings.home, f"upworthy-{found[0].id[:12]}")
    _show(replay(recorded(found[0]), home), home, as_json=as_json)


@app.command(epilog="Example: belay replay asos --table2")
def asos(
    *,
    table2: Annotated[bool, typer.Option("--table2", help="Reproduce the paper's Table 2.")] = True,
    as_json: Json = False,
) -> None:
    """78 experiments of ASOS as sufficient statistics: do our formulas find what the paper found?"""
    from belay.settings import Settings
    from belay_lab.asos import PAPER, asos_table2

    if not table2:
        raise BadInputError("there is one table to reproduce: --table2")
    found = asos_table2(Settings.from_env().recorded / "asos")
    if as_json:
        print_json(found.to_document())
    else:
        rows = [
            (metric, name, getattr(found.counts[metric], name), getattr(PAPER[metric], name))
            for metric in sorted(PAPER)
            for name in ("both", "only_sequential", "neither", "only_fixed")
        ]
        table("ASOS, Table 2", ("metric", "which test finds a difference", "here", "paper"), rows)
        say("all 16 cells as published" if found.as_published else "NOT as published")
    if not found.as_published:
        raise typer.Exit(NO)


def _home(home: Path, name: str) -> Path:
    """Return an empty folder for a replay: it is told anew each time."""
    folder = home / "replays" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _show(walk: Walk, home: Path, *, as_json: bool) -> None:
    from belay.ledger.store import Ledger
    from belay.ledger.verify import verify

    verification = verify(Ledger.open(f"sqlite:///{home / 'ledger.db'}"))
    if as_json:
        print_json(
            {
                "optimization": walk.recording.proposal.optimization,
                "verdict": str(walk.last.verdict),
                "gate": str(walk.last.gate),
                "sentence": walk.sentence,
                "looks": walk.looks,
                "gates": [outcome.to_document() for outcome in walk.outcomes],
                "ledger": str(verification),
            }
        )
    else:
        rows = [(o.step, o.gate, o.verdict, o.sentence) for o in walk.outcomes]
        table(walk.recording.proposal.title, ("step", "gate", "verdict", "why"), rows)
        say(f"{walk.looks} looks; {verification}")
    if not verification.ok:
        raise typer.Exit(NO)


def _split_fails(test: HeadlineTest) -> bool:
    from belay.measurement.srm import srm_test

    counts = {str(number): seen for number, seen in enumerate(test.impressions)}
    return srm_test(counts, dict.fromkeys(counts, 1.0)).mismatch


def _splits(tests: list[HeadlineTest], *, as_json: bool) -> None:
    """Check the split of every test, inside and outside the faulty weeks."""
    counted: dict[str, Any] = {}
    for where, inside in (("inside the faulty weeks", True), ("outside", False)):
        chosen = [t for t in tests if t.in_faulty_weeks is inside]
        flagged = sum(_split_fails(t) for t in chosen)
        counted[where] = {"tests": len(chosen), "flagged": flagged, "share": flagged / len(chosen)}
    if as_json:
        print_json(counted)
        return
    rows = [(where, c["flagged"], c["tests"], in_percent(c["share"], 2)) for where, c in counted.items()]
    table(
        "Upworthy: splits that are not the ones asked for (p < .001)",
        ("weeks", "flagged", "tests", "share"),
        rows,
    )
