"""The command line ``belay``: one file a group of commands."""

from belay.cli.app import main

__all__ = ["main"]
