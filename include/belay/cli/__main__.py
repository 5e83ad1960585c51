"""`python -m belay.cli`: the same as `belay`."""

from belay.cli.app import main

main()
