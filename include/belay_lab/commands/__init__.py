"""The laboratory's commands: `belay demo`, `up`, `down`, `scenarios`, `storefront` and `replay`."""

from __future__ import annotations

import typer

from belay_lab.commands import demo, replay, scenarios, storefront


def register(app: typer.Typer) -> None:
    """Add them to the command line."""
    scenarios.register(app)
    demo.register(app)
    app.add_typer(storefront.app, name="storefront")
    app.add_typer(replay.app, name="replay")
