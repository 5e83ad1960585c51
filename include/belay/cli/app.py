"""The command line itself: its commands, and what becomes of an error."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from belay import __version__
from belay.cli import (
    autonomy,
    doctor,
    explain,
    guard,
    ledger,
    people,
    policy,
    power,
    propose,
    reconcile,
    slack,
    start,
    status,
    stop,
    story,
    supervision,
)
from belay.cli.exits import BROKEN, IN_WORDS, exit_code
from belay.cli.output import warn

_LABORATORY = "belay_lab"


class _Explaining(TyperGroup):
    """Turns every error into a sentence and an exit code; ``BELAY_DEBUG=1`` shows the traceback instead."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, TyperException, BrokenPipeError):
            raise
        except Exception as error:
            if os.environ.get("BELAY_DEBUG"):
                raise
            code = exit_code(error)
            if code == BROKEN:
                warn(
                    f"belay: a defect: {type(error).__name__}: {error}; "
                    "run it again with BELAY_DEBUG=1 and report what it prints"
                )
            else:
                warn(f"belay: {error}")
            raise typer.Exit(code) from error


app = typer.Typer(
    cls=_Explaining,
    name="belay",
    help="Lets AI agents change a product in small, checked, reversible steps.",
    epilog=IN_WORDS,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)


def _version(value: bool | None) -> None:  # noqa: FBT001 - typer calls it with the option's value
    if value:
        typer.echo(f"belay {__version__}")
        raise typer.Exit


@app.callback()
def _belay(
    *,
    version: Annotated[
        bool | None, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = None,
) -> None:
    """Settings come from environment variables: see docs/cli.md, or ask [bold]belay doctor[/bold]."""


_COMMANDS = (
    status,
    story,
    explain,
    power,
    propose,
    start,
    people,
    supervision,
    autonomy,
    stop,
    guard,
    reconcile,
    doctor,
)
for module in _COMMANDS:
    module.register(app)
app.add_typer(policy.app, name="policy")
app.add_typer(ledger.app, name="ledger")
app.add_typer(slack.app, name="slack")
if find_spec(_LABORATORY):  # a package of its own, which an installation may leave out
    import_module(f"{_LABORATORY}.commands").register(app)


def main() -> None:
    """Run the command line."""
    try:
        app()
    except BrokenPipeError:
        # The reader (head, less) has seen enough; nothing is wrong, and nothing more can be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
