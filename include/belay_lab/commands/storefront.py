"""`belay storefront run`: let the simulated shop's time run."""

from __future__ import annotations

import signal
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from belay.cli.exits import BadInputError
from belay.cli.output import progress_bar, say
from belay.cli.parts import opened

if TYPE_CHECKING:
    from belay.settings import Settings
    from belay_lab.shop.scenario import Scenario

app = typer.Typer(help="The simulated shop: the default world of the demo.", no_args_is_help=True)


@app.callback()
def _storefront() -> None:
    """Visitors who see what the flags say, and leave exposures and outcomes in the lake."""


@app.command(epilog="Example: belay storefront run --days 14 --seconds-per-hour 0.25")
def run(
    *,
    scenario: Annotated[str, typer.Option(help="A packaged scenario, or a YAML file.")] = "demo",
    days: Annotated[
        float | None, typer.Option(min=0, help="Days of data time to run. Default: until it is stopped.")
    ] = None,
    seconds_per_hour: Annotated[
        float, typer.Option(min=0, help="Least wall-clock seconds an hour of data time takes; 0: no pause.")
    ] = 0.0,
) -> None:
    """Let data time run: it goes on where it stopped. Ctrl-C (or SIGTERM) stops after the hour."""
    from belay_lab.shop.simulate import Storefront

    settings = opened().settings
    _folder_for_duckdb(settings.home)
    shop = Storefront(settings.home, _scenario(scenario), _flags_file(settings))
    stopping = False

    def stop(_signal: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with progress_bar() as progress:
        task = progress.add_task("opening the shop", total=None)
        begins = shop.open()
        until = None if days is None else begins + timedelta(days=days)
        hours = None if days is None else days * 24

        def advance(now: datetime) -> None:
            done = (now - begins) / timedelta(hours=1)
            progress.update(task, description=f"shop time {now:%Y-%m-%d %H:%M}", completed=done, total=hours)

        try:
            now = shop.run(
                until=until, seconds_per_tick=seconds_per_hour, progress=advance, stop=lambda: stopping
            )
        finally:
            shop.close()
    say(f"shop time {begins:%Y-%m-%d %H:%M} → {now:%Y-%m-%d %H:%M}, data in {shop.lake.folder}")


def _scenario(name: str) -> Scenario:
    import pydantic
    import yaml

    from belay_lab.shop.scenario import load_scenario

    try:
        return load_scenario(name)
    except (FileNotFoundError, yaml.YAMLError, pydantic.ValidationError) as error:
        raise BadInputError(f"scenario {name} cannot be used: {error}") from error


def _folder_for_duckdb(home: Path) -> None:
    """DuckDB reads what follows a ``?`` in a path as options, and writes its log beside another file."""
    if "?" in str(home):
        raise BadInputError(
            f"BELAY_HOME={home}: DuckDB cannot keep a file in a folder whose name holds a ?; the simulated "
            "shop needs another home"
        )


def _flags_file(settings: Settings) -> Path:
    kind, _, where = settings.flags.partition(":")
    if kind != "flagd" or not where:
        raise BadInputError(
            f"the storefront reads a flagd file; BELAY_FLAGS={settings.flags!r} names none (flagd:PATH)"
        )
    return Path(where)
